
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/numbers.h"


/* milliseconds by which clocks that say the same may differ */
#define NGX_AGT_NUMBERS_SAME  1000


static ngx_uint_t ngx_agt_numbers_says_more(const ngx_agt_denial_t *a,
    const ngx_agt_denial_t *b, uint64_t same);
static void ngx_agt_numbers_give(ngx_agt_denials_t *denials,
    ngx_agt_denial_t *s, uint64_t old);
static void ngx_agt_numbers_note(ngx_agt_denials_t *denials, uint64_t number,
    const ngx_agt_denial_t *s);


void
ngx_agt_numbers_begin(ngx_agt_denials_t *denials, const ngx_agt_clock_t *now)
{
    ngx_uint_t         i;
    ngx_agt_denial_t  *s;

    ngx_agt_denials_lock(denials);

    if (!denials->sh->numbers.on) {

        /* a denial that had a number may say more by now */

        i = 0;

        while ((s = ngx_agt_denial_set_next(denials->set, &i, now)) != NULL) {
            s->number = 0;
        }

        denials->sh->numbers.on = 1;
        ngx_agt_numbers_recover_locked(denials, now);
    }

    ngx_agt_denials_unlock(denials);
}


/*
 * A process that dies after this leaves the number 0, which recover() seeks.
 */

void
ngx_agt_numbers_before_locked(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now,
    ngx_agt_numbering_t *numbering)
{
    ngx_uint_t         more;
    ngx_agt_denial_t  *s;

    s = ngx_agt_denial_set_find(denials->set, add->key, now);

    numbering->number = 0;
    numbering->again = (add->number == 0);

    if (s == NULL) {
        return;
    }

    numbering->number = s->number;

    more = ngx_agt_numbers_says_more(add, s, 0);

    if (add->number && (s->number & NGX_AGT_NUMBER_OTHERS)) {

        /* where less was told, this edge may be the only one that knows more */

        if (!ngx_agt_numbers_says_more(s, add, NGX_AGT_NUMBERS_SAME)) {
            s->number = add->number;
        }

    } else if (add->number && more && !ngx_agt_numbers_says_more(s, add, 0)) {

        /* another edge's, since it says all that the own one does */

        s->number = add->number;

    } else {

        /* what others know already needs no telling */

        numbering->again = more;
    }

    if (numbering->again) {
        s->number = 0;
        ngx_memory_barrier();
    }
}


/* 1 if "a" denies more than "b", longer, or is better protected */

static ngx_uint_t
ngx_agt_numbers_says_more(const ngx_agt_denial_t *a, const ngx_agt_denial_t *b,
    uint64_t same)
{
    return a->wall > b->wall
           || a->before > b->before
           || (ngx_agt_denial_kind(a) == NGX_AGT_DENIAL_SUBJECT
               && ngx_agt_denial_made(a) > ngx_agt_denial_made(b) + same)
           || (ngx_agt_denial_source(a) > ngx_agt_denial_source(b)
               && ngx_agt_denial_source(a) >= NGX_AGT_DENIED_UNTOLD);
}


void
ngx_agt_numbers_after_locked(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now,
    const ngx_agt_numbering_t *numbering)
{
    ngx_agt_denial_t  *s;

    if (!numbering->again) {
        return;
    }

    s = ngx_agt_denial_set_find(denials->set, add->key, now);

    if (s && s->number == 0) {
        ngx_agt_numbers_give(denials, s, numbering->number);
    }
}


void
ngx_agt_numbers_recover_locked(ngx_agt_denials_t *denials,
    const ngx_agt_clock_t *now)
{
    ngx_uint_t          i;
    ngx_agt_denial_t   *s;
    ngx_agt_numbers_t  *numbers;

    numbers = &denials->sh->numbers;

    if (!numbers->on) {
        return;
    }

    i = 0;

    while ((s = ngx_agt_denial_set_next(denials->set, &i, now)) != NULL) {
        if (s->number == 0
            && ngx_agt_denial_source(s) != NGX_AGT_ASKED_ABOUT)
        {
            ngx_agt_numbers_give(denials, s, 0);
        }
    }
}


