
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/figures.h"


/* bytes that a sample takes at most, with its HELP and TYPE, without a name */
#define NGX_AGT_FIGURES_SAMPLE  512

/* "section" of a figure: the object or table that it stands in */
#define NGX_AGT_FIGURES_VERDICTS  0
#define NGX_AGT_FIGURES_CACHE     1
#define NGX_AGT_FIGURES_EVENTS    2
#define NGX_AGT_FIGURES_CALLS     3
#define NGX_AGT_FIGURES_APIS      4
#define NGX_AGT_FIGURES_FEED      5
#define NGX_AGT_FIGURES_DENIALS   6
#define NGX_AGT_FIGURES_LEDGER    7
#define NGX_AGT_FIGURES_ZONES     8
#define NGX_AGT_FIGURES_SECTIONS  9


/* how the value of a figure is written */

typedef enum {
    NGX_AGT_FIGURE_NUMBER = 0,
    NGX_AGT_FIGURE_MS,           /* seconds in Prometheus; -1: not known */
    NGX_AGT_FIGURE_THOUSANDTHS,
    NGX_AGT_FIGURE_FLAG,
    NGX_AGT_FIGURE_BREAKER,      /* time until which it is open; 0: closed */
    NGX_AGT_FIGURE_FEED,         /* ngx_agt_feed_e */
    NGX_AGT_FIGURE_LATENCY       /* ngx_agt_latency_t */
} ngx_agt_figure_e;


/*
 * A section has one set of figures, or, where it has a label, one for each API
 * or zone in the array at "offset".
 */

typedef struct {
    const char        *name;     /* in JSON; NULL: members of the whole */
    const char        *title;    /* on the page */
    const char        *label;    /* in Prometheus */
    const char        *key;      /* member in JSON that names the API or zone */
    size_t             offset;
} ngx_agt_figures_section_t;


typedef struct {
    ngx_uint_t         section;
    const char        *name;     /* in JSON and on the page */
    const char        *family;   /* in Prometheus; NULL: not there */
    const char        *type;
    const char        *labels;   /* or NULL */
    ngx_agt_figure_e   kind;
    size_t             offset;   /* of the value */
    const char        *help;
} ngx_agt_figure_t;


static u_char *ngx_agt_figures_set(const ngx_agt_figures_t *figures,
    const ngx_agt_figures_section_t *section, ngx_uint_t n);
static u_char *ngx_agt_figures_members(u_char *p, u_char *last,
    ngx_uint_t section, u_char *set, ngx_uint_t comma);
static u_char *ngx_agt_figures_cells(u_char *p, u_char *last,
    ngx_uint_t section, u_char *set);
static u_char *ngx_agt_figure_value(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, u_char *set, ngx_uint_t json);
static u_char *ngx_agt_figure_samples(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, u_char *set);
static u_char *ngx_agt_figure_histogram(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, u_char *set);
static u_char *ngx_agt_figure_name(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, u_char *set, const char *suffix,
    const char *label);


static const ngx_agt_figures_section_t
    ngx_agt_figures_sections[NGX_AGT_FIGURES_SECTIONS] =
{
    { "verdicts", "Decisions", NULL, NULL, 0 },
    { "cache", "Cache", NULL, NULL, 0 },
    { "events", "Events", NULL, NULL, 0 },
    { NULL, "Calls", NULL, NULL, 0 },
    { "apis", "Tokens APIs", "api", "url",
      offsetof(ngx_agt_figures_t, apis) },
    { "feed", "Revocation feed", NULL, NULL, 0 },
    { "denials", "Denials", NULL, NULL, 0 },
    { "ledger", "Ledger", NULL, NULL, 0 },
    { "zones", "Zones", "zone", "name",
      offsetof(ngx_agt_figures_t, zones) }
};


#define of(member)       offsetof(ngx_agt_figures_t, member)
#define of_api(member)   offsetof(ngx_agt_figures_api_t, member)
#define of_zone(member)  offsetof(ngx_agt_figures_zone_t, member)

#define counted(section, word, family, label, help, count)                   \
    { section, word, family, "counter", label "=\"" word "\"",               \
      NGX_AGT_FIGURE_NUMBER, of(counts[count]), help }

#define verdict(word, count)                                                 \
    counted(NGX_AGT_FIGURES_VERDICTS, word, "decisions_total", "verdict",    \
            "Requests decided, by verdict.", count)

#define cache(word, count)                                                   \
    counted(NGX_AGT_FIGURES_CACHE, word, "lookups_total", "cache",           \
            "Requests by what the cache had for them.", count)

