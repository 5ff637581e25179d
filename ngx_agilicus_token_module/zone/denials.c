
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/children.h"
#include "zone/clock.h"
#include "zone/feed_state.h"
#include "zone/numbers.h"
#include "token/time.h"

#include <openssl/rand.h>
#include <sys/mman.h>


/* shares of the memory: percent of all, and the divisor of the rest */
#define NGX_AGT_DENIALS_LEDGER   40
#define NGX_AGT_DENIALS_UNKNOWN  8
#define NGX_AGT_DENIALS_PLACES   64
#define NGX_AGT_DENIALS_COUNTS   32

/* of a look-up; these need no lock unless there is a change */
#define NGX_AGT_DENIALS_TRIES    4

/* stands in the key of a mark where a denial's key has its kind */
#define NGX_AGT_DENIALS_MARK                                                 \
    ((ngx_agt_denial_kind_e) NGX_AGT_DENIAL_KINDS)


/* a look-up of the denials of one token */

typedef struct {
    const ngx_agt_facts_t *facts;
    const ngx_agt_clock_t *now;
    uint64_t    asked;
    uint64_t    since;    /* the subject is denied; or 0 */

    ngx_uint_t  wanted;   /* a bit for each kind */
    u_char      keys[NGX_AGT_DENIAL_KINDS][NGX_AGT_DENIAL_KEY_LEN];

    ngx_agt_denial_t  found;
} ngx_agt_sought_t;


static ngx_int_t ngx_agt_denials_build(
    ngx_agt_denials_t *denials, ngx_log_t *log);
static void ngx_agt_denials_lay_out(ngx_agt_denials_sh_t *sh);
static void ngx_agt_denials_attach(ngx_agt_denials_t *denials);
static ngx_int_t ngx_agt_denials_add_one(ngx_agt_denials_t *denials,
    ngx_agt_denial_t *add, ngx_uint_t unknown, const ngx_agt_clock_t *now);
static ngx_agt_reason_e ngx_agt_denials_look(ngx_agt_denials_t *denials,
    ngx_agt_sought_t *sought);
static ngx_agt_reason_e ngx_agt_denials_search(ngx_agt_denials_t *denials,
    ngx_agt_sought_t *sought);
static ngx_uint_t ngx_agt_denials_marked(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *token, uint64_t since,
    const ngx_agt_clock_t *now);


ngx_int_t
ngx_agt_denials_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_agt_denials_t *old = data;

    ngx_agt_denials_t  *denials;

    denials = shm_zone->data;

    denials->shm_zone = shm_zone;
    denials->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    /* old workers use this memory: this process must not change it */

    if (old || shm_zone->shm.exists) {
        denials->sh = old ? old->sh : denials->shpool->data;

        if (denials->sh->version != NGX_AGT_DENIALS_VERSION) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "agilicus token: the memory of denials was made by "
                          "another version of the module, restart nginx");
            return NGX_ERROR;
        }

        ngx_agt_denials_attach(denials);

        return NGX_OK;
    }

#ifdef MADV_DONTDUMP

    /* data about people does not belong in a core */

    (void) madvise(shm_zone->shm.addr, shm_zone->shm.size, MADV_DONTDUMP);

#endif

    return ngx_agt_denials_build(denials, shm_zone->shm.log);
}


static ngx_int_t
ngx_agt_denials_build(ngx_agt_denials_t *denials, ngx_log_t *log)
{
    size_t                 size;
    ngx_slab_pool_t       *shpool;
    ngx_agt_denials_sh_t  *sh;

    shpool = denials->shpool;

    /* takes all memory that the slab has; nothing is taken from it later */

    shpool->log_nomem = 0;

    size = shpool->pfree * ngx_pagesize;

    sh = ngx_slab_alloc(shpool, size);

    if (sh == NULL || size < sizeof(ngx_agt_denials_sh_t) + 2 * ngx_pagesize) {
        goto too_small;
    }

    ngx_memzero(sh, size);

    if (RAND_bytes((u_char *) sh->hash_key, sizeof(sh->hash_key)) != 1
        || RAND_bytes(sh->fleet.writer, NGX_AGT_NUMBERS_WRITER_LEN) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "agilicus token: RAND_bytes() failed");
        return NGX_ERROR;
    }

    sh->version = NGX_AGT_DENIALS_VERSION;
    sh->numbers.next = 1;
    sh->fleet.until = NGX_AGT_FLEET_ALWAYS;
    sh->size = size;

    ngx_agt_denials_lay_out(sh);

    denials->sh = sh;
    ngx_agt_denials_attach(denials);

    if (ngx_agt_ledger_init(denials->ledger, sh->ledger_size)
            == NULL
        || ngx_agt_denial_set_init(denials->unknown,
                              sh->set_offset - sh->unknown_offset,
                              sh->hash_key)
            == NULL
        || ngx_agt_denial_set_init(denials->set,
                                   size - sh->set_offset,
                                   sh->hash_key)
            == NULL)
    {
        goto too_small;
    }

    shpool->data = sh;

    return NGX_OK;

