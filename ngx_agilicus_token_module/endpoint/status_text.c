
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/status.h"


typedef struct {
    ngx_agt_count_e  count;
    const char      *name;
} ngx_agt_count_name_t;


static const ngx_agt_count_name_t  ngx_agt_verdicts[] = {
    { NGX_AGT_COUNT_ACTIVE, "active" },
    { NGX_AGT_COUNT_MISSING, "missing" },
    { NGX_AGT_COUNT_MALFORMED, "malformed" },
    { NGX_AGT_COUNT_INVALID, "invalid" },
    { NGX_AGT_COUNT_EXPIRED, "expired" },
    { NGX_AGT_COUNT_REVOKED, "revoked" },
    { NGX_AGT_COUNT_FORBIDDEN, "forbidden" },
    { NGX_AGT_COUNT_UNAVAILABLE, "unavailable" },
    { NGX_AGT_COUNTS, NULL }
};


static const ngx_agt_count_name_t  ngx_agt_lookups[] = {
    { NGX_AGT_COUNT_HIT, "hit" },
    { NGX_AGT_COUNT_MISS, "miss" },
    { NGX_AGT_COUNT_JOINED, "joined" },
    { NGX_AGT_COUNT_UPDATING, "updating" },
    { NGX_AGT_COUNT_STALE, "stale" },
    { NGX_AGT_COUNT_BYPASS, "bypass" },
    { NGX_AGT_COUNTS, NULL }
};


static const ngx_agt_count_name_t  ngx_agt_events[] = {
    { NGX_AGT_COUNT_STORED, "stored" },
    { NGX_AGT_COUNT_NOT_STORED, "not_stored" },
    { NGX_AGT_COUNT_RECOVERED, "recovered" },
    { NGX_AGT_COUNT_CALLS, "calls" },
    { NGX_AGT_COUNT_RETRIES, "retries" },
    { NGX_AGT_COUNT_FAILED_CALLS, "failed_calls" },
    { NGX_AGT_COUNT_CREDENTIAL_REFUSED, "credential_refused" },
    { NGX_AGT_COUNT_OVERLOADS, "shed" },
    { NGX_AGT_COUNT_REVOCATIONS, "revocations" },
    { NGX_AGT_COUNT_REVOCATIONS_LOST, "revocations_lost" },
    { NGX_AGT_COUNT_CUT, "responses_cut" },
    { NGX_AGT_COUNTS, NULL }
};


static const char  *ngx_agt_feed_words[] = {
    "off", "init", "healthy", "late", "dead", "incomplete"
};


static const ngx_msec_t  ngx_agt_latency_ends[] = NGX_AGT_LATENCIES;


static u_char *ngx_agt_json_counts(u_char *p, u_char *last,
    const ngx_agt_status_t *status, const char *name,
    const ngx_agt_count_name_t *names);
static u_char *ngx_agt_prometheus_counts(u_char *p, u_char *last,
    const ngx_agt_status_t *status, const char *metric,
    const char *label, const char *help, const ngx_agt_count_name_t *names);
static u_char *ngx_agt_prometheus_api(u_char *p, u_char *last,
    const ngx_agt_status_api_t *api);
static u_char *ngx_agt_html_counts(u_char *p, u_char *last,
    const ngx_agt_status_t *status, const char *title,
    const ngx_agt_count_name_t *names);
static uint64_t ngx_agt_hit_ratio(const ngx_agt_status_t *status);


size_t
ngx_agt_status_len(const ngx_agt_status_t *status)
{
    ngx_uint_t  i;
    size_t      len;

    len = 16384;

    for (i = 0; i < status->napis; i++) {
        len += 8192 + 32 * status->apis[i].url.len;
    }

    for (i = 0; i < status->nzones; i++) {
        len += 2048 + 16 * status->zones[i].name.len;
    }

    return len;
}


/* in thousandths, of all that looked for facts */

static uint64_t
ngx_agt_hit_ratio(const ngx_agt_status_t *status)
{
    uint64_t  hits, all;

    hits = status->counts[NGX_AGT_COUNT_HIT]
           + status->counts[NGX_AGT_COUNT_UPDATING];

    all = hits + status->counts[NGX_AGT_COUNT_MISS]
          + status->counts[NGX_AGT_COUNT_JOINED]
          + status->counts[NGX_AGT_COUNT_STALE]
          + status->counts[NGX_AGT_COUNT_BYPASS];

    return all ? hits * 1000 / all : 0;
}