#define event(word, count)                                                   \
    counted(NGX_AGT_FIGURES_EVENTS, word, "events_total", "event",           \
            "What else happened.", count)


/* figures of one section, and of one family, stand together */

static const ngx_agt_figure_t  ngx_agt_figures[] = {

    verdict("active", NGX_AGT_COUNT_ACTIVE),
    verdict("anonymous", NGX_AGT_COUNT_ANONYMOUS),
    verdict("missing", NGX_AGT_COUNT_MISSING),
    verdict("malformed", NGX_AGT_COUNT_MALFORMED),
    verdict("invalid", NGX_AGT_COUNT_INVALID),
    verdict("expired", NGX_AGT_COUNT_EXPIRED),
    verdict("revoked", NGX_AGT_COUNT_REVOKED),
    verdict("step_up", NGX_AGT_COUNT_STEP_UP),
    verdict("forbidden", NGX_AGT_COUNT_FORBIDDEN),
    verdict("unavailable", NGX_AGT_COUNT_UNAVAILABLE),

    cache("hit", NGX_AGT_COUNT_HIT),
    cache("miss", NGX_AGT_COUNT_MISS),
    cache("joined", NGX_AGT_COUNT_JOINED),
    cache("updating", NGX_AGT_COUNT_UPDATING),
    cache("stale", NGX_AGT_COUNT_STALE),
    cache("bypass", NGX_AGT_COUNT_BYPASS),

    event("stored", NGX_AGT_COUNT_STORED),
    event("not_stored", NGX_AGT_COUNT_NOT_STORED),
    event("recovered", NGX_AGT_COUNT_RECOVERED),
    event("calls", NGX_AGT_COUNT_CALLS),
    event("retries", NGX_AGT_COUNT_RETRIES),
    event("failed_calls", NGX_AGT_COUNT_FAILED_CALLS),
    event("credential_refused", NGX_AGT_COUNT_CREDENTIAL_REFUSED),
    event("shed_breaker", NGX_AGT_COUNT_SHED_BREAKER),
    event("shed_rate", NGX_AGT_COUNT_SHED_RATE),
    event("shed_client_rate", NGX_AGT_COUNT_SHED_CLIENT_RATE),
    event("shed_places", NGX_AGT_COUNT_SHED_PLACES),
    event("shed_client_places", NGX_AGT_COUNT_SHED_CLIENT_PLACES),
    event("revocations", NGX_AGT_COUNT_REVOCATIONS),
    event("revocations_lost", NGX_AGT_COUNT_REVOCATIONS_LOST),
    event("responses_cut", NGX_AGT_COUNT_CUT),

    { NGX_AGT_FIGURES_CALLS, "hit_ratio", NULL, NULL, NULL,
      NGX_AGT_FIGURE_THOUSANDTHS, of(hit_ratio), NULL },
    { NGX_AGT_FIGURES_CALLS, "calls_in_flight", "calls_in_flight", "gauge",
      NULL, NGX_AGT_FIGURE_NUMBER, of(in_flight), "Calls to APIs under way." },

    { NGX_AGT_FIGURES_APIS, "calls", NULL, NULL, NULL,
      NGX_AGT_FIGURE_NUMBER, of_api(state.calls), NULL },
    { NGX_AGT_FIGURES_APIS, "failed", "api_failed_total", "counter", NULL,
      NGX_AGT_FIGURE_NUMBER, of_api(state.failed),
      "Calls that failed by transport, 429 or 5xx." },
    { NGX_AGT_FIGURES_APIS, "breaker", "api_breaker_open", "gauge", NULL,
      NGX_AGT_FIGURE_BREAKER, of_api(state.open),
      "Whether the breaker of an API is open." },
    { NGX_AGT_FIGURES_APIS, "opened", "api_breaker_opened_total", "counter",
      NULL, NGX_AGT_FIGURE_NUMBER, of_api(state.opened),
      "How often the breaker of an API has opened." },
    { NGX_AGT_FIGURES_APIS, "latency_ms_sum", NULL, NULL, NULL,
      NGX_AGT_FIGURE_NUMBER, of_api(state.latency.sum), NULL },
    { NGX_AGT_FIGURES_APIS, "latency_ms", "api_latency_seconds", "histogram",
      NULL, NGX_AGT_FIGURE_LATENCY, of_api(state.latency),
      "How long calls to an API took." },

    { NGX_AGT_FIGURES_FEED, "state", "feed_state", "gauge", NULL,
      NGX_AGT_FIGURE_FEED, of(feed), "Whether the feed is in this state." },
    { NGX_AGT_FIGURES_FEED, "incomplete", "feed_incomplete", "gauge", NULL,
      NGX_AGT_FIGURE_FLAG, of(feed_incomplete),
      "Whether the feed has told less than all." },
    { NGX_AGT_FIGURES_FEED, "lag_ms", "feed_lag_seconds", "gauge", NULL,
      NGX_AGT_FIGURE_MS, of(feed_lag),
      "Time since the start of the last complete poll." },
    { NGX_AGT_FIGURES_FEED, "last_poll_ms", "feed_poll_seconds", "gauge", NULL,
      NGX_AGT_FIGURE_MS, of(feed_state.duration),
      "How long the last poll took whose calls were all answered." },
    { NGX_AGT_FIGURES_FEED, "polls", "feed_polls_total", "counter", NULL,
      NGX_AGT_FIGURE_NUMBER, of(feed_state.polls), "Polls that ended." },
    { NGX_AGT_FIGURES_FEED, "failed", "feed_failed_polls_total", "counter",
      NULL, NGX_AGT_FIGURE_NUMBER, of(feed_state.failed),
      "Polls that failed." },
    { NGX_AGT_FIGURES_FEED, "calls", "feed_calls_total", "counter", NULL,
      NGX_AGT_FIGURE_NUMBER, of(feed_state.calls), "Calls that polls made." },
    { NGX_AGT_FIGURES_FEED, "rows", "feed_rows", "gauge", NULL,
      NGX_AGT_FIGURE_NUMBER, of(feed_state.rows),
      "Revoked tokens that the last complete poll has read." },
    { NGX_AGT_FIGURES_FEED, "denied", "feed_denied_total", "counter", NULL,
      NGX_AGT_FIGURE_NUMBER, of(feed_state.denied),
      "Denials that polls have made." },

    { NGX_AGT_FIGURES_DENIALS, "live", "denials", "gauge", NULL,
      NGX_AGT_FIGURE_NUMBER, of(denials), "Denials that have not ended." },
    { NGX_AGT_FIGURES_DENIALS, "places", "denial_places", "gauge", NULL,
      NGX_AGT_FIGURE_NUMBER, of(denial_places),
      "How many denials there is room for." },
    { NGX_AGT_FIGURES_DENIALS, "lost", "denials_lost_total", "counter", NULL,
      NGX_AGT_FIGURE_NUMBER, of(denials_lost),
      "Denials that there was no room for before they ended." },

    { NGX_AGT_FIGURES_LEDGER, "children", "ledger_children", "gauge", NULL,
      NGX_AGT_FIGURE_NUMBER, of(children),
      "Tokens that were handed out and may live." },
    { NGX_AGT_FIGURES_LEDGER, "revocations_due", "revocations_due", "gauge",
      NULL, NGX_AGT_FIGURE_NUMBER, of(due),
      "Revocations that the API has not confirmed." },
    { NGX_AGT_FIGURES_LEDGER, "bytes", "ledger_bytes", "gauge", NULL,
      NGX_AGT_FIGURE_NUMBER, of(ledger_used), "Bytes of the ledger in use." },
    { NGX_AGT_FIGURES_LEDGER, "size", "ledger_size_bytes", "gauge", NULL,
      NGX_AGT_FIGURE_NUMBER, of(ledger_size),
      "Bytes that the ledger can take." },

    { NGX_AGT_FIGURES_ZONES, "size", "zone_size_bytes", "gauge", NULL,
      NGX_AGT_FIGURE_NUMBER, of_zone(size), "Size of a zone." },
    { NGX_AGT_FIGURES_ZONES, "facts", "zone_entries", "gauge", "kind=\"facts\"",
      NGX_AGT_FIGURE_NUMBER, of_zone(facts), "Entries in a zone." },
    { NGX_AGT_FIGURES_ZONES, "invalid", "zone_entries", "gauge",
      "kind=\"invalid\"", NGX_AGT_FIGURE_NUMBER, of_zone(invalid),
      "Entries in a zone." },
    { NGX_AGT_FIGURES_ZONES, "facts_bytes", "zone_facts_bytes", "gauge", NULL,
      NGX_AGT_FIGURE_NUMBER, of_zone(facts_used),
      "Bytes of a zone that facts take." },
    { NGX_AGT_FIGURES_ZONES, "facts_size", "zone_facts_size_bytes", "gauge",
      NULL, NGX_AGT_FIGURE_NUMBER, of_zone(facts_size),
      "Bytes of a zone that facts can take." },
    { NGX_AGT_FIGURES_ZONES, "evictions", "zone_evictions_total", "counter",
      NULL, NGX_AGT_FIGURE_NUMBER, of_zone(evictions),
      "Entries that made room for others." }
};