too_small:

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "agilicus token: the memory of denials is too small");

    return NGX_ERROR;
}


/* sets the offsets of the head */

static void
ngx_agt_denials_lay_out(ngx_agt_denials_sh_t *sh)
{
    size_t  at, part;

    at = ngx_align(sizeof(ngx_agt_denials_sh_t), 64);

    sh->places_offset = at;
    sh->numbers.nplaces = (uint32_t) ((sh->size / NGX_AGT_DENIALS_PLACES
                                       & ~(size_t) 0x3f)
                                      / sizeof(uint32_t));
    at += sh->numbers.nplaces * sizeof(uint32_t);

    sh->counts_offset = at;
    sh->counts_size = sh->size / NGX_AGT_DENIALS_COUNTS & ~(size_t) 0x3f;
    at += sh->counts_size;

    sh->ledger_offset = at;
    sh->ledger_size = (sh->size - at) / 100
                      * NGX_AGT_DENIALS_LEDGER & ~(size_t) 0x3f;

    at += sh->ledger_size;
    sh->unknown_offset = at;

    part = (sh->size - at) / NGX_AGT_DENIALS_UNKNOWN
           & ~(size_t) 0x3f;

    at += ngx_max(part, NGX_AGT_DENIAL_SET_MIN);
    sh->set_offset = at;
}


static void
ngx_agt_denials_attach(ngx_agt_denials_t *denials)
{
    u_char                *p;
    ngx_agt_denials_sh_t  *sh;

    sh = denials->sh;
    p = (u_char *) sh;

    denials->places = (uint32_t *) (p + sh->places_offset);
    denials->counts = p + sh->counts_offset;
    denials->ledger = (ngx_agt_ledger_t *) (p + sh->ledger_offset);
    denials->unknown = (ngx_agt_denial_set_t *) (p + sh->unknown_offset);
    denials->set = (ngx_agt_denial_set_t *) (p + sh->set_offset);
}


void
ngx_agt_denials_lock(ngx_agt_denials_t *denials)
{
    ngx_agt_clock_t  now;

    ngx_shmtx_lock(&denials->shpool->mutex);

    if (denials->sh->changes & 1) {

        /*
         * The process that changed the denials last has died; the denial that
         * it added may stand without having been counted.
         */

        denials->sh->generation++;
        denials->sh->recovered++;

        if (denials->sh->numbers.on) {
            ngx_agt_clock_now(&now);
            ngx_agt_numbers_recover_locked(denials, &now);
        }

        ngx_memory_barrier();
        denials->sh->changes++;
    }
}


void
ngx_agt_denials_unlock(ngx_agt_denials_t *denials)
{
    ngx_shmtx_unlock(&denials->shpool->mutex);
}


ngx_atomic_uint_t
ngx_agt_denials_generation(ngx_agt_denials_t *denials)
{
    ngx_atomic_uint_t  generation;

    generation = denials->sh->generation;
    ngx_memory_barrier();

    return generation;
}


