
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/flight.h"
#include "zone/process.h"
#include "token/reason.h"


/* milliseconds for which followers can read the result of a call */
#define NGX_AGT_FLIGHT_LINGER  2000

#define NGX_AGT_FLIGHT_FREE    0
#define NGX_AGT_FLIGHT_ASKING  1
#define NGX_AGT_FLIGHT_ENDED   2


static ngx_agt_flight_mark_t *ngx_agt_flight_bucket(ngx_agt_zone_t *first,
    const u_char *identity, ngx_uint_t choice);
static ngx_agt_flight_mark_t *ngx_agt_flight_mark(ngx_agt_zone_t *first,
    const ngx_agt_flight_t *flight);
static ngx_uint_t ngx_agt_flight_is_gone(
    const ngx_agt_flight_mark_t *m, uint64_t now);


ngx_int_t
ngx_agt_flight_lead(ngx_agt_zone_t *first,
    const u_char *identity, uint64_t now, uint64_t deadline,
    ngx_uint_t worker, uint32_t cycle, ngx_agt_flight_t *flight)
{
    ngx_uint_t              choice, i;
    ngx_agt_flight_mark_t  *m, *vacant, *ended;

    vacant = NULL;
    ended = NULL;
    flight->id = 0;

    ngx_agt_zone_lock(first);

    for (choice = 0; choice < 2; choice++) {
        m = ngx_agt_flight_bucket(first, identity, choice);

        for (i = 0; i < NGX_AGT_FLIGHT_BUCKET; i++, m++) {

            if (m->state == NGX_AGT_FLIGHT_ASKING
                && ngx_memcmp(m->identity, identity, NGX_AGT_DIGEST_LEN)
                   == 0)
            {
                if (ngx_agt_flight_is_gone(m, now)) {
                    vacant = m;
                    goto lead;
                }

                if (m->cycle == cycle) {
                    m->wake |= (uint64_t) 1 << (worker % 64);
                }

                m->followers++;
                m->deadline = ngx_max(m->deadline, deadline);

                flight->place = m - first->flights;
                flight->id = m->id;

                ngx_agt_zone_unlock(first);

                return NGX_AGAIN;
            }

            if (vacant == NULL
                && (m->state == NGX_AGT_FLIGHT_FREE || m->deadline <= now))
            {
                vacant = m;
            }

            if (m->state == NGX_AGT_FLIGHT_ENDED
                && (ended == NULL || m->deadline < ended->deadline))
            {
                ended = m;
            }
        }
    }

    if (vacant == NULL) {

        /* workers that follow have most likely read that result by now */

        vacant = ended;
    }

    if (vacant == NULL) {
        ngx_agt_zone_unlock(first);
        return NGX_DECLINED;
    }

lead:

    /* free until it is whole: its writer may die */

    vacant->state = NGX_AGT_FLIGHT_FREE;
    ngx_memory_barrier();

    ngx_memcpy(vacant->identity, identity, NGX_AGT_DIGEST_LEN);
    vacant->id = ++first->sh->flight_id;
    vacant->deadline = deadline;
    vacant->wake = 0;
    vacant->followers = 0;
    vacant->left = 0;
    vacant->cycle = cycle;
    vacant->pid = (int32_t) ngx_pid;

    ngx_memory_barrier();
    vacant->state = NGX_AGT_FLIGHT_ASKING;

    flight->place = vacant - first->flights;
    flight->id = vacant->id;

    ngx_agt_zone_unlock(first);

    return NGX_OK;
}


uint64_t
ngx_agt_flight_end(ngx_agt_zone_t *first, const ngx_agt_flight_t *flight,
    const ngx_agt_flight_result_t *result, uint64_t now)
{
    uint64_t                wake;
    ngx_agt_flight_mark_t  *m;

    wake = 0;

    ngx_agt_zone_lock(first);

    m = ngx_agt_flight_mark(first, flight);

    /* it may have been taken over from a leader that was thought dead */

    if (m) {
        wake = m->wake;

        m->result = *result;
        m->deadline = now + NGX_AGT_FLIGHT_LINGER;

        /* if this process dies here, no worker reads an unwritten result */

        ngx_memory_barrier();

        m->state = result->class ? NGX_AGT_FLIGHT_ENDED : NGX_AGT_FLIGHT_FREE;
    }

    ngx_agt_zone_unlock(first);

    return wake;
}


ngx_int_t
ngx_agt_flight_look(ngx_agt_zone_t *first, const ngx_agt_flight_t *flight,
    uint64_t now, ngx_agt_flight_result_t *result)
{
    ngx_int_t               rc;
    ngx_agt_flight_mark_t  *m;

    rc = NGX_DECLINED;

    ngx_agt_zone_lock(first);

    m = ngx_agt_flight_mark(first, flight);

    if (m == NULL || m->state == NGX_AGT_FLIGHT_FREE) {
        goto done;
    }

    if (m->state == NGX_AGT_FLIGHT_ENDED) {
        *result = m->result;
        rc = NGX_OK;
        goto done;
    }

    if (!ngx_agt_flight_is_gone(m, now)) {
        rc = NGX_AGAIN;
    }

done:

    ngx_agt_zone_unlock(first);

    return rc;
}