#undef counted
#undef verdict
#undef cache
#undef event
#undef of
#undef of_api
#undef of_zone

#define NGX_AGT_NFIGURES  (sizeof(ngx_agt_figures) / sizeof(ngx_agt_figure_t))


static const char  *ngx_agt_figures_feed[] = {
    "off", "init", "healthy", "late", "dead", "incomplete"
};

#define NGX_AGT_NFEED  (sizeof(ngx_agt_figures_feed) / sizeof(char *))


static const ngx_msec_t  ngx_agt_figures_ends[] = NGX_AGT_LATENCIES;


size_t
ngx_agt_figures_len(const ngx_agt_figures_t *figures)
{
    size_t                   len, samples;
    ngx_uint_t               i;
    ngx_agt_figures_api_t   *api;
    ngx_agt_figures_zone_t  *zone;

    api = figures->apis.elts;
    zone = figures->zones.elts;

    /* the histogram and the state of the feed have more than one sample */

    samples = NGX_AGT_NFIGURES + NGX_AGT_NLATENCIES + 2 + NGX_AGT_NFEED;
    len = samples * NGX_AGT_FIGURES_SAMPLE;

    for (i = 0; i < figures->apis.nelts; i++) {
        len += samples * (NGX_AGT_FIGURES_SAMPLE + api[i].name.len);
    }

    for (i = 0; i < figures->zones.nelts; i++) {
        len += samples * (NGX_AGT_FIGURES_SAMPLE + zone[i].name.len);
    }

    return len;
}