ngx_agt_reason_e
ngx_agt_denials_check(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *token,
    const ngx_agt_facts_t *facts, uint64_t asked, const ngx_agt_clock_t *now)
{
    ngx_agt_reason_e  reason;
    ngx_agt_sought_t  sought;

    /* a fact that cannot be looked up may be denied */

    if (token == NULL
        || ngx_agt_denials_keys(sought.keys, &sought.wanted, api, token, facts)
           != NGX_OK)
    {
        return NGX_AGT_REASON_REVOKED;
    }

    sought.facts = facts;
    sought.asked = asked;
    sought.now = now;

    reason = ngx_agt_denials_look(denials, &sought);

    if (reason == NGX_AGT_REASON_NONE && sought.since
        && ngx_agt_denials_marked(denials, api, token, sought.since, now))
    {
        return NGX_AGT_REASON_SUBJECT;
    }

    return reason;
}


static ngx_agt_reason_e
ngx_agt_denials_look(ngx_agt_denials_t *denials, ngx_agt_sought_t *sought)
{
    ngx_uint_t         try;
    ngx_atomic_uint_t  changes;
    ngx_agt_reason_e   reason;

    for (try = 0; try < NGX_AGT_DENIALS_TRIES; try++) {

        changes = denials->sh->changes;
        ngx_memory_barrier();

        if (changes & 1) {
            break;
        }

        reason = ngx_agt_denials_search(denials, sought);

        ngx_memory_barrier();

        if (denials->sh->changes == changes) {
            return reason;
        }
    }

    ngx_agt_denials_lock(denials);
    reason = ngx_agt_denials_search(denials, sought);
    ngx_agt_denials_unlock(denials);

    return reason;
}


/* 1 if the token was asked about before its subject was denied */

static ngx_uint_t
ngx_agt_denials_marked(ngx_agt_denials_t *denials, const u_char *api,
    const u_char *token, uint64_t since, const ngx_agt_clock_t *now)
{
    u_char             key[NGX_AGT_DENIAL_KEY_LEN];
    ngx_uint_t         marked;
    ngx_agt_denial_t  *s;

    if (ngx_agt_denials_token_key(key, api, NGX_AGT_DENIALS_MARK, token)
        != NGX_OK)
    {
        return 1;
    }

    ngx_agt_denials_lock(denials);

    s = ngx_agt_denial_set_find(denials->set, key, now);
    marked = (s && ngx_agt_denial_made(s) <= since);

    ngx_agt_denials_unlock(denials);

    return marked;
}