u_char *
ngx_agt_status_json(u_char *p, u_char *last, const ngx_agt_status_t *status)
{
    uint64_t                      ratio;
    ngx_uint_t                    i, j;
    const ngx_agt_status_api_t   *api;
    const ngx_agt_status_zone_t  *zone;

    ratio = ngx_agt_hit_ratio(status);

    p = ngx_slprintf(p, last, "{\"version\":\"%s\",", NGX_AGT_VERSION);
    p = ngx_agt_json_counts(p, last, status, "verdicts", ngx_agt_verdicts);
    p = ngx_agt_json_counts(p, last, status, "cache", ngx_agt_lookups);
    p = ngx_agt_json_counts(p, last, status, "events", ngx_agt_events);

    p = ngx_slprintf(p, last, "\"hit_ratio\":%uL.%03uL,"
                     "\"calls_in_flight\":%uL,\"apis\":[",
                     ratio / 1000, ratio % 1000, status->flights);

    for (i = 0; i < status->napis; i++) {
        api = &status->apis[i];

        p = ngx_slprintf(p, last, "%s{\"url\":\"%V\",\"calls\":%uL,"
                         "\"failed\":%uL,\"breaker\":\"%s\",\"opened\":%uL,"
                         "\"latency_ms_sum\":%uL,\"latency_ms\":{",
                         i ? "," : "", &api->url, api->state.calls,
                         api->state.failed, api->open ? "open" : "closed",
                         api->state.opened, api->state.latency_sum);

        for (j = 0; j < NGX_AGT_NLATENCIES; j++) {
            p = ngx_slprintf(p, last, "\"%M\":%uL,", ngx_agt_latency_ends[j],
                             api->state.latency[j]);
        }

        p = ngx_slprintf(p, last, "\"more\":%uL}}", api->state.latency[j]);
    }

    p = ngx_slprintf(p, last, "],\"feed\":{\"state\":\"%s\","
                     "\"incomplete\":%s,\"lag_ms\":%L,"
                     "\"last_poll_ms\":%uL,\"polls\":%uL,\"failed\":%uL,"
                     "\"calls\":%uL,\"rows\":%uL,\"denied\":%uL},",
                     ngx_agt_feed_words[status->feed],
                     status->feed_incomplete ? "true" : "false",
                     status->feed_lag, status->feed_state.duration,
                     status->feed_state.polls, status->feed_state.failed,
                     status->feed_state.calls, status->feed_state.rows,
                     status->feed_state.denied);

    p = ngx_slprintf(p, last, "\"tombstones\":{\"live\":%uL,\"places\":%uL,"
                     "\"lost\":%uL},", status->tombstones,
                     status->tombstone_places, status->tombstones_lost);

    p = ngx_slprintf(p, last, "\"ledger\":{\"children\":%ui,"
                     "\"revocations_due\":%ui,\"bytes\":%uz,\"size\":%uz},"
                     "\"zones\":[", status->ledger.live, status->ledger.due,
                     status->ledger.used, status->ledger.size);

    for (i = 0; i < status->nzones; i++) {
        zone = &status->zones[i];

        p = ngx_slprintf(p, last, "%s{\"name\":\"%V\",\"size\":%uL,"
                         "\"facts\":%uL,\"facts_bytes\":%uL,"
                         "\"facts_size\":%uL,\"invalid\":%uL,"
                         "\"evictions\":%uL}", i ? "," : "", &zone->name,
                         zone->size, zone->facts, zone->facts_used,
                         zone->facts_size, zone->invalid, zone->evictions);
    }

    return ngx_slprintf(p, last, "]}\n");
}


static u_char *
ngx_agt_json_counts(u_char *p, u_char *last,
    const ngx_agt_status_t *status, const char *name,
    const ngx_agt_count_name_t *names)
{
    ngx_uint_t  i;

    p = ngx_slprintf(p, last, "\"%s\":{", name);

    for (i = 0; names[i].name; i++) {
        p = ngx_slprintf(p, last, "%s\"%s\":%uL", i ? "," : "",
                         names[i].name, status->counts[names[i].count]);
    }

    return ngx_slprintf(p, last, "},");
}


