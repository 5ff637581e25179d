
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/status.h"
#include "endpoint/dashboard.h"
#include "endpoint/figures.h"
#include "endpoint/purge.h"
#include "endpoint/reply.h"
#include "request/headers.h"
#include "api/credential.h"
#include "token/text.h"
#include "zone/feed_state.h"
#include "zone/numbers.h"


typedef struct {
    ngx_str_t     name;       /* of the argument "format" */
    const char   *accept;     /* in the header "Accept" */
    const char   *type;
    u_char     *(*write)(u_char *p, u_char *last,
                     const ngx_agt_figures_t *figures);
} ngx_agt_status_format_t;


static const ngx_agt_status_format_t *ngx_agt_status_format(
    ngx_http_request_t *r);
static ngx_uint_t ngx_agt_status_accepts(ngx_http_request_t *r,
    const char *type);
static ngx_int_t ngx_agt_status_gather(ngx_http_request_t *r,
    ngx_agt_figures_t *figures, ngx_uint_t html);
static ngx_int_t ngx_agt_status_api(ngx_agt_figures_t *figures,
    const ngx_agt_api_conf_t *conf, const ngx_agt_api_t *api, ngx_uint_t html);
static ngx_int_t ngx_agt_status_zone(ngx_agt_figures_t *figures,
    ngx_agt_zone_t *zone, ngx_uint_t html);
static void ngx_agt_status_keys(ngx_agt_figures_t *figures,
    ngx_agt_zone_t *first);
static ngx_int_t ngx_agt_status_escape(ngx_pool_t *pool, ngx_str_t *out,
    const ngx_str_t *name, ngx_uint_t html);
static void ngx_agt_status_denials(ngx_agt_figures_t *figures,
    ngx_agt_denials_t *denials);


/* the first format is that of a request that asks for none */

static const ngx_agt_status_format_t  ngx_agt_status_formats[] = {

    { ngx_string("html"), "text/html",
      "text/html; charset=utf-8", ngx_agt_dashboard_write },

    { ngx_string("json"), "application/json",
      "application/json", ngx_agt_figures_json },

    { ngx_string("prometheus"), "application/openmetrics-text",
      "text/plain; version=0.0.4; charset=utf-8", ngx_agt_figures_prometheus },

    { ngx_null_string, "text/plain",
      "text/plain; version=0.0.4; charset=utf-8", ngx_agt_figures_prometheus },

    { ngx_null_string, NULL, NULL, NULL }
};


