
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/figures_table.h"
#include "endpoint/figures.h"


const ngx_agt_figures_section_t
    ngx_agt_figures_sections[NGX_AGT_FIGURES_SECTIONS] =
{
    { NULL, "Decisions", NULL, NULL, 0 },
    { "cache", "Cache", NULL, NULL, 0 },
    { "shed", "Not asked because of a limit", NULL, NULL, 0 },
    { "events", "Events", NULL, NULL, 0 },
    { "apis", "Tokens API", "api", "url",
      offsetof(ngx_agt_figures_t, apis) },
    { "feed", "Revocation feed", NULL, NULL, 0 },
    { "fleet", "Fleet", NULL, NULL, 0 },
    { "denials", "Denials", NULL, NULL, 0 },
    { "ledger", "Ledger", NULL, NULL, 0 },
    { "signature", "Signature gate", NULL, NULL, 0 },
    { "zones", "Zone", "zone", "name",
      offsetof(ngx_agt_figures_t, zones) }
};


#define of(member)       offsetof(ngx_agt_figures_t, member)
#define of_api(member)   offsetof(ngx_agt_figures_api_t, member)
#define of_zone(member)  offsetof(ngx_agt_figures_zone_t, member)

#define figure(section, kind, word, family, type, offset, help)               \
    { NGX_AGT_FIGURES_##section, word, family, type, NULL,                     \
      NGX_AGT_FIGURE_##kind, offset, help }

#define counted(section, word, family, label, help, count)                   \
    { section, word, family, "counter", label "=\"" word "\"",               \
      NGX_AGT_FIGURE_NUMBER, of(counts[count]), help }

#define cache(word, count)                                                   \
    counted(NGX_AGT_FIGURES_CACHE, word, "lookups_total", "cache",           \
            "Requests by what the cache had for them.", count)

#define shed(word, count)                                                    \
    counted(NGX_AGT_FIGURES_SHED, word, "shed_total", "cause",               \
            "Calls that were not made because of a limit, by limit.", count)

#define event(word, count)                                                   \
    counted(NGX_AGT_FIGURES_EVENTS, word, "events_total", "event",           \
            "What else happened.", count)

#define zone(word, family, type, kind, member, help)                         \
    { NGX_AGT_FIGURES_ZONES, word, family, type, "kind=\"" kind "\"",        \
      NGX_AGT_FIGURE_NUMBER, of_zone(member), help }


const ngx_agt_figure_t  ngx_agt_figures[] = {

    figure(WHOLE, NUMBER, "schema", NULL, NULL, of(schema), NULL),
    figure(WHOLE, TEXT, "version", NULL, NULL, of(version), NULL),
    figure(WHOLE, TEXT, "nginx", NULL, NULL, of(nginx), NULL),
    { NGX_AGT_FIGURES_WHOLE, NULL, "build_info", "gauge",
      "version=\"" NGX_AGT_VERSION "\",nginx=\"" NGINX_VERSION "\"",
      NGX_AGT_FIGURE_NUMBER, of(build),
      "Versions of the module and of nginx." },
    figure(WHOLE, NUMBER, "time_ms", NULL, NULL, of(time), NULL),
    figure(WHOLE, VERDICTS, "verdicts", NULL, NULL, of(decisions), NULL),
    figure(WHOLE, DECISIONS, "decisions", "decisions_total", "counter",
           of(decisions), "Requests decided, by verdict and reason."),
    figure(WHOLE, THOUSANDTHS, "hit_ratio", NULL, NULL, of(hit_ratio), NULL),
    figure(WHOLE, NUMBER, "calls_in_flight", "calls_in_flight", "gauge",
           of(in_flight), "Calls to APIs under way."),
    figure(WHOLE, NUMBER, "calls_in_flight_max", "calls_in_flight_max",
           "gauge", of(max_in_flight),
           "Calls to APIs that may be under way in all workers."),

    cache("hit", NGX_AGT_COUNT_HIT),
    cache("miss", NGX_AGT_COUNT_MISS),
    cache("joined", NGX_AGT_COUNT_JOINED),
    cache("updating", NGX_AGT_COUNT_UPDATING),
    cache("stale", NGX_AGT_COUNT_STALE),
    cache("bypass", NGX_AGT_COUNT_BYPASS),

    shed("client_budget", NGX_AGT_COUNT_SHED_CLIENT_RATE),
    shed("budget", NGX_AGT_COUNT_SHED_RATE),
    shed("client_places", NGX_AGT_COUNT_SHED_CLIENT_PLACES),
    shed("places", NGX_AGT_COUNT_SHED_PLACES),
    shed("breaker", NGX_AGT_COUNT_SHED_BREAKER),

    event("stored", NGX_AGT_COUNT_STORED),
    event("not_stored", NGX_AGT_COUNT_NOT_STORED),
    event("recovered", NGX_AGT_COUNT_RECOVERED),
    event("revocations", NGX_AGT_COUNT_REVOCATIONS),
    event("revocations_lost", NGX_AGT_COUNT_REVOCATIONS_LOST),
    event("responses_cut", NGX_AGT_COUNT_CUT),

    figure(APIS, BREAKER, "breaker", "api_breaker_open", "gauge",
           of_api(state.open), "Whether the breaker of an API is open."),
    figure(APIS, NUMBER, "opened", "api_breaker_opened_total", "counter",
           of_api(state.opened), "How often the breaker of an API has opened."),
    figure(APIS, DATE, "credential_expiry_ms",
           "api_credential_expiry_timestamp_seconds", "gauge",
           of_api(credential_expiry),
           "When the edge's credential for an API ends, since the epoch."),
    figure(APIS, RESULTS, "calls", "api_calls_total", "counter", of_api(calls),
           "Calls to an API that have ended, by operation and result."),
    figure(APIS, SUMS, "latency_ms_sum", NULL, NULL, of_api(calls), NULL),
    figure(APIS, LATENCIES, "latency_ms", "api_latency_seconds", "histogram",
           of_api(calls), "How long calls to an API took, by operation."),

    figure(FEED, FEED, "state", "feed_state", "gauge", of(feed),
           "Whether the feed is in this state."),
    figure(FEED, FLAG, "incomplete", "feed_incomplete", "gauge",
           of(feed_incomplete), "Whether the feed has told less than all."),
    figure(FEED, FLAG, "here", "feed_polled_here", "gauge", of(feed_here),
           "Whether this edge polls, rather than another one of its fleet."),
    figure(FEED, MS, "interval_ms", "feed_interval_seconds", "gauge",
           of(feed_interval), "Time between the starts of two polls."),
    figure(FEED, MS, "lag_ms", "feed_lag_seconds", "gauge", of(feed_lag),
           "Time since the start of the last complete poll."),
    figure(FEED, MS, "last_poll_ms", "feed_poll_seconds", "gauge",
           of(feed_state.duration),
           "How long the last poll took whose calls were all answered."),
    figure(FEED, NUMBER, "polls", "feed_polls_total", "counter",
           of(feed_state.polls), "Polls that ended."),
    figure(FEED, NUMBER, "failed", "feed_failed_polls_total", "counter",
           of(feed_state.failed), "Polls that failed."),
    figure(FEED, NUMBER, "calls", "feed_calls_total", "counter",
           of(feed_state.calls), "Calls that polls made."),
    figure(FEED, NUMBER, "rows", "feed_rows", "gauge", of(feed_state.rows),
           "Revoked tokens that the last complete poll has read."),
    figure(FEED, NUMBER, "session_rows", "feed_session_rows", "gauge",
           of(feed_state.session_rows),
           "Sessions that the last complete poll has read."),
    figure(FEED, NUMBER, "denied", "feed_denied_total", "counter",
           of(feed_state.denied), "Denials that polls have made."),

    figure(FLEET, FLEET, "state", "fleet_state", "gauge", of(fleet),
           "Whether the fleet is in this state."),
    figure(FLEET, FLAG, "leads", "fleet_leads", "gauge", of(fleet_state.leads),
           "Whether this edge appends marks and trims."),
    figure(FLEET, MS, "lag_ms", "fleet_lag_seconds", "gauge",
           of(fleet_state.lag),
           "Age of the last denial of another edge as it was read."),
    figure(FLEET, NUMBER, "pending", "fleet_pending", "gauge",
           of(fleet_pending), "Entries that Redis has not acknowledged yet."),
    figure(FLEET, NUMBER, "missing", "fleet_missing", "gauge",
           of(fleet_missing), "Entries of other edges that are missing."),
    figure(FLEET, NUMBER, "gaps", "fleet_gaps_total", "counter",
           of(fleet_state.gaps), "How often entries were missing."),
    figure(FLEET, NUMBER, "unreadable", "fleet_unreadable_total", "counter",
           of(fleet_state.unreadable), "Entries that could not be opened."),
    figure(FLEET, NUMBER, "errors", "fleet_errors_total", "counter",
           of(fleet_state.errors),
           "Errors of Redis, and connections that were lost."),
    figure(FLEET, NUMBER, "connections", "fleet_connections_total", "counter",
           of(fleet_state.connections),
           "How often this edge has connected to Redis."),
    figure(FLEET, NUMBER, "read", "fleet_read_total", "counter",
           of(fleet_state.read), "Entries that were read."),
    figure(FLEET, NUMBER, "told", "fleet_told_total", "counter",
           of(fleet_state.told), "Entries that Redis has acknowledged."),
    figure(FLEET, NUMBER, "resends", "fleet_resends_total", "counter",
           of(fleet_state.resends),
           "How often this edge has asked for everything again."),
    figure(FLEET, NUMBER, "trimmed", "fleet_trimmed_total", "counter",
           of(fleet_state.trimmed), "Entries that this edge has trimmed."),

    figure(DENIALS, NUMBER, "live", "denials", "gauge", of(denials),
           "Denials that have not ended."),
    figure(DENIALS, NUMBER, "places", "denial_places", "gauge",
           of(denial_places), "How many denials there is room for."),
    figure(DENIALS, NUMBER, "lost", "denials_lost_total", "counter",
           of(denials_lost),
           "Denials that there was no room for before they ended."),

    figure(LEDGER, NUMBER, "children", "ledger_children", "gauge",
           of(children), "Tokens that were handed out and may live."),
    figure(LEDGER, NUMBER, "revocations_due", "revocations_due", "gauge",
           of(due), "Revocations that the API has not confirmed."),
    figure(LEDGER, NUMBER, "bytes", "ledger_bytes", "gauge", of(ledger_used),
           "Bytes of the ledger in use."),
    figure(LEDGER, NUMBER, "size", "ledger_size_bytes", "gauge",
           of(ledger_size), "Bytes that the ledger can take."),

    figure(GATE, NUMBER, "keys", "signature_keys", "gauge", of(keys),
           "Public keys that are published."),
    figure(GATE, NUMBER, "withdrawn", "signature_withdrawn_keys", "gauge",
           of(keys_withdrawn),
           "Public keys that are kept though they are not published any more."),
    figure(GATE, MS, "age_ms", "signature_keys_age_seconds", "gauge",
           of(keys_age), "Time since the last fetch that brought keys began."),
    figure(GATE, NUMBER, "fetches", "signature_fetches_total", "counter",
           of(keys_fetches), "Fetches of public keys that began."),
    figure(GATE, NUMBER, "failed", "signature_failed_fetches_total", "counter",
           of(keys_failed), "Fetches of public keys that brought none."),
    figure(GATE, NUMBER, "checked", "signature_checked_total", "counter",
           of(counts[NGX_AGT_COUNT_GATE_CHECKED]),
           "Unknown tokens that were checked with keys."),
    figure(GATE, NUMBER, "unchecked", "signature_unchecked_total", "counter",
           of(counts[NGX_AGT_COUNT_GATE_UNCHECKED]),
           "Unknown tokens that were one too many in a second to be checked."),
    figure(GATE, NUMBER, "refused", "signature_refused_total", "counter",
           of(counts[NGX_AGT_COUNT_GATE_REFUSED]),
           "Unknown tokens that were refused without the API."),
    figure(GATE, NUMBER, "reported", "signature_reported_total", "counter",
           of(counts[NGX_AGT_COUNT_GATE_REPORTED]),
           "Unknown tokens that would have been refused."),

    figure(ZONES, NUMBER, "size", "zone_size_bytes", "gauge", of_zone(size),
           "Size of a zone."),
    zone("facts", "zone_entries", "gauge", "facts", facts,
         "Entries in a zone."),
    zone("invalid", "zone_entries", "gauge", "invalid", invalid,
         "Entries in a zone."),
    zone("facts_bytes", "zone_used_bytes", "gauge", "facts", facts_used,
         "Bytes of a zone that entries take."),
    zone("invalid_bytes", "zone_used_bytes", "gauge", "invalid", invalid_used,
         "Bytes of a zone that entries take."),
    zone("facts_size", "zone_capacity_bytes", "gauge", "facts", facts_size,
         "Bytes of a zone that entries can take."),
    zone("invalid_size", "zone_capacity_bytes", "gauge", "invalid",
         invalid_size, "Bytes of a zone that entries can take."),
    zone("evictions", "zone_evictions_total", "counter", "facts", evictions,
         "Entries that made room for others."),
    zone("invalid_evictions", "zone_evictions_total", "counter", "invalid",
         invalid_evictions, "Entries that made room for others.")
};

#undef figure
#undef counted
#undef cache
#undef shed
#undef event
#undef zone
#undef of
#undef of_api
#undef of_zone


const ngx_uint_t  ngx_agt_nfigures =
    sizeof(ngx_agt_figures) / sizeof(ngx_agt_figure_t);