/* the text format of Prometheus, version 0.0.4 */

u_char *
ngx_agt_status_prometheus(u_char *p, u_char *last,
    const ngx_agt_status_t *status)
{
    ngx_uint_t                    i;
    const ngx_agt_status_zone_t  *zone;

#define help(name, type, text)                                               \
    "# HELP agilicus_token_" name " " text "\n"                              \
    "# TYPE agilicus_token_" name " " type "\n"

    p = ngx_agt_prometheus_counts(p, last, status,
                        "decisions_total", "verdict",
                        "Requests decided, by verdict.", ngx_agt_verdicts);
    p = ngx_agt_prometheus_counts(p, last, status,
                        "lookups_total", "cache",
                        "Requests by what the cache had for them.",
                        ngx_agt_lookups);
    p = ngx_agt_prometheus_counts(p, last, status,
                        "events_total", "event", "What else happened.",
                        ngx_agt_events);

    p = ngx_slprintf(p, last,
                     help("calls_in_flight", "gauge",
                          "Calls to APIs under way.")
                     "agilicus_token_calls_in_flight %uL\n", status->flights);

    p = ngx_slprintf(p, last,
                     help("api_breaker_open", "gauge",
                          "Whether the breaker of an API is open."));

    for (i = 0; i < status->napis; i++) {
        p = ngx_slprintf(p, last,
                         "agilicus_token_api_breaker_open{api=\"%V\"} %ui\n",
                         &status->apis[i].url, status->apis[i].open);
    }

    p = ngx_slprintf(p, last,
                     help("api_failed_total", "counter",
                          "Calls that failed by transport, 429 or 5xx."));

    for (i = 0; i < status->napis; i++) {
        p = ngx_slprintf(p, last,
                         "agilicus_token_api_failed_total{api=\"%V\"} %uL\n",
                         &status->apis[i].url, status->apis[i].state.failed);
    }

    p = ngx_slprintf(p, last,
                     help("api_latency_seconds", "histogram",
                          "How long calls to an API took."));

    for (i = 0; i < status->napis; i++) {
        p = ngx_agt_prometheus_api(p, last, &status->apis[i]);
    }

    p = ngx_slprintf(p, last,
                     help("feed_state", "gauge", "State of the feed."));

    for (i = 0; i <= NGX_AGT_FEED_INCOMPLETE; i++) {
        p = ngx_slprintf(p, last,
                         "agilicus_token_feed_state{state=\"%s\"} %ui\n",
                         ngx_agt_feed_words[i],
                         (ngx_uint_t) (i == (ngx_uint_t) status->feed));
    }

    p = ngx_slprintf(p, last,
                     help("feed_incomplete", "gauge",
                          "Whether the feed has told less than all.")
                     "agilicus_token_feed_incomplete %ui\n",
                     status->feed_incomplete);

    if (status->feed_lag >= 0) {
        p = ngx_slprintf(p, last,
                         help("feed_lag_seconds", "gauge",
                              "Age of the last complete poll's start.")
                         "agilicus_token_feed_lag_seconds %L.%03L\n",
                         status->feed_lag / 1000, status->feed_lag % 1000);
    }

    p = ngx_slprintf(p, last,
                     help("feed_polls_total", "counter", "Polls made.")
                     "agilicus_token_feed_polls_total %uL\n"
                     help("feed_failed_polls_total", "counter",
                          "Polls that failed.")
                     "agilicus_token_feed_failed_polls_total %uL\n",
                     status->feed_state.polls, status->feed_state.failed);

    p = ngx_slprintf(p, last,
                     help("tombstones", "gauge", "Denials alive.")
                     "agilicus_token_tombstones %uL\n"
                     help("tombstone_places", "gauge", "Room for denials.")
                     "agilicus_token_tombstone_places %uL\n"
                     help("tombstones_lost_total", "counter",
                          "Live denials that had to go.")
                     "agilicus_token_tombstones_lost_total %uL\n",
                     status->tombstones, status->tombstone_places,
                     status->tombstones_lost);

    p = ngx_slprintf(p, last,
                     help("ledger_children", "gauge",
                          "Tokens that were handed out and may live.")
                     "agilicus_token_ledger_children %ui\n"
                     help("revocations_due", "gauge",
                          "Revocations that the API has not confirmed.")
                     "agilicus_token_revocations_due %ui\n"
                     help("ledger_bytes", "gauge", "The ledger in use.")
                     "agilicus_token_ledger_bytes %uz\n"
                     help("ledger_size_bytes", "gauge",
                          "Room of the ledger.")
                     "agilicus_token_ledger_size_bytes %uz\n",
                     status->ledger.live, status->ledger.due,
                     status->ledger.used, status->ledger.size);

    p = ngx_slprintf(p, last,
                     help("zone_entries", "gauge", "Entries in a zone."));

    for (i = 0; i < status->nzones; i++) {
        zone = &status->zones[i];

        p = ngx_slprintf(p, last,
                   "agilicus_token_zone_entries{zone=\"%V\",kind=\"facts\"} "
                   "%uL\n"
                   "agilicus_token_zone_entries{zone=\"%V\",kind=\"invalid\"} "
                   "%uL\n",
                   &zone->name, zone->facts, &zone->name, zone->invalid);
    }

    p = ngx_slprintf(p, last,
                     help("zone_facts_bytes", "gauge",
                          "Bytes of a zone's facts in use."));

    for (i = 0; i < status->nzones; i++) {
        p = ngx_slprintf(p, last,
                         "agilicus_token_zone_facts_bytes{zone=\"%V\"} %uL\n",
                         &status->zones[i].name, status->zones[i].facts_used);
    }

    p = ngx_slprintf(p, last,
                     help("zone_evictions_total", "counter",
                          "Entries that made room for others."));

    for (i = 0; i < status->nzones; i++) {
        p = ngx_slprintf(p, last,
                     "agilicus_token_zone_evictions_total{zone=\"%V\"} %uL\n",
                     &status->zones[i].name, status->zones[i].evictions);
    }

    return p;
}