uint64_t
ngx_agt_numbers_reserve(ngx_agt_denials_t *denials)
{
    uint64_t            number;
    ngx_agt_numbers_t  *numbers;

    numbers = &denials->sh->numbers;

    ngx_agt_denials_lock(denials);

    number = numbers->next;

    denials->places[number % numbers->nplaces] = 0;
    numbers->next++;

    ngx_agt_denials_unlock(denials);

    return number;
}


ngx_uint_t
ngx_agt_numbers_adopt(ngx_agt_denials_t *denials, uint64_t before,
    const ngx_agt_clock_t *now)
{
    ngx_uint_t         i, n;
    ngx_agt_denial_t  *s;

    ngx_agt_denials_lock(denials);

    i = 0;
    n = 0;

    while ((s = ngx_agt_denial_set_next(denials->set, &i, now)) != NULL) {
        if ((before == NGX_AGT_NUMBERS_ALL
             || ((s->number & NGX_AGT_NUMBER_OTHERS)
                 && s->number < (NGX_AGT_NUMBER_OTHERS | before)))
            && ngx_agt_denial_source(s) != NGX_AGT_ASKED_ABOUT)
        {
            ngx_agt_numbers_give(denials, s, 0);
            n++;
        }
    }

    ngx_agt_denials_unlock(denials);

    return n;
}


ngx_uint_t
ngx_agt_numbers_again(ngx_agt_denials_t *denials, const u_char *key,
    const ngx_agt_clock_t *now)
{
    ngx_agt_denial_t  *s;

    ngx_agt_denials_lock(denials);

    s = ngx_agt_denial_set_find(denials->set, key, now);

    if (s) {
        ngx_agt_numbers_give(denials, s, s->number);
    }

    ngx_agt_denials_unlock(denials);

    return s != NULL;
}


ngx_uint_t
ngx_agt_numbers_renew(ngx_agt_denials_t *denials, uint64_t below,
    const ngx_agt_clock_t *now)
{
    ngx_uint_t         i, n;
    ngx_agt_denial_t  *s;

    ngx_agt_denials_lock(denials);

    below = ngx_min(below, denials->sh->numbers.next);

    i = 0;
    n = 0;

    while ((s = ngx_agt_denial_set_next(denials->set, &i, now)) != NULL) {
        if (s->number && s->number < below) {
            ngx_agt_numbers_give(denials, s, 0);
            n++;
        }
    }

    ngx_agt_denials_unlock(denials);

    return n;
}


uint64_t
ngx_agt_numbers_of(ngx_agt_denials_t *denials, const u_char *key,
    const ngx_agt_clock_t *now)
{
    uint64_t           number;
    ngx_agt_denial_t  *s;

    ngx_agt_denials_lock(denials);

    s = ngx_agt_denial_set_find(denials->set, key, now);
    number = s ? s->number : 0;

    ngx_agt_denials_unlock(denials);

    return number;
}


uint64_t
ngx_agt_numbers_last(ngx_agt_denials_t *denials)
{
    return denials->sh->numbers.next - 1;
}


