
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/status.h"
#include "endpoint/revoke.h"
#include "request/headers.h"


/* entries that are looked at while a zone is locked once */
#define NGX_AGT_PURGE_STEP  256


typedef enum {
    NGX_AGT_STATUS_HTML = 0,
    NGX_AGT_STATUS_JSON,
    NGX_AGT_STATUS_PROMETHEUS
} ngx_agt_status_e;


static ngx_int_t ngx_agt_status_format(ngx_http_request_t *r,
    ngx_agt_status_e *format);
static ngx_uint_t ngx_agt_status_accepts(ngx_http_request_t *r,
    const char *type);
static ngx_int_t ngx_agt_status_gather(ngx_http_request_t *r,
    ngx_agt_status_t *status);
static void ngx_agt_status_zone(ngx_agt_zone_t *zone,
    ngx_agt_status_zone_t *out);
static void ngx_agt_status_denials(
    ngx_agt_denials_t *denials,
    ngx_agt_status_t *status);
static ngx_int_t ngx_agt_status_send(ngx_http_request_t *r,
    const ngx_agt_status_t *status, ngx_agt_status_e format);
static ngx_int_t ngx_agt_purge(ngx_http_request_t *r);
static void ngx_agt_purge_zone(ngx_agt_zone_t *zone,
    size_t offset, ngx_str_t *value);
static void ngx_agt_purge_all(ngx_agt_zone_t *zone);


ngx_int_t
ngx_agt_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_agt_status_t           status;
    ngx_agt_status_e           format;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (r->method == NGX_HTTP_DELETE && lcf->purge) {
        rc = ngx_http_discard_request_body(r);

        return (rc == NGX_OK) ? ngx_agt_purge(r) : rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_agt_not_allowed(r, lcf->purge
                                                 ? "GET, HEAD, DELETE"
                                                 : "GET, HEAD");
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_agt_status_format(r, &format);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_agt_status_gather(r, &status) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_agt_status_send(r, &status, format);
}