static u_char *
ngx_agt_prometheus_counts(u_char *p, u_char *last,
    const ngx_agt_status_t *status, const char *metric,
    const char *label, const char *text, const ngx_agt_count_name_t *names)
{
    ngx_uint_t  i;

    p = ngx_slprintf(p, last, "# HELP agilicus_token_%s %s\n"
                     "# TYPE agilicus_token_%s counter\n", metric, text,
                     metric);

    for (i = 0; names[i].name; i++) {
        p = ngx_slprintf(p, last, "agilicus_token_%s{%s=\"%s\"} %uL\n",
                         metric, label, names[i].name,
                         status->counts[names[i].count]);
    }

    return p;
}


static u_char *
ngx_agt_prometheus_api(u_char *p, u_char *last,
    const ngx_agt_status_api_t *api)
{
    uint64_t    n;
    ngx_msec_t  ms;
    ngx_uint_t  i;

    n = 0;

    for (i = 0; i < NGX_AGT_NLATENCIES; i++) {
        ms = ngx_agt_latency_ends[i];
        n += api->state.latency[i];

        p = ngx_slprintf(p, last,
                         "agilicus_token_api_latency_seconds_bucket"
                         "{api=\"%V\",le=\"%M.%03M\"} %uL\n",
                         &api->url, ms / 1000, ms % 1000, n);
    }

    n += api->state.latency[i];

    return ngx_slprintf(p, last,
                        "agilicus_token_api_latency_seconds_bucket"
                        "{api=\"%V\",le=\"+Inf\"} %uL\n"
                        "agilicus_token_api_latency_seconds_sum{api=\"%V\"} "
                        "%uL.%03uL\n"
                        "agilicus_token_api_latency_seconds_count{api=\"%V\"} "
                        "%uL\n",
                        &api->url, n, &api->url,
                        api->state.latency_sum / 1000,
                        api->state.latency_sum % 1000, &api->url, n);
}