/* where values lie: of the API or zone with this number; NULL after the last */

static u_char *
ngx_agt_figures_set(const ngx_agt_figures_t *figures,
    const ngx_agt_figures_section_t *section, ngx_uint_t n)
{
    const ngx_array_t  *a;

    if (section->label == NULL) {
        return (n == 0) ? (u_char *) figures : NULL;
    }

    a = (const ngx_array_t *) ((u_char *) figures + section->offset);

    return (n < a->nelts) ? (u_char *) a->elts + n * a->size : NULL;
}


u_char *
ngx_agt_figures_json(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures)
{
    u_char                           *set;
    ngx_uint_t                        i, n;
    const ngx_agt_figures_section_t  *s;

    p = ngx_slprintf(p, last, "{\"version\":\"%s\"", NGX_AGT_VERSION);

    for (i = 0; i < NGX_AGT_FIGURES_SECTIONS; i++) {
        s = &ngx_agt_figures_sections[i];

        if (s->name == NULL) {
            p = ngx_agt_figures_members(p, last, i, (u_char *) figures, 1);
            continue;
        }

        p = ngx_slprintf(p, last, ",\"%s\":%s", s->name, s->label ? "[" : "");

        for (n = 0; (set = ngx_agt_figures_set(figures, s, n)); n++) {
            p = ngx_slprintf(p, last, n ? ",{" : "{");

            if (s->label) {
                p = ngx_slprintf(p, last, "\"%s\":\"%V\"", s->key, set);
            }

            p = ngx_agt_figures_members(p, last, i, set, s->label != NULL);
            p = ngx_slprintf(p, last, "}");
        }

        p = ngx_slprintf(p, last, s->label ? "]" : "");
    }

    return ngx_slprintf(p, last, "}\n");
}


static u_char *
ngx_agt_figures_members(u_char *p, u_char *last, ngx_uint_t section,
    u_char *set, ngx_uint_t comma)
{
    ngx_uint_t               i;
    const ngx_agt_figure_t  *f;

    for (i = 0; i < NGX_AGT_NFIGURES; i++) {
        f = &ngx_agt_figures[i];

        if (f->section == section) {
            p = ngx_slprintf(p, last, "%s\"%s\":", comma ? "," : "", f->name);
            p = ngx_agt_figure_value(p, last, f, set, 1);
            comma = 1;
        }
    }

    return p;
}