ngx_int_t
ngx_agt_denials_find(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *token, const ngx_agt_facts_t *facts,
    uint64_t asked, const ngx_agt_clock_t *now, ngx_agt_denial_t *denial)
{
    ngx_agt_sought_t  sought;

    if (token == NULL
        || ngx_agt_denials_keys(sought.keys, &sought.wanted, api, token, facts)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    sought.facts = facts;
    sought.asked = asked;
    sought.now = now;

    if (ngx_agt_denials_look(denials, &sought) == NGX_AGT_REASON_NONE) {
        return NGX_DECLINED;
    }

    *denial = sought.found;

    return NGX_OK;
}


static ngx_agt_reason_e
ngx_agt_denials_search(ngx_agt_denials_t *denials, ngx_agt_sought_t *sought)
{
    ngx_uint_t         kind;
    ngx_agt_denial_t  *s;

    static const ngx_agt_reason_e
        reasons[NGX_AGT_DENIAL_KINDS] = {
        NGX_AGT_REASON_REVOKED,
        NGX_AGT_REASON_JTI,
        NGX_AGT_REASON_SESSION,
        NGX_AGT_REASON_SUBJECT
    };

    sought->since = 0;

    for (kind = 0; kind < NGX_AGT_DENIAL_KINDS; kind++) {

        if (!(sought->wanted & (ngx_uint_t) 1 << kind)) {
            continue;
        }

        s = ngx_agt_denial_set_find(denials->set, sought->keys[kind],
                                    sought->now);

        if (s == NULL && kind == NGX_AGT_DENIAL_TOKEN) {
            s = ngx_agt_denial_set_find(denials->unknown, sought->keys[kind],
                                        sought->now);
        }

        if (s == NULL) {
            continue;
        }

        if (kind == NGX_AGT_DENIAL_SUBJECT
            && sought->facts->has_iat && sought->facts->iat > s->before
            && sought->asked > ngx_agt_denial_made(s))
        {
            sought->since = ngx_agt_denial_made(s);
            continue;
        }

        sought->found = *s;

        return reasons[kind];
    }

    return NGX_AGT_REASON_NONE;
}


ngx_int_t
ngx_agt_denials_add(ngx_agt_denials_t *denials,
    const ngx_agt_denial_args_t *args, const ngx_agt_clock_t *now)
{
    ngx_agt_denial_t  add;

    if (ngx_agt_denials_key(add.key, args->api, args->kind, &args->value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    add.wall = args->until;
    add.mono = ngx_agt_denial_until(args->until, now);
    add.before = args->before;
    add.mark = ngx_agt_denial_mark(0, args->source, args->kind);
    add.number = 0;

    return ngx_agt_denials_add_one(denials, &add, args->unknown, now);
}


ngx_int_t
ngx_agt_denials_learn(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *denial, const ngx_agt_clock_t *now)
{
    ngx_agt_denial_t  add;

    add = *denial;
    add.mono = ngx_agt_denial_until(denial->wall, now);
    add.number = NGX_AGT_NUMBER_OTHERS | ngx_agt_clock_mono_now();

    return ngx_agt_denials_add_one(denials, &add, 0, now);
}


/* a denial whose mark has no time counts as made now */

static ngx_int_t
ngx_agt_denials_add_one(ngx_agt_denials_t *denials, ngx_agt_denial_t *add,
    ngx_uint_t unknown, const ngx_agt_clock_t *now)
{
    uint64_t    made;
    ngx_int_t   rc;
    ngx_uint_t  line, compared;

    ngx_agt_denials_lock(denials);

    /* tokens that any worker has asked about until now are older than it */

    if (ngx_agt_denial_made(add) == 0) {
        made = ngx_max(ngx_agt_clock_mono_now(), now->mono);
        add->mark |= ngx_agt_denial_mark(made, 0, 0);
    }

    compared = (denials->ledger->compared == denials->sh->generation);

    rc = ngx_agt_denials_put_locked(denials, add, unknown, now);

    /* its children are denied before the mutex is given back */

    if (rc != NGX_DECLINED && rc != NGX_ERROR
        && ngx_agt_children_denied_locked(denials, add, now)
           != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    if (compared) {
        denials->ledger->compared = denials->sh->generation;
    }

    ngx_agt_denials_unlock(denials);

    line = (rc == NGX_BUSY) ? NGX_AGT_DENIALS_LINE_LOST
                            : NGX_AGT_DENIALS_LINE_FULL;

    if ((rc == NGX_BUSY || rc == NGX_ERROR)
        && ngx_agt_clock_once(&denials->sh->said[line], now->wall, 1))
    {
        ngx_log_error((rc == NGX_BUSY ? NGX_LOG_WARN : NGX_LOG_ERR),
                      denials->shm_zone->shm.log, 0,
                      "agilicus token: no room for all denials, make "
                      "\"agilicus_token_denials\" larger");
    }

    return rc;
}


ngx_int_t
ngx_agt_denials_put_locked(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *denial, ngx_uint_t unknown,
    const ngx_agt_clock_t *now)
{
    uint64_t               gone;
    ngx_int_t              rc;
    ngx_uint_t             numbered;
    ngx_agt_numbering_t    numbering;
    ngx_agt_denials_sh_t  *sh;

    sh = denials->sh;
    numbered = (sh->numbers.on && !unknown);

    /* look-ups would never see a denial that was added without this count */

    sh->changes++;
    ngx_memory_barrier();

    if (numbered) {
        ngx_agt_numbers_before_locked(denials, denial, now, &numbering);
    }

    rc = ngx_agt_denial_set_add(unknown
                                ? denials->unknown
                                : denials->set,
                                denial, now, &gone);

    if (numbered) {
        ngx_agt_numbers_after_locked(denials, denial, now, &numbering);
    }

    if (rc == NGX_BUSY && unknown) {

        /* the API tells of the replaced denial again in a later answer */

        rc = NGX_OK;
    }

    if (rc == NGX_BUSY
        || (rc == NGX_ERROR
            && ngx_agt_denial_source(denial)
               < NGX_AGT_DENIED_UNTOLD))
    {
        sh->incomplete = ngx_max(sh->incomplete, gone);
        sh->lost++;
    }

    if (rc != NGX_DECLINED) {
        ngx_memory_barrier();
        sh->generation++;
    }

    ngx_memory_barrier();
    sh->changes++;

    return rc;
}


void
ngx_agt_denials_extend_locked(ngx_agt_denials_t *denials, int64_t seconds,
    const ngx_agt_clock_t *now)
{
    ngx_uint_t             i, k;
    ngx_agt_denial_t      *s;
    ngx_agt_denial_set_t  *sets[2];

    sets[0] = denials->set;
    sets[1] = denials->unknown;

    for (k = 0; k < 2; k++) {
        i = 0;

        while ((s = ngx_agt_denial_set_next(sets[k], &i, now)) != NULL) {
            s->wall = ngx_agt_time_add(s->wall, seconds);
            s->mono += (uint64_t) seconds * 1000;
        }
    }
}


ngx_uint_t
ngx_agt_denials_find_locked(ngx_agt_denials_t *denials,
    const u_char *key, const ngx_agt_clock_t *now)
{
    return ngx_agt_denial_set_find(denials->set, key, now)
           || ngx_agt_denial_set_find(denials->unknown, key, now);
}


ngx_uint_t
ngx_agt_denials_parent_locked(ngx_agt_denials_t *denials,
    const ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now)
{
    ngx_agt_facts_t   facts;
    ngx_agt_sought_t  sought;

    ngx_memzero(&facts, sizeof(ngx_agt_facts_t));

    facts.has_iat = (record->flags & NGX_AGT_LEDGER_HAS_IAT) != 0;
    facts.iat = record->iat;

    sought.facts = &facts;
    sought.asked = record->asked;
    sought.now = now;

    sought.wanted = record->flags / NGX_AGT_LEDGER_HAS_PARENT(0);

    ngx_memcpy(sought.keys, record->parent, sizeof(sought.keys));

    return ngx_agt_denials_search(denials, &sought) != NGX_AGT_REASON_NONE
           || ((record->flags & NGX_AGT_LEDGER_HAS_RAW)
               && ngx_agt_denials_find_locked(denials, record->raw, now));
}


void
ngx_agt_denials_asked(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *token, uint64_t asked, int64_t until,
    const ngx_agt_clock_t *now)
{
    uint64_t          gone;
    ngx_agt_denial_t  add;

    if (ngx_agt_denials_token_key(add.key, api, NGX_AGT_DENIALS_MARK, token)
        != NGX_OK)
    {
        return;
    }

    add.mark = ngx_agt_denial_mark(asked, NGX_AGT_ASKED_ABOUT,
                                          NGX_AGT_DENIALS_MARK);
    add.wall = until;
    add.mono = ngx_agt_denial_until(until, now);
    add.before = 0;
    add.number = NGX_AGT_NUMBER_OTHERS;

    ngx_agt_denials_lock(denials);

    /* a mark denies nothing by itself, but a denial may be moved for it */

    denials->sh->changes++;
    ngx_memory_barrier();

    (void) ngx_agt_denial_set_add(denials->set, &add, now, &gone);

    ngx_memory_barrier();
    denials->sh->changes++;

    ngx_agt_denials_unlock(denials);
}


void
ngx_agt_denials_told(ngx_agt_denials_t *denials,
    const ngx_agt_denial_args_t *args, const ngx_agt_clock_t *now)
{
    u_char  key[NGX_AGT_DENIAL_KEY_LEN];

    if (ngx_agt_denials_key(key, args->api, args->kind, &args->value)
        != NGX_OK)
    {
        return;
    }

    /* one store of a value that readers ignore: this is no change */

    ngx_agt_denials_lock(denials);
    ngx_agt_denial_set_told(denials->set, key, now);
    ngx_agt_denials_unlock(denials);
}


ngx_int_t
ngx_agt_denials_token(u_char *out, const ngx_str_t *token,
    const u_char *digest)
{
    ngx_str_t  part;

    part = *token;

    while (part.len && part.data[part.len - 1] == '=') {
        part.len--;
    }

    if (part.len == token->len) {
        ngx_memcpy(out, digest, NGX_AGT_DIGEST_LEN);
        return NGX_OK;
    }

    return ngx_agt_digest(out, &part, 1);
}


/*
 * SHA-256 over the kind, the digest of the API's URL and the value: the first
 * two have one length, so no two denials share a key by accident.
 */

ngx_int_t
ngx_agt_denials_key(u_char *out, const u_char *api,
    ngx_agt_denial_kind_e kind, const ngx_str_t *value)
{
    u_char     k;
    ngx_str_t  parts[3];

    k = (u_char) kind;

    parts[0].data = &k;
    parts[0].len = 1;
    parts[1].data = (u_char *) api;
    parts[1].len = NGX_AGT_DIGEST_LEN;
    parts[2] = *value;

    return ngx_agt_digest(out, parts, 3);
}


ngx_int_t
ngx_agt_denials_token_key(u_char *out, const u_char *api,
    ngx_agt_denial_kind_e kind, const u_char *token)
{
    ngx_str_t  value;

    value.data = (u_char *) token;
    value.len = NGX_AGT_DIGEST_LEN;

    return ngx_agt_denials_key(out, api, kind, &value);
}


ngx_int_t
ngx_agt_denials_keys(u_char keys[][NGX_AGT_DENIAL_KEY_LEN], ngx_uint_t *kinds,
    const u_char *api, const u_char *token, const ngx_agt_facts_t *facts)
{
    ngx_uint_t        kind;
    const ngx_str_t  *value;

    *kinds = 1 << NGX_AGT_DENIAL_TOKEN;

    if (ngx_agt_denials_token_key(keys[NGX_AGT_DENIAL_TOKEN], api,
                                  NGX_AGT_DENIAL_TOKEN, token)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (kind = NGX_AGT_DENIAL_JTI; facts && kind < NGX_AGT_DENIAL_KINDS;
         kind++)
    {
        value = (kind == NGX_AGT_DENIAL_JTI) ? &facts->jti
                : (kind == NGX_AGT_DENIAL_SESSION) ? &facts->session
                : &facts->sub;

        if (value->len == 0) {
            continue;
        }

        if (ngx_agt_denials_key(keys[kind], api, kind, value) != NGX_OK) {
            return NGX_ERROR;
        }

        *kinds |= (ngx_uint_t) 1 << kind;
    }

    return NGX_OK;
}


ngx_agt_feed_e
ngx_agt_denials_feed(ngx_agt_denials_t *denials,
    const u_char *api, uint64_t now)
{
    uint64_t               answered, age, healthy;
    ngx_agt_feed_state_t  *feed;

    feed = &denials->sh->feed;

    if (feed->interval == 0) {
        return NGX_AGT_FEED_OFF;
    }

    if (ngx_memcmp(feed->api, api, NGX_AGT_DIGEST_LEN) != 0) {
        return NGX_AGT_FEED_DEAD;
    }

    healthy = ngx_agt_feed_state_healthy(feed);

    /* whatever the polls have told, a feed is healthy only while they go on */

    answered = ngx_max(feed->answered, feed->watermark);

    if (answered) {
        age = now > answered ? now - answered : 0;

        if (age > healthy) {
            healthy += NGX_AGT_FEED_GRACE;

            return (age <= healthy
                    || !ngx_agt_feed_state_alone(denials, healthy, now))
                   ? NGX_AGT_FEED_LATE
                   : NGX_AGT_FEED_DEAD;
        }
    }

    if (ngx_agt_denials_incomplete(denials, now)) {
        return NGX_AGT_FEED_INCOMPLETE;
    }

    if (feed->watermark == 0) {
        return NGX_AGT_FEED_INIT;
    }

    age = now > feed->watermark ? now - feed->watermark : 0;

    /*
     * What the poll has denied must stand until the next one denies it again.
     * What a worker has written that was of a fleet before does not count.
     */

    return (age <= ngx_min(healthy, feed->lasts)
            && (!denials->sh->fleet.on || now <= denials->sh->fleet.until))
           ? NGX_AGT_FEED_HEALTHY : NGX_AGT_FEED_LATE;
}


ngx_uint_t
ngx_agt_denials_incomplete(ngx_agt_denials_t *denials, uint64_t now)
{
    return denials->sh->feed.truncated || denials->sh->incomplete > now;
}