ngx_uint_t
ngx_agt_numbers_take(ngx_agt_denials_t *denials, uint64_t from,
    ngx_agt_numbered_t *numbered, ngx_uint_t n, const ngx_agt_clock_t *now)
{
    uint32_t            place;
    ngx_uint_t          i, at, old, moved;
    ngx_agt_denial_t   *s;
    ngx_agt_numbers_t  *numbers;

    numbers = &denials->sh->numbers;

    ngx_agt_denials_lock(denials);

    n = ngx_min(n, numbers->next - ngx_min(from, numbers->next));
    moved = (denials->set->moves != numbers->moves);
    old = 0;

    for (i = 0; i < n; i++) {
        numbered[i].number = from + i;

        place = denials->places[(from + i) % numbers->nplaces];
        s = (ngx_agt_denial_t *) denials->set + place;

        numbered[i].empty = (place == 0 || s->number != from + i
                             || !ngx_agt_denial_set_is_live(s, now));

        if (!numbered[i].empty) {
            numbered[i].denial = *s;

        } else if ((place != 0 && moved)
                   || from + i + numbers->nplaces < numbers->next)
        {
            old = 1;
        }
    }

    /* the places of these are not noted any more, or they were moved */

    at = 0;

    while (old
           && (s = ngx_agt_denial_set_next(denials->set, &at, now)) != NULL)
    {
        if (s->number >= from && s->number < from + n) {
            numbered[s->number - from].empty = 0;
            numbered[s->number - from].denial = *s;
        }

        if (s->number && !(s->number & NGX_AGT_NUMBER_OTHERS)
            && s->number + numbers->nplaces >= numbers->next)
        {
            ngx_agt_numbers_note(denials, s->number, s);
        }
    }

    if (old) {
        numbers->moves = denials->set->moves;
    }

    if (n) {
        numbers->handed = ngx_max(numbers->handed, from + n - 1);
    }

    ngx_agt_denials_unlock(denials);

    return n;
}


uint64_t
ngx_agt_numbers_first(ngx_agt_denials_t *denials, const ngx_agt_clock_t *now)
{
    uint64_t           first;
    ngx_uint_t         i;
    ngx_agt_denial_t  *s;

    ngx_agt_denials_lock(denials);

    first = denials->sh->numbers.next;
    i = 0;

    while ((s = ngx_agt_denial_set_next(denials->set, &i, now)) != NULL) {
        if (s->number && s->number < first) {
            first = s->number;
        }
    }

    ngx_agt_denials_unlock(denials);

    return first;
}


uint64_t
ngx_agt_numbers_recent(ngx_agt_denials_t *denials)
{
    uint64_t            now, number;
    ngx_agt_numbers_t  *numbers;

    numbers = &denials->sh->numbers;
    now = ngx_agt_clock_mono_now();

    ngx_agt_denials_lock(denials);

    if (now - numbers->latest >= NGX_AGT_NUMBERS_RECENT) {
        number = numbers->next;

    } else if (now - numbers->since[1].time >= NGX_AGT_NUMBERS_RECENT) {
        number = numbers->since[1].number;

    } else {
        number = numbers->since[0].number;
    }

    ngx_agt_denials_unlock(denials);

    return ngx_max(number, 1);
}


/*
 * An old number that was not handed out yet was told to no edge, so the denial
 * keeps it.
 */

static void
ngx_agt_numbers_give(ngx_agt_denials_t *denials, ngx_agt_denial_t *s,
    uint64_t old)
{
    uint64_t            now, number;
    ngx_agt_numbers_t  *numbers;

    numbers = &denials->sh->numbers;

    if (old > numbers->handed && !(old & NGX_AGT_NUMBER_OTHERS)) {
        s->number = old;
        return;
    }

    now = ngx_agt_clock_mono_now();

    if (numbers->since[1].number == 0
        || now - numbers->since[1].time >= NGX_AGT_NUMBERS_RECENT)
    {
        numbers->since[0] = numbers->since[1];
        numbers->since[1].time = now;
        numbers->since[1].number = numbers->next;
    }

    numbers->latest = now;

    /* a process that dies in between leaves a number without a denial */

    number = numbers->next;

    ngx_agt_numbers_note(denials, number, s);

    numbers->next++;
    ngx_memory_barrier();
    s->number = number;
}


/*
 * The place of a denial is looked up by its number, as long as it is recent; 0
 * is no place of a denial.
 */

static void
ngx_agt_numbers_note(ngx_agt_denials_t *denials, uint64_t number,
    const ngx_agt_denial_t *s)
{
    ngx_agt_numbers_t  *numbers;

    numbers = &denials->sh->numbers;

    denials->places[number % numbers->nplaces] = (uint32_t)
                                    (s - (ngx_agt_denial_t *) denials->set);
}
