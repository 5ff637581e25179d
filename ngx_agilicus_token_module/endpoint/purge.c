
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/purge.h"
#include "token/text.h"


/* entries that are looked at while a zone is locked once */
#define NGX_AGT_PURGE_STEP  256

/* the argument that names all facts is the fourth one */
#define NGX_AGT_PURGE_ALL   3


static void ngx_agt_purge_zone(ngx_agt_zone_t *zone, size_t offset,
    ngx_str_t *value);
static void ngx_agt_purge_all(ngx_agt_zone_t *zone);


ngx_int_t
ngx_agt_purge(ngx_http_request_t *r)
{
    u_char                     *dst, *src;
    ngx_str_t                   value;
    ngx_uint_t                  i, arg;
    ngx_shm_zone_t            **z;
    const ngx_agt_main_conf_t  *mcf;

    static const struct {
        ngx_str_t  name;
        size_t     offset;
    } args[] = {
        { ngx_string("jti"), offsetof(ngx_agt_facts_t, jti) },
        { ngx_string("session"), offsetof(ngx_agt_facts_t, session) },
        { ngx_string("sub"), offsetof(ngx_agt_facts_t, sub) },
        { ngx_string("all"), 0 }
    };

    for (arg = 0; /* void */ ; arg++) {

        if (arg == sizeof(args) / sizeof(args[0])) {
            return NGX_HTTP_BAD_REQUEST;
        }

        if (ngx_http_arg(r, args[arg].name.data, args[arg].name.len, &value)
            == NGX_OK)
        {
            break;
        }
    }

    if (value.len == 0
        || (arg == NGX_AGT_PURGE_ALL
            && !(value.len == 1 && value.data[0] == '1')))
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    src = value.data;
    dst = ngx_pnalloc(r->pool, value.len);
    if (dst == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = dst;
    ngx_unescape_uri(&dst, &src, value.len, 0);
    value.len = dst - value.data;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);
    z = mcf->zones.elts;

    for (i = 0; i < mcf->zones.nelts; i++) {
        if (arg == NGX_AGT_PURGE_ALL) {
            ngx_agt_purge_all(z[i]->data);

        } else {
            ngx_agt_purge_zone(z[i]->data, args[arg].offset, &value);
        }
    }

    return NGX_HTTP_NO_CONTENT;
}


static void
ngx_agt_purge_zone(ngx_agt_zone_t *zone, size_t offset, ngx_str_t *value)
{
    uint32_t          place, end;
    ngx_str_t        *fact;
    ngx_agt_facts_t   facts;
    ngx_agt_entry_t  *e;

    /* the answer of a call that is under way must not store removed facts */

    ngx_agt_cache_purged(zone);

    for (place = 0; place < zone->facts->nslots; /* void */ ) {

        end = ngx_min(place + NGX_AGT_PURGE_STEP, zone->facts->nslots);

        ngx_agt_zone_lock(zone);
        ngx_agt_zone_begin_locked(zone);

        /*
         * A step ends at an empty place: entries never move before the place
         * that their key chooses, so the entries that this step has not looked
         * at lie ahead, whatever others remove between two steps.
         */

        while (place < zone->facts->nslots) {
            e = ngx_agt_table_slot(zone->facts, place);

            if (e == NULL && place >= end) {
                break;
            }

            if (e && ngx_agt_facts_open(&facts, e->data, e->facts_len)
                     == NGX_OK)
            {
                fact = (ngx_str_t *) ((u_char *) &facts + offset);

                if (ngx_agt_text_equal(fact, value)) {
                    /* another entry may have moved to this place */

                    ngx_agt_table_remove(zone->facts, e);
                    continue;
                }
            }

            place++;
        }

        ngx_agt_zone_end_locked(zone);
        ngx_agt_zone_unlock(zone);
    }
}


static void
ngx_agt_purge_all(ngx_agt_zone_t *zone)
{
    ngx_agt_cache_purged(zone);

    ngx_agt_zone_lock(zone);
    ngx_agt_zone_begin_locked(zone);

    ngx_agt_table_wipe(zone->facts);
    ngx_agt_table_wipe(zone->invalid);

    ngx_agt_zone_end_locked(zone);
    ngx_agt_zone_unlock(zone);
}