static ngx_int_t
ngx_agt_status_format(ngx_http_request_t *r, ngx_agt_status_e *format)
{
    ngx_str_t  value;

    *format = NGX_AGT_STATUS_HTML;

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK) {

        if (value.len == 4 && ngx_strncmp(value.data, "json", 4) == 0) {
            *format = NGX_AGT_STATUS_JSON;
            return NGX_OK;
        }

        if (value.len == 10 && ngx_strncmp(value.data, "prometheus", 10) == 0)
        {
            *format = NGX_AGT_STATUS_PROMETHEUS;
            return NGX_OK;
        }

        return (value.len == 4 && ngx_strncmp(value.data, "html", 4) == 0)
               ? NGX_OK : NGX_HTTP_BAD_REQUEST;
    }

    if (ngx_agt_status_accepts(r, "text/html")) {
        return NGX_OK;
    }

    if (ngx_agt_status_accepts(r, "application/json")) {
        *format = NGX_AGT_STATUS_JSON;

    } else if (ngx_agt_status_accepts(r,
                                              "application/openmetrics-text")
               || ngx_agt_status_accepts(r, "text/plain"))
    {
        *format = NGX_AGT_STATUS_PROMETHEUS;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_agt_status_accepts(ngx_http_request_t *r, const char *type)
{
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    for (h = ngx_agt_headers_first(&place, &r->headers_in.headers, "Accept");
         h;
         h = ngx_agt_headers_next(&place))
    {
        if (ngx_strlcasestrn(h->value.data, h->value.data + h->value.len,
                             (u_char *) type, ngx_strlen(type) - 1))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_agt_status_gather(ngx_http_request_t *r, ngx_agt_status_t *status)
{
    uint64_t                    now;
    ngx_uint_t                  i, j;
    ngx_shm_zone_t            **z;
    ngx_agt_zone_t             *first;
    ngx_agt_status_api_t       *api;
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);
    first = mcf->api.first;
    now = ngx_current_msec;

    ngx_memzero(status, sizeof(ngx_agt_status_t));

    status->apis = ngx_pcalloc(r->pool, (mcf->api.napis + 1)
                                 * sizeof(ngx_agt_status_api_t));
    status->zones = ngx_pcalloc(r->pool, mcf->zones.nelts
                                * sizeof(ngx_agt_status_zone_t));

    if (status->apis == NULL || status->zones == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_AGT_COUNTS; i++) {
        status->counts[i] = first->sh->counts[i];
    }

    ngx_agt_zone_lock(first);

    for (i = 0; i < mcf->api.napis; i++) {

        /* several settings of one API share its state */

        for (j = 0; j < i; j++) {
            if (mcf->api.apis[j]->state == mcf->api.apis[i]->state) {
                break;
            }
        }

        if (j < i) {
            continue;
        }

        api = &status->apis[status->napis++];

        api->url = mcf->api.apis[i]->url;
        api->state = first->sh->api[mcf->api.apis[i]->state];
        api->open = (api->state.open != 0);
    }

    ngx_agt_zone_unlock(first);

    status->flights = ngx_agt_flights(first, now);

    ngx_agt_status_denials(mcf->api.denials, status);

    z = mcf->zones.elts;

    for (i = 0; i < mcf->zones.nelts; i++) {
        ngx_agt_status_zone(z[i]->data, &status->zones[status->nzones++]);
    }

    return NGX_OK;
}


static void
ngx_agt_status_zone(ngx_agt_zone_t *zone, ngx_agt_status_zone_t *out)
{
    out->name = zone->shm_zone->shm.name;
    out->size = zone->shm_zone->shm.size;

    ngx_agt_zone_lock(zone);

    out->facts = zone->facts->used;
    out->facts_used = (uint64_t) zone->facts->units_used * NGX_AGT_TABLE_UNIT;
    out->facts_size = (uint64_t) zone->facts->units * NGX_AGT_TABLE_UNIT;
    out->invalid = zone->invalid->used;
    out->evictions = zone->facts->evictions;

    ngx_agt_zone_unlock(zone);
}


/* counting what is alive takes a while, so nothing is locked for it */

static void
ngx_agt_status_denials(ngx_agt_denials_t *denials, ngx_agt_status_t *status)
{
    ngx_uint_t         i;
    ngx_agt_clock_t    now;
    ngx_agt_denial_t  *s;

    ngx_agt_zone_now(&now);

    ngx_agt_denials_lock(denials);

    status->feed_state = denials->sh->feed;
    status->counts[NGX_AGT_COUNT_RECOVERED] +=
        denials->sh->recovered;

    ngx_agt_ledger_use(denials->ledger, &status->ledger);

    ngx_agt_denials_unlock(denials);

    status->feed = ngx_agt_denials_feed(denials, status->feed_state.api,
                                        now.mono);
    status->feed_incomplete = (status->feed != NGX_AGT_FEED_OFF
                               && ngx_agt_denials_incomplete(
                                                    denials, now.mono));
    status->feed_lag = status->feed_state.watermark
                       ? (int64_t) (now.mono - status->feed_state.watermark)
                       : -1;

    i = 0;

    for ( ;; ) {
        s = ngx_agt_denial_set_next(denials->set, &i, &now);

        if (s == NULL) {
            break;
        }

        status->tombstones += (ngx_agt_denial_source(s)
                               != NGX_AGT_ASKED_ABOUT);
    }

    for (i = 0;
         ngx_agt_denial_set_next(denials->unknown, &i, &now);
         /* void */ )
    {
        status->tombstones++;
    }

    status->tombstone_places =
        ngx_agt_denial_set_capacity(denials->set)
        + ngx_agt_denial_set_capacity(denials->unknown);
    status->tombstones_lost = denials->sh->lost;
}


static ngx_int_t
ngx_agt_status_send(ngx_http_request_t *r, const ngx_agt_status_t *status,
    ngx_agt_status_e format)
{
    size_t        size;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    static const ngx_str_t  name = ngx_string("Cache-Control");
    static const ngx_str_t  value = ngx_string("no-store");

    size = ngx_agt_status_len(status);

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* last: an error would be sent with what is in the list */

    if (ngx_agt_headers_set(r, NULL, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (format) {

    case NGX_AGT_STATUS_JSON:
        b->last = ngx_agt_status_json(b->pos, b->end, status);
        ngx_str_set(&r->headers_out.content_type, "application/json");
        break;

    case NGX_AGT_STATUS_PROMETHEUS:
        b->last = ngx_agt_status_prometheus(b->pos, b->end, status);
        ngx_str_set(&r->headers_out.content_type,
                    "text/plain; version=0.0.4; charset=utf-8");
        break;

    default:
        b->last = ngx_agt_status_html(b->pos, b->end, status);
        ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");
        break;
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* drops facts, so that the API is asked anew; never a denial */

static ngx_int_t
ngx_agt_purge(ngx_http_request_t *r)
{
    u_char                     *dst, *src;
    size_t                      offset;
    ngx_str_t                   value;
    ngx_uint_t                  i, n;
    ngx_shm_zone_t            **z;
    const ngx_agt_main_conf_t  *mcf;

    static const struct {
        ngx_str_t                          name;
        size_t                             offset;
    } args[] = {
        { ngx_string("jti"), offsetof(ngx_agt_facts_t, jti) },
        { ngx_string("session"),
          offsetof(ngx_agt_facts_t, session) },
        { ngx_string("sub"), offsetof(ngx_agt_facts_t, sub) },
        { ngx_string("all"), 0 }
    };

    n = sizeof(args) / sizeof(args[0]);

    for (i = 0; i < n; i++) {
        if (ngx_http_arg(r, args[i].name.data, args[i].name.len, &value)
            == NGX_OK)
        {
            break;
        }
    }

    if (i == n || value.len == 0
        || (i == n - 1 && !(value.len == 1 && value.data[0] == '1')))
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    offset = args[i].offset;

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
    n = i;

    for (i = 0; i < mcf->zones.nelts; i++) {
        if (n == sizeof(args) / sizeof(args[0]) - 1) {
            ngx_agt_purge_all(z[i]->data);

        } else {
            ngx_agt_purge_zone(z[i]->data, offset, &value);
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

    /* an answer that is under way must not bring back what is removed */

    ngx_agt_cache_purged(zone);

    for (place = 0; place < zone->facts->nslots; /* void */ ) {

        end = ngx_min(place + NGX_AGT_PURGE_STEP, zone->facts->nslots);

        ngx_agt_zone_lock(zone);
        ngx_agt_zone_begin_locked(zone);

        /*
         * On to the next empty place: entries never move before the place
         * that their key chooses, so what was not looked at here lies ahead,
         * whatever is removed between two steps.
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

                if (fact->len == value->len
                    && ngx_memcmp(fact->data, value->data, value->len) == 0)
                {
                    /* another one may move to this place */

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