ngx_uint_t
ngx_agt_flight_failed(ngx_agt_zone_t *first,
    const u_char *identity, uint64_t now, ngx_agt_flight_result_t *result)
{
    ngx_uint_t              choice, i, failed;
    ngx_agt_flight_mark_t  *m, *last;

    last = NULL;
    failed = 0;

    ngx_agt_zone_lock(first);

    for (choice = 0; choice < 2; choice++) {
        m = ngx_agt_flight_bucket(first, identity, choice);

        for (i = 0; i < NGX_AGT_FLIGHT_BUCKET; i++, m++) {

            if (m->state == NGX_AGT_FLIGHT_ENDED
                && ngx_memcmp(m->identity, identity, NGX_AGT_DIGEST_LEN) == 0
                && (last == NULL || m->deadline > last->deadline))
            {
                last = m;
            }
        }
    }

    if (last
        && (last->result.class == NGX_AGT_CLASS_INDETERMINATE
            || last->result.class == NGX_AGT_CLASS_REFUSED)
        && now < last->deadline - NGX_AGT_FLIGHT_LINGER + NGX_AGT_FLIGHT_PAUSE)
    {
        *result = last->result;
        failed = 1;
    }

    ngx_agt_zone_unlock(first);

    return failed;
}


void
ngx_agt_flight_extend(ngx_agt_zone_t *first, ngx_agt_flight_t *flight,
    uint64_t deadline)
{
    ngx_agt_flight_mark_t  *m;

    ngx_agt_zone_lock(first);

    m = ngx_agt_flight_mark(first, flight);

    if (m && m->state == NGX_AGT_FLIGHT_ASKING) {
        m->deadline = ngx_max(m->deadline, deadline);
    }

    if (m == NULL) {
        flight->id = 0;
    }

    ngx_agt_zone_unlock(first);
}


void
ngx_agt_flight_left(ngx_agt_zone_t *first, const ngx_agt_flight_t *flight)
{
    ngx_agt_flight_mark_t  *m;

    ngx_agt_zone_lock(first);

    m = ngx_agt_flight_mark(first, flight);

    if (m && m->state == NGX_AGT_FLIGHT_ASKING) {
        m->left = 1;

        if (m->followers == 0) {
            m->state = NGX_AGT_FLIGHT_FREE;
        }
    }

    ngx_agt_zone_unlock(first);
}


void
ngx_agt_flight_unfollow(ngx_agt_zone_t *first, const ngx_agt_flight_t *flight)
{
    ngx_agt_flight_mark_t  *m;

    ngx_agt_zone_lock(first);

    m = ngx_agt_flight_mark(first, flight);

    if (m && m->state == NGX_AGT_FLIGHT_ASKING && m->followers) {
        m->followers--;

        if (m->left && m->followers == 0) {
            m->state = NGX_AGT_FLIGHT_FREE;
        }
    }

    ngx_agt_zone_unlock(first);
}


ngx_uint_t
ngx_agt_flight_count(ngx_agt_zone_t *first, uint64_t now)
{
    ngx_uint_t  i, n;

    n = 0;

    ngx_agt_zone_lock(first);

    for (i = 0; i < first->sh->flights; i++) {
        if (first->flights[i].state == NGX_AGT_FLIGHT_ASKING
            && first->flights[i].deadline > now)
        {
            n++;
        }
    }

    ngx_agt_zone_unlock(first);

    return n;
}


static ngx_agt_flight_mark_t *
ngx_agt_flight_bucket(ngx_agt_zone_t *first,
    const u_char *identity, ngx_uint_t choice)
{
    uint64_t  n, buckets;

    /* clients may choose buckets, but not how many calls are sent at once */

    ngx_memcpy(&n, identity + choice * sizeof(uint64_t), sizeof(uint64_t));

    buckets = first->sh->flights / NGX_AGT_FLIGHT_BUCKET;

    return first->flights + n % buckets * NGX_AGT_FLIGHT_BUCKET;
}


static ngx_agt_flight_mark_t *
ngx_agt_flight_mark(ngx_agt_zone_t *first, const ngx_agt_flight_t *flight)
{
    ngx_agt_flight_mark_t  *m;

    if (flight->id == 0 || flight->place >= first->sh->flights) {
        return NULL;
    }

    m = &first->flights[flight->place];

    return m->id == flight->id ? m : NULL;
}


static ngx_uint_t
ngx_agt_flight_is_gone(const ngx_agt_flight_mark_t *m, uint64_t now)
{
    return m->deadline <= now || !ngx_agt_process_lives(m->pid);
}