u_char *
ngx_agt_figures_html(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures)
{
    u_char                           *set;
    ngx_uint_t                        i, n;
    const ngx_agt_figures_section_t  *s;

    p = ngx_slprintf(p, last,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>agilicus token</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;"
        "max-width:60em;padding:0 1em;color:#222;background:#fff}"
        "h1{font-size:1.4em}h2{font-size:1.1em;margin:1.6em 0 .4em}"
        "table{border-collapse:collapse;width:100%%}"
        "th,td{text-align:right;padding:.25em 0 .25em .8em;"
        "border-bottom:1px solid #ddd}.name{text-align:left;padding-left:0}"
        "@media(prefers-color-scheme:dark){body{color:#ddd;"
        "background:#1b1b1b}th,td{border-color:#444}}"
        "</style></head><body><h1>agilicus token %s</h1>\n",
        NGX_AGT_VERSION);

    for (i = 0; i < NGX_AGT_FIGURES_SECTIONS; i++) {
        s = &ngx_agt_figures_sections[i];

        p = ngx_slprintf(p, last, "<h2>%s</h2><table><tr>", s->title);

        if (s->label) {
            p = ngx_slprintf(p, last, "<th class=\"name\">%s</th>", s->label);
        }

        p = ngx_agt_figures_cells(p, last, i, NULL);

        for (n = 0; (set = ngx_agt_figures_set(figures, s, n)); n++) {
            p = ngx_slprintf(p, last, "</tr>\n<tr>");

            if (s->label) {
                p = ngx_slprintf(p, last, "<td class=\"name\">%V</td>", set);
            }

            p = ngx_agt_figures_cells(p, last, i, set);
        }

        p = ngx_slprintf(p, last, "</tr></table>\n");
    }

    return ngx_slprintf(p, last, "</body></html>\n");
}


/* the cells of one row of a table; its head where "set" is NULL */

static u_char *
ngx_agt_figures_cells(u_char *p, u_char *last, ngx_uint_t section,
    u_char *set)
{
    ngx_uint_t               i;
    const ngx_agt_figure_t  *f;

    for (i = 0; i < NGX_AGT_NFIGURES; i++) {
        f = &ngx_agt_figures[i];

        if (f->section != section) {
            continue;
        }

        if (set == NULL) {
            p = ngx_slprintf(p, last, "<th>%s</th>", f->name);
            continue;
        }

        p = ngx_slprintf(p, last, "<td>");
        p = ngx_agt_figure_value(p, last, f, set, 0);
        p = ngx_slprintf(p, last, "</td>");
    }

    return p;
}


/* a value for JSON, or for people */

static u_char *
ngx_agt_figure_value(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    u_char *set, ngx_uint_t json)
{
    uint64_t                  n, value;
    ngx_uint_t                i;
    const char               *word;
    const ngx_agt_latency_t  *latency;

    value = *(uint64_t *) (set + f->offset);

    switch (f->kind) {

    case NGX_AGT_FIGURE_MS:
        return ngx_slprintf(p, last, "%L", (int64_t) value);

    case NGX_AGT_FIGURE_THOUSANDTHS:
        return ngx_slprintf(p, last, "%uL.%03uL", value / 1000, value % 1000);

    case NGX_AGT_FIGURE_FLAG:
        return ngx_slprintf(p, last, value ? "true" : "false");

    case NGX_AGT_FIGURE_BREAKER:
        word = value ? "open" : "closed";
        break;

    case NGX_AGT_FIGURE_FEED:
        word = ngx_agt_figures_feed[value];
        break;

    case NGX_AGT_FIGURE_LATENCY:
        latency = (ngx_agt_latency_t *) (set + f->offset);
        n = 0;

        for (i = 0; i <= NGX_AGT_NLATENCIES; i++) {
            n += latency->calls[i];
        }

        if (!json) {
            return ngx_slprintf(p, last, "%uL", n ? latency->sum / n : 0);
        }

        p = ngx_slprintf(p, last, "{");

        for (i = 0; i < NGX_AGT_NLATENCIES; i++) {
            p = ngx_slprintf(p, last, "\"%M\":%uL,", ngx_agt_figures_ends[i],
                             latency->calls[i]);
        }

        return ngx_slprintf(p, last, "\"more\":%uL}", latency->calls[i]);

    default: /* NGX_AGT_FIGURE_NUMBER */
        return ngx_slprintf(p, last, "%uL", value);
    }

    return ngx_slprintf(p, last, json ? "\"%s\"" : "%s", word);
}