ngx_int_t
ngx_agt_status_handler(ngx_http_request_t *r)
{
    size_t                          len, row;
    ngx_int_t                       rc;
    ngx_buf_t                      *b;
    ngx_uint_t                      html;
    ngx_agt_figures_t               figures;
    const ngx_agt_loc_conf_t       *lcf;
    const ngx_agt_status_format_t  *format;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        && !(r->method == NGX_HTTP_DELETE && lcf->purge))
    {
        return ngx_agt_reply_not_allowed(r, lcf->purge ? "GET, HEAD, DELETE"
                                                       : "GET, HEAD");
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (r->method == NGX_HTTP_DELETE) {
        return ngx_agt_purge(r);
    }

    format = ngx_agt_status_format(r);

    if (format == NULL) {
        return NGX_HTTP_BAD_REQUEST;
    }

    html = (format == ngx_agt_status_formats);
    len = 0;
    row = 0;

    if (html) {
        len = ngx_agt_dashboard_len(&row);

        if (ngx_agt_dashboard_policy(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_agt_status_gather(r, &figures, html) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b = ngx_create_temp_buf(r->pool, len + ngx_agt_figures_len(&figures, row));
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = format->write(b->pos, b->end, &figures);

    return ngx_agt_reply_send(r, format->type, b);
}


/* NULL if the argument "format" names none */

static const ngx_agt_status_format_t *
ngx_agt_status_format(ngx_http_request_t *r)
{
    ngx_str_t                       value;
    const ngx_agt_status_format_t  *f;

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK) {

        for (f = ngx_agt_status_formats; f->name.len; f++) {
            if (ngx_agt_text_equal(&value, &f->name)) {
                return f;
            }
        }

        return NULL;
    }

    for (f = ngx_agt_status_formats; f->accept; f++) {
        if (ngx_agt_status_accepts(r, f->accept)) {
            return f;
        }
    }

    return ngx_agt_status_formats;
}


static ngx_uint_t
ngx_agt_status_accepts(ngx_http_request_t *r, const char *type)
{
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    ngx_agt_headers_begin(&place, &r->headers_in.headers, "Accept");

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        if (ngx_strlcasestrn(h->value.data, h->value.data + h->value.len,
                             (u_char *) type, ngx_strlen(type) - 1))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_agt_status_gather(ngx_http_request_t *r, ngx_agt_figures_t *figures,
    ngx_uint_t html)
{
    uint64_t                    hits, all;
    ngx_uint_t                  i, j;
    ngx_shm_zone_t            **z;
    ngx_agt_zone_t             *first;
    const ngx_core_conf_t      *ccf;
    const ngx_agt_main_conf_t  *mcf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);
    first = mcf->api.first;

    ngx_memzero(figures, sizeof(ngx_agt_figures_t));

    if (ngx_array_init(&figures->apis, r->pool, mcf->api.napis + 1,
                       sizeof(ngx_agt_figures_api_t))
        != NGX_OK
        || ngx_array_init(&figures->zones, r->pool, mcf->zones.nelts,
                          sizeof(ngx_agt_figures_zone_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    figures->schema = NGX_AGT_FIGURES_SCHEMA;
    figures->build = 1;
    figures->time = (uint64_t) ngx_time() * 1000 + ngx_cached_time->msec;

    ngx_str_set(&figures->version, NGX_AGT_VERSION);
    ngx_str_set(&figures->nginx, NGINX_VERSION);

    for (i = 0; i < NGX_AGT_COUNTS; i++) {
        figures->counts[i] = first->sh->counts[i];
    }

    for (i = 0; i < NGX_AGT_VERDICT_LAST; i++) {
        for (j = 0; j < NGX_AGT_REASON_LAST; j++) {
            figures->decisions[i][j] = first->sh->decisions[i][j];
        }
    }

    hits = figures->counts[NGX_AGT_COUNT_HIT]
           + figures->counts[NGX_AGT_COUNT_UPDATING];

    all = hits + figures->counts[NGX_AGT_COUNT_MISS]
          + figures->counts[NGX_AGT_COUNT_JOINED]
          + figures->counts[NGX_AGT_COUNT_STALE]
          + figures->counts[NGX_AGT_COUNT_BYPASS];

    figures->hit_ratio = all ? hits * 1000 / all : 0;
    figures->in_flight = ngx_agt_flight_count(first, ngx_current_msec);
    figures->max_in_flight = mcf->api.max_inflight * ccf->worker_processes;

    ngx_agt_status_denials(figures, mcf->api.denials);
    ngx_agt_status_keys(figures, first);

    for (i = 0; i < mcf->api.napis; i++) {

        /* several settings of one API share its state */

        for (j = 0; j < i; j++) {
            if (mcf->api.apis[j]->state == mcf->api.apis[i]->state) {
                break;
            }
        }

        if (j == i
            && ngx_agt_status_api(figures, &mcf->api, mcf->api.apis[i], html)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    z = mcf->zones.elts;

    for (i = 0; i < mcf->zones.nelts; i++) {
        if (ngx_agt_status_zone(figures, z[i]->data, html) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_status_api(ngx_agt_figures_t *figures,
    const ngx_agt_api_conf_t *conf, const ngx_agt_api_t *api, ngx_uint_t html)
{
    ngx_uint_t              i;
    ngx_agt_zone_t         *first;
    ngx_agt_figures_api_t  *out;

    out = ngx_array_push(&figures->apis);
    if (out == NULL) {
        return NGX_ERROR;
    }

    first = conf->first;

    ngx_agt_zone_lock(first);
    out->state = first->sh->api[api->state];
    ngx_agt_zone_unlock(first);

    out->credential_expiry = ngx_agt_credential_first(conf, api->state);

    if (out->credential_expiry != -1) {
        out->credential_expiry *= 1000;
    }

    for (i = 0; i < NGX_AGT_OPERATION_LAST; i++) {
        ngx_agt_calls_get(first, api->state, i, &out->calls[i]);
    }

    return ngx_agt_status_escape(figures->apis.pool, &out->name, &api->url,
                                 html);
}


static ngx_int_t
ngx_agt_status_zone(ngx_agt_figures_t *figures, ngx_agt_zone_t *zone,
    ngx_uint_t html)
{
    ngx_agt_figures_zone_t  *out;

    out = ngx_array_push(&figures->zones);
    if (out == NULL) {
        return NGX_ERROR;
    }

    out->size = zone->shm_zone->shm.size;

    ngx_agt_zone_lock(zone);

    out->facts = zone->facts->used;
    out->facts_used = (uint64_t) zone->facts->units_used * NGX_AGT_TABLE_UNIT;
    out->facts_size = (uint64_t) zone->facts->units * NGX_AGT_TABLE_UNIT;
    out->invalid = zone->invalid->used;
    out->invalid_used = (uint64_t) zone->invalid->units_used
                        * NGX_AGT_TABLE_UNIT;
    out->invalid_size = (uint64_t) zone->invalid->units * NGX_AGT_TABLE_UNIT;
    out->evictions = zone->facts->evictions;
    out->invalid_evictions = zone->invalid->evictions;

    ngx_agt_zone_unlock(zone);

    return ngx_agt_status_escape(figures->zones.pool, &out->name,
                                 &zone->shm_zone->shm.name, html);
}


static void
ngx_agt_status_keys(ngx_agt_figures_t *figures, ngx_agt_zone_t *first)
{
    ngx_agt_keys_sh_t  *sh;

    sh = first->keys;
    figures->keys_age = -1;

    if (sh == NULL) {
        return;
    }

    ngx_agt_zone_lock(first);

    figures->keys = sh->published;
    figures->keys_withdrawn = sh->n - sh->published;
    figures->keys_fetches = sh->fetches;
    figures->keys_failed = sh->failed;

    if (sh->good) {
        figures->keys_age = (int64_t) (ngx_agt_clock_mono() - sh->good);
    }

    ngx_agt_zone_unlock(first);
}


static ngx_int_t
ngx_agt_status_escape(ngx_pool_t *pool, ngx_str_t *out, const ngx_str_t *name,
    ngx_uint_t html)
{
    uintptr_t  (*escape)(u_char *dst, u_char *src, size_t size);

    escape = html ? ngx_escape_html : ngx_escape_json;

    out->len = name->len + escape(NULL, name->data, name->len);

    out->data = ngx_pnalloc(pool, out->len);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    (void) escape(out->data, name->data, name->len);

    return NGX_OK;
}


static void
ngx_agt_status_denials(ngx_agt_figures_t *figures, ngx_agt_denials_t *denials)
{
    ngx_uint_t             i;
    ngx_agt_clock_t        now;
    ngx_agt_denial_t      *s;
    ngx_agt_ledger_use_t   use;

    ngx_agt_clock_now(&now);

    ngx_agt_denials_lock(denials);

    figures->feed_state = denials->sh->feed;
    figures->fleet_state = denials->sh->fleet;
    figures->fleet_missing = ngx_agt_fleet_missing(denials);
    figures->denials_lost = denials->sh->lost;
    figures->counts[NGX_AGT_COUNT_RECOVERED] += denials->sh->recovered;

    ngx_agt_ledger_use(denials->ledger, &use);

    ngx_agt_denials_unlock(denials);

    figures->children = use.live;
    figures->due = use.due;
    figures->ledger_used = use.used;
    figures->ledger_size = use.size;

    figures->feed = ngx_agt_denials_feed(denials, figures->feed_state.api,
                                         now.mono);
    figures->feed_incomplete = (figures->feed != NGX_AGT_FEED_OFF
                                && ngx_agt_denials_incomplete(denials,
                                                              now.mono));
    figures->feed_here = (figures->feed != NGX_AGT_FEED_OFF
                          && ngx_agt_feed_state_polls(denials, now.mono));
    figures->feed_interval = -1;
    figures->feed_lag = -1;

    if (figures->feed != NGX_AGT_FEED_OFF) {
        figures->feed_interval = (int64_t) figures->feed_state.interval;

        if (figures->feed_state.watermark) {
            figures->feed_lag = (int64_t) (now.mono
                                           - figures->feed_state.watermark);
        }
    }

    figures->fleet = ngx_agt_fleet_state(denials, now.mono);

    if (figures->fleet != NGX_AGT_FLEET_OFF) {
        figures->fleet_pending = ngx_agt_numbers_last(denials)
                                 - figures->fleet_state.appended;
    }

    /* denials are counted without the mutex, because it takes long */

    i = 0;

    while ((s = ngx_agt_denial_set_next(denials->set, &i, &now)) != NULL) {
        figures->denials += (ngx_agt_denial_source(s) != NGX_AGT_ASKED_ABOUT);
    }

    i = 0;

    while (ngx_agt_denial_set_next(denials->unknown, &i, &now)) {
        figures->denials++;
    }

    figures->denial_places = ngx_agt_denial_set_capacity(denials->set)
                             + ngx_agt_denial_set_capacity(denials->unknown);
}