u_char *
ngx_agt_status_html(u_char *p, u_char *last, const ngx_agt_status_t *status)
{
    uint64_t                      ratio;
    ngx_uint_t                    i;
    const ngx_agt_status_api_t   *api;
    const ngx_agt_status_zone_t  *zone;

    ratio = ngx_agt_hit_ratio(status);

    p = ngx_slprintf(p, last,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>agilicus token</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;"
        "max-width:60em;padding:0 1em;color:#222;background:#fff}"
        "h1{font-size:1.4em}h2{font-size:1.1em;margin:1.6em 0 .4em}"
        "table{border-collapse:collapse;width:100%%}"
        "th,td{text-align:left;padding:.25em .8em .25em 0;"
        "border-bottom:1px solid #ddd}td.n,th.n{text-align:right}"
        "@media(prefers-color-scheme:dark){body{color:#ddd;"
        "background:#1b1b1b}th,td{border-color:#444}}"
        "</style></head><body><h1>agilicus token %s</h1>"
        "<p>Hit ratio %uL.%uL %%, %uL calls in flight, revocation feed %s",
        NGX_AGT_VERSION, ratio / 10, ratio % 10, status->flights,
        ngx_agt_feed_words[status->feed]);

    if (status->feed_lag >= 0) {
        p = ngx_slprintf(p, last, ", %L.%L s behind", status->feed_lag / 1000,
                         status->feed_lag % 1000 / 100);
    }

    if (status->feed_incomplete && status->feed != NGX_AGT_FEED_INCOMPLETE)
    {
        p = ngx_slprintf(p, last, ", incomplete");
    }

    p = ngx_slprintf(p, last, ".</p>");

    p = ngx_agt_html_counts(p, last, status, "Decisions", ngx_agt_verdicts);
    p = ngx_agt_html_counts(p, last, status, "Cache", ngx_agt_lookups);
    p = ngx_agt_html_counts(p, last, status, "Events", ngx_agt_events);

    p = ngx_slprintf(p, last, "<h2>Tokens APIs</h2><table><tr><th>API</th>"
                     "<th class=\"n\">calls</th><th class=\"n\">failed</th>"
                     "<th class=\"n\">mean ms</th><th>breaker</th></tr>");

    for (i = 0; i < status->napis; i++) {
        api = &status->apis[i];

        p = ngx_slprintf(p, last, "<tr><td>%V</td><td class=\"n\">%uL</td>"
                         "<td class=\"n\">%uL</td><td class=\"n\">%uL</td>"
                         "<td>%s</td></tr>", &api->url, api->state.calls,
                         api->state.failed,
                         api->state.calls
                         ? api->state.latency_sum / api->state.calls : 0,
                         api->open ? "open" : "closed");
    }

    p = ngx_slprintf(p, last, "</table><h2>Zones</h2><table><tr><th>zone</th>"
                     "<th class=\"n\">tokens</th><th class=\"n\">bytes</th>"
                     "<th class=\"n\">of</th><th class=\"n\">invalid</th>"
                     "<th class=\"n\">evictions</th></tr>");

    for (i = 0; i < status->nzones; i++) {
        zone = &status->zones[i];

        p = ngx_slprintf(p, last, "<tr><td>%V</td><td class=\"n\">%uL</td>"
                         "<td class=\"n\">%uL</td><td class=\"n\">%uL</td>"
                         "<td class=\"n\">%uL</td><td class=\"n\">%uL</td>"
                         "</tr>", &zone->name, zone->facts, zone->facts_used,
                         zone->facts_size, zone->invalid, zone->evictions);
    }

    return ngx_slprintf(p, last, "</table><h2>Denials</h2><p>%uL alive, room "
                        "for %uL, %uL lost.</p><h2>Ledger</h2><p>%ui tokens "
                        "handed out, %ui revocations due, %uz of %uz "
                        "bytes.</p></body></html>\n",
                        status->tombstones, status->tombstone_places,
                        status->tombstones_lost, status->ledger.live,
                        status->ledger.due, status->ledger.used,
                        status->ledger.size);
}


static u_char *
ngx_agt_html_counts(u_char *p, u_char *last,
    const ngx_agt_status_t *status, const char *title,
    const ngx_agt_count_name_t *names)
{
    ngx_uint_t  i;

    p = ngx_slprintf(p, last, "<h2>%s</h2><table><tr>", title);

    for (i = 0; names[i].name; i++) {
        p = ngx_slprintf(p, last, "<th class=\"n\">%s</th>", names[i].name);
    }

    p = ngx_slprintf(p, last, "</tr><tr>");

    for (i = 0; names[i].name; i++) {
        p = ngx_slprintf(p, last, "<td class=\"n\">%uL</td>",
                         status->counts[names[i].count]);
    }

    return ngx_slprintf(p, last, "</tr></table>");
}