u_char *
ngx_agt_figures_prometheus(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures)
{
    u_char                  *set;
    ngx_uint_t               i, n;
    const char              *family;
    const ngx_agt_figure_t  *f;

    family = "";

    for (i = 0; i < NGX_AGT_NFIGURES; i++) {
        f = &ngx_agt_figures[i];

        if (f->family == NULL) {
            continue;
        }

        if (ngx_strcmp(f->family, family) != 0) {
            family = f->family;

            p = ngx_slprintf(p, last, "# HELP agilicus_token_%s %s\n"
                             "# TYPE agilicus_token_%s %s\n",
                             family, f->help, family, f->type);
        }

        for (n = 0;
             (set = ngx_agt_figures_set(figures,
                        &ngx_agt_figures_sections[f->section], n));
             n++)
        {
            p = ngx_agt_figure_samples(p, last, f, set);
        }
    }

    return p;
}


static u_char *
ngx_agt_figure_samples(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    u_char *set)
{
    char        label[32];
    uint64_t    value;
    ngx_uint_t  i;

    value = *(uint64_t *) (set + f->offset);

    switch (f->kind) {

    case NGX_AGT_FIGURE_MS:

        if ((int64_t) value < 0) {
            return p;
        }

        p = ngx_agt_figure_name(p, last, f, set, "", "");

        return ngx_slprintf(p, last, "%uL.%03uL\n", value / 1000,
                            value % 1000);

    case NGX_AGT_FIGURE_FLAG:
    case NGX_AGT_FIGURE_BREAKER:
        value = (value != 0);
        break;

    case NGX_AGT_FIGURE_FEED:

        for (i = 0; i < NGX_AGT_NFEED; i++) {
            (void) ngx_sprintf((u_char *) label, "state=\"%s\"%Z",
                               ngx_agt_figures_feed[i]);

            p = ngx_agt_figure_name(p, last, f, set, "", label);
            p = ngx_slprintf(p, last, "%d\n", i == value);
        }

        return p;

    case NGX_AGT_FIGURE_LATENCY:
        return ngx_agt_figure_histogram(p, last, f, set);

    default: /* NGX_AGT_FIGURE_NUMBER */
        break;
    }

    p = ngx_agt_figure_name(p, last, f, set, "", "");

    return ngx_slprintf(p, last, "%uL\n", value);
}


static u_char *
ngx_agt_figure_histogram(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    u_char *set)
{
    u_char                   *end;
    u_char                    label[NGX_INT64_LEN + sizeof("le=\".000\"")];
    uint64_t                  n;
    ngx_msec_t                ms;
    ngx_uint_t                i;
    const ngx_agt_latency_t  *latency;

    latency = (ngx_agt_latency_t *) (set + f->offset);
    n = 0;

    for (i = 0; i < NGX_AGT_NLATENCIES; i++) {
        ms = ngx_agt_figures_ends[i];
        n += latency->calls[i];

        /* "0.01", "1": the shortest way to write a number is the label */

        end = ngx_sprintf(label, "le=\"%M.%03M", ms / 1000, ms % 1000);

        while (end[-1] == '0') {
            end--;
        }

        end -= (end[-1] == '.');
        ngx_memcpy(end, "\"", 2);

        p = ngx_agt_figure_name(p, last, f, set, "_bucket", (char *) label);
        p = ngx_slprintf(p, last, "%uL\n", n);
    }

    n += latency->calls[i];

    p = ngx_agt_figure_name(p, last, f, set, "_bucket", "le=\"+Inf\"");
    p = ngx_slprintf(p, last, "%uL\n", n);

    p = ngx_agt_figure_name(p, last, f, set, "_sum", "");
    p = ngx_slprintf(p, last, "%uL.%03uL\n", latency->sum / 1000,
                     latency->sum % 1000);

    p = ngx_agt_figure_name(p, last, f, set, "_count", "");

    return ngx_slprintf(p, last, "%uL\n", n);
}


/*
 * The name of a sample with all its labels: that of the API or zone, those of
 * the figure, and "label", which may be empty.
 */

static u_char *
ngx_agt_figure_name(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    u_char *set, const char *suffix, const char *label)
{
    const char  *name;

    name = ngx_agt_figures_sections[f->section].label;

    p = ngx_slprintf(p, last, "agilicus_token_%s%s{", f->family, suffix);

    if (name) {
        p = ngx_slprintf(p, last, "%s=\"%V\",", name, set);
    }

    if (f->labels) {
        p = ngx_slprintf(p, last, "%s,", f->labels);
    }

    if (*label) {
        p = ngx_slprintf(p, last, "%s,", label);
    }

    /* in place of the last comma, or of the bracket */

    return ngx_slprintf(p - 1, last, p[-1] == ',' ? "} " : " ");
}
