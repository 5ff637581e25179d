
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/figures.h"
#include "endpoint/dashboard.h"
#include "endpoint/figures_table.h"


/* bytes that a sample takes at most, without a name, and those of HELP, TYPE */
#define NGX_AGT_FIGURES_SAMPLE  192
#define NGX_AGT_FIGURES_FAMILY  320


typedef struct {
    const char        *label[2];
    const char        *word[2];  /* the second may be NULL */
    u_char             text[NGX_INT64_LEN + 1];
    uint64_t           value;
} ngx_agt_figure_sample_t;


static const u_char *ngx_agt_figures_set(const ngx_agt_figures_t *figures,
    const ngx_agt_figures_section_t *section, ngx_uint_t n);
static u_char *ngx_agt_figures_members(u_char *p, u_char *last,
    ngx_uint_t section, const u_char *set, ngx_uint_t comma);
static u_char *ngx_agt_figures_rows(u_char *p, u_char *last,
    ngx_uint_t section, const u_char *set);
static ngx_uint_t ngx_agt_figure_is_in(const ngx_agt_figure_t *f,
    ngx_uint_t section, const u_char *set);
static u_char *ngx_agt_figure_row(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, const ngx_agt_figure_sample_t *sample,
    const u_char *set);
static ngx_uint_t ngx_agt_figure_next(const ngx_agt_figure_t *f,
    const u_char *set, ngx_uint_t *i, ngx_agt_figure_sample_t *sample);
static u_char *ngx_agt_figure_object(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, const u_char *set);
static u_char *ngx_agt_figure_value(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, const u_char *set, const char *quote);
static u_char *ngx_agt_figure_samples(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, const u_char *set);
static u_char *ngx_agt_figure_histogram(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, const u_char *set);
static u_char *ngx_agt_figure_name(u_char *p, u_char *last,
    const ngx_agt_figure_t *f, const u_char *set, const char *suffix);
static u_char *ngx_agt_figure_close(u_char *p, u_char *last, uint64_t value,
    ngx_uint_t ms);


/* the words of ngx_agt_feed_e and ngx_agt_fleet_e */

#define NGX_AGT_FIGURES_STATES  8

static const char  *ngx_agt_figures_states[][NGX_AGT_FIGURES_STATES + 1] = {
    { "off", "init", "healthy", "late", "dead", "incomplete" },
    { "off", "init", "healthy", "away", "gap", "unreadable", "full", "old" }
};


static const char  *ngx_agt_figures_results[NGX_AGT_CALLS_RESULTS] = {
    [NGX_AGT_CALLS_OK] = "ok",
    [NGX_AGT_CALLS_INVALID] = "invalid",
    [NGX_AGT_CALLS_REVOKED] = "revoked",
    [NGX_AGT_CALLS_REFUSED] = "refused",
    [NGX_AGT_CALLS_THROTTLED] = "throttled",
    [NGX_AGT_CALLS_TIMEOUT] = "timeout",
    [NGX_AGT_CALLS_FAILED] = "failed",
    [NGX_AGT_CALLS_UNUSABLE] = "unusable",
    [NGX_AGT_CALLS_NOT_THE_API] = "not_the_api",
    [NGX_AGT_CALLS_RETRIED] = "retried",
    [NGX_AGT_CALLS_DROPPED] = "dropped"
};


static const ngx_msec_t  ngx_agt_figures_ends[] = NGX_AGT_LATENCIES;


size_t
ngx_agt_figures_len(const ngx_agt_figures_t *figures, size_t row)
{
    size_t                   len, samples;
    ngx_uint_t               i;
    ngx_agt_figures_api_t   *api;
    ngx_agt_figures_zone_t  *zone;

    api = figures->apis.elts;
    zone = figures->zones.elts;
    row += NGX_AGT_FIGURES_SAMPLE;

    samples = ngx_agt_nfigures + 2 * NGX_AGT_FIGURES_STATES
              + NGX_AGT_VERDICT_LAST * (1 + NGX_AGT_REASON_LAST);

    len = ngx_agt_nfigures * NGX_AGT_FIGURES_FAMILY + samples * row;

    samples = ngx_agt_nfigures
              + NGX_AGT_OPERATION_LAST
                * (NGX_AGT_CALLS_RESULTS + NGX_AGT_NLATENCIES + 4);

    for (i = 0; i < figures->apis.nelts; i++) {
        len += samples * (row + api[i].name.len);
    }

    for (i = 0; i < figures->zones.nelts; i++) {
        len += ngx_agt_nfigures * (row + zone[i].name.len);
    }

    return len;
}


/* where values lie: of the API or zone with this number; NULL after the last */

static const u_char *
ngx_agt_figures_set(const ngx_agt_figures_t *figures,
    const ngx_agt_figures_section_t *section, ngx_uint_t n)
{
    const ngx_array_t  *a;

    if (section->label == NULL) {
        return (n == 0) ? (const u_char *) figures : NULL;
    }

    a = (const ngx_array_t *) ((const u_char *) figures + section->offset);

    return (n < a->nelts) ? (const u_char *) a->elts + n * a->size : NULL;
}


u_char *
ngx_agt_figures_json(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures)
{
    ngx_uint_t                        i, n;
    const u_char                     *set;
    const ngx_agt_figures_section_t  *s;

    p = ngx_slprintf(p, last, "{");

    for (i = 0; i < NGX_AGT_FIGURES_SECTIONS; i++) {
        s = &ngx_agt_figures_sections[i];

        if (s->name == NULL) {
            p = ngx_agt_figures_members(p, last, i,
                                        (const u_char *) figures, 0);
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
    const u_char *set, ngx_uint_t comma)
{
    ngx_uint_t               i;
    const ngx_agt_figure_t  *f;

    for (i = 0; i < ngx_agt_nfigures; i++) {
        f = &ngx_agt_figures[i];

        if (ngx_agt_figure_is_in(f, section, set)) {
            p = ngx_slprintf(p, last, "%s\"%s\":", comma ? "," : "", f->name);

            p = (f->kind < NGX_AGT_FIGURE_VERDICTS)
                ? ngx_agt_figure_value(p, last, f, set, "\"")
                : ngx_agt_figure_object(p, last, f, set);

            comma = 1;
        }
    }

    return p;
}


/* an object, or an object of objects */

static u_char *
ngx_agt_figure_object(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    const u_char *set)
{
    ngx_uint_t                i;
    const char               *before;
    ngx_agt_figure_sample_t   s;

    i = 0;
    before = NULL;

    p = ngx_slprintf(p, last, "{");

    while (ngx_agt_figure_next(f, set, &i, &s)) {

        if (s.word[0] != before) {
            p = ngx_slprintf(p, last, "%s%s\"%s\":%s",
                             (before && s.word[1]) ? "}" : "",
                             before ? "," : "", s.word[0],
                             s.word[1] ? "{" : "");
            before = s.word[0];

        } else {
            p = ngx_slprintf(p, last, ",");
        }

        if (s.word[1]) {
            p = ngx_slprintf(p, last, "\"%s\":", s.word[1]);
        }

        p = ngx_slprintf(p, last, "%uL", s.value);
    }

    return ngx_slprintf(p, last, s.word[1] ? "}}" : "}");
}


u_char *
ngx_agt_figures_tables(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures)
{
    ngx_uint_t                        i, n;
    const u_char                     *set;
    const ngx_agt_figures_section_t  *s;

    for (i = 0; i < NGX_AGT_FIGURES_SECTIONS; i++) {
        s = &ngx_agt_figures_sections[i];

        for (n = 0; (set = ngx_agt_figures_set(figures, s, n)); n++) {

            p = ngx_slprintf(p, last, "%V%s",
                             ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_SECTION),
                             s->title);

            if (s->label) {
                p = ngx_slprintf(p, last, " %V", set);
            }

            p = ngx_slprintf(p, last, "%V",
                             ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_TITLE));

            p = ngx_agt_figures_rows(p, last, i, set);

            p = ngx_slprintf(p, last, "%V",
                             ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_END));
        }
    }

    return p;
}


/* of figures with words, those that are not zero */

static u_char *
ngx_agt_figures_rows(u_char *p, u_char *last, ngx_uint_t section,
    const u_char *set)
{
    ngx_uint_t                i, n;
    const ngx_agt_figure_t   *f;
    ngx_agt_figure_sample_t   s;

    for (i = 0; i < ngx_agt_nfigures; i++) {
        f = &ngx_agt_figures[i];

        if (!ngx_agt_figure_is_in(f, section, set)) {
            continue;
        }

        if (f->kind < NGX_AGT_FIGURE_VERDICTS) {
            p = ngx_agt_figure_row(p, last, f, NULL, set);
            continue;
        }

        n = 0;

        while (ngx_agt_figure_next(f, set, &n, &s)) {
            if (s.value) {
                p = ngx_agt_figure_row(p, last, f, &s, set);
            }
        }
    }

    return p;
}


/* whether JSON and the page have a figure in a section */

static ngx_uint_t
ngx_agt_figure_is_in(const ngx_agt_figure_t *f, ngx_uint_t section,
    const u_char *set)
{
    return f->section == section && f->name
           && (f->kind != NGX_AGT_FIGURE_DATE
               || *(const int64_t *) (set + f->offset) >= 0);
}


static u_char *
ngx_agt_figure_row(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    const ngx_agt_figure_sample_t *sample, const u_char *set)
{
    p = ngx_slprintf(p, last, "%V%s",
                     ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_ROW), f->name);

    if (sample) {
        p = ngx_slprintf(p, last, " %s", sample->word[0]);
    }

    if (sample && sample->word[1]) {
        p = ngx_slprintf(p, last, " %s", sample->word[1]);
    }

    p = ngx_slprintf(p, last, "%V",
                     ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_NAME));

    p = sample ? ngx_slprintf(p, last, "%uL", sample->value)
               : ngx_agt_figure_value(p, last, f, set, "");

    return ngx_slprintf(p, last, "%V",
                        ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_VALUE));
}


/*
 * Sets "sample" to the next one of a figure that has words, "*i" being zero at
 * first.  Returns 0 after the last one, and leaves "sample" as it is.
 */

static ngx_uint_t
ngx_agt_figure_next(const ngx_agt_figure_t *f, const u_char *set, ngx_uint_t *i,
    ngx_agt_figure_sample_t *sample)
{
    uint64_t                value;
    ngx_uint_t              a, b, n, width;
    const uint64_t         *decisions;
    const ngx_agt_calls_t  *calls;

    decisions = (const uint64_t *) (set + f->offset);
    calls = (const ngx_agt_calls_t *) (set + f->offset);

    switch (f->kind) {

    case NGX_AGT_FIGURE_VERDICTS:
        a = ++(*i);

        if (a == NGX_AGT_VERDICT_LAST) {
            return 0;
        }

        value = 0;

        for (b = 0; b < NGX_AGT_REASON_LAST; b++) {
            value += decisions[a * NGX_AGT_REASON_LAST + b];
        }

        sample->word[0] = (char *) ngx_agt_verdict_word(a)->data;
        sample->word[1] = NULL;
        break;

    case NGX_AGT_FIGURE_DECISIONS:

        do {
            n = (*i)++;
            a = n / NGX_AGT_REASON_LAST;
            b = n % NGX_AGT_REASON_LAST;

            if (a == NGX_AGT_VERDICT_LAST) {
                return 0;
            }

            /* a decision that may be made is shown even if its count is 0 */

        } while (decisions[n] == 0 && !ngx_agt_reason_belongs(b, a));

        value = decisions[n];

        sample->label[0] = "verdict";
        sample->word[0] = (char *) ngx_agt_verdict_word(a)->data;
        sample->label[1] = "reason";
        sample->word[1] = (char *) ngx_agt_reason_word(b)->data;
        break;

    default: /* operations */

        width = (f->kind == NGX_AGT_FIGURE_RESULTS) ? NGX_AGT_CALLS_RESULTS
                : (f->kind == NGX_AGT_FIGURE_SUMS) ? 1
                : NGX_AGT_NLATENCIES + 1;

        a = *i / width;
        b = *i % width;

        if (a == NGX_AGT_OPERATION_LAST) {
            return 0;
        }

        (*i)++;

        sample->label[0] = "operation";
        sample->label[1] = "result";
        sample->word[0] = (char *) ngx_agt_operation_word(a)->data;
        sample->word[1] = NULL;

        if (f->kind == NGX_AGT_FIGURE_RESULTS) {
            sample->word[1] = ngx_agt_figures_results[b];
            value = calls[a].results[b];

        } else if (f->kind == NGX_AGT_FIGURE_SUMS) {
            value = calls[a].latency.sum;

        } else {
            value = calls[a].latency.calls[b];
            sample->word[1] = "more";

            if (b < NGX_AGT_NLATENCIES) {
                (void) ngx_sprintf(sample->text, "%M%Z",
                                   ngx_agt_figures_ends[b]);
                sample->word[1] = (char *) sample->text;
            }
        }

        break;
    }

    sample->value = value;

    return 1;
}


/* a value for JSON, or for people, whose words are in no quotes */

static u_char *
ngx_agt_figure_value(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    const u_char *set, const char *quote)
{
    uint64_t     value;
    const char  *word;

    value = *(const uint64_t *) (set + f->offset);

    switch (f->kind) {

    case NGX_AGT_FIGURE_TEXT:
        word = (char *) ((const ngx_str_t *) (set + f->offset))->data;
        break;

    case NGX_AGT_FIGURE_MS:
    case NGX_AGT_FIGURE_DATE:
        return ngx_slprintf(p, last, "%L", (int64_t) value);

    case NGX_AGT_FIGURE_THOUSANDTHS:
        return ngx_slprintf(p, last, "%uL.%03uL", value / 1000, value % 1000);

    case NGX_AGT_FIGURE_FLAG:
        return ngx_slprintf(p, last, value ? "true" : "false");

    case NGX_AGT_FIGURE_BREAKER:
        word = value ? "open" : "closed";
        break;

    case NGX_AGT_FIGURE_FEED:
    case NGX_AGT_FIGURE_FLEET:
        word = ngx_agt_figures_states[f->kind - NGX_AGT_FIGURE_FEED][value];
        break;

    default: /* NGX_AGT_FIGURE_NUMBER */
        return ngx_slprintf(p, last, "%uL", value);
    }

    return ngx_slprintf(p, last, "%s%s%s", quote, word, quote);
}


u_char *
ngx_agt_figures_prometheus(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures)
{
    ngx_uint_t               i, n;
    const char              *family;
    const u_char            *set;
    const ngx_agt_figure_t  *f;

    family = "";

    for (i = 0; i < ngx_agt_nfigures; i++) {
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
    const u_char *set)
{
    uint64_t                 value;
    ngx_uint_t               i, ms;
    const char             **words;
    ngx_agt_figure_sample_t  s;

    value = *(const uint64_t *) (set + f->offset);
    ms = 0;

    switch (f->kind) {

    case NGX_AGT_FIGURE_MS:
    case NGX_AGT_FIGURE_DATE:

        if ((int64_t) value < 0) {
            return p;
        }

        ms = 1;
        break;

    case NGX_AGT_FIGURE_FLAG:
    case NGX_AGT_FIGURE_BREAKER:
        value = (value != 0);
        break;

    case NGX_AGT_FIGURE_FEED:
    case NGX_AGT_FIGURE_FLEET:
        words = ngx_agt_figures_states[f->kind - NGX_AGT_FIGURE_FEED];

        for (i = 0; words[i]; i++) {
            p = ngx_agt_figure_name(p, last, f, set, "");
            p = ngx_slprintf(p, last, "state=\"%s\",", words[i]);
            p = ngx_agt_figure_close(p, last, i == value, 0);
        }

        return p;

    case NGX_AGT_FIGURE_LATENCIES:
        return ngx_agt_figure_histogram(p, last, f, set);

    case NGX_AGT_FIGURE_DECISIONS:
    case NGX_AGT_FIGURE_RESULTS:
        i = 0;

        while (ngx_agt_figure_next(f, set, &i, &s)) {
            p = ngx_agt_figure_name(p, last, f, set, "");
            p = ngx_slprintf(p, last, "%s=\"%s\",%s=\"%s\",", s.label[0],
                             s.word[0], s.label[1], s.word[1]);
            p = ngx_agt_figure_close(p, last, s.value, 0);
        }

        return p;

    default: /* NGX_AGT_FIGURE_NUMBER */
        break;
    }

    p = ngx_agt_figure_name(p, last, f, set, "");

    return ngx_agt_figure_close(p, last, value, ms);
}


static u_char *
ngx_agt_figure_histogram(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    const u_char *set)
{
    u_char                   *end;
    u_char                    le[NGX_INT64_LEN + sizeof(".000")];
    uint64_t                  n;
    ngx_msec_t                ms;
    ngx_uint_t                a, i;
    const ngx_str_t          *operation;
    const ngx_agt_latency_t  *latency;

    for (a = 0; a < NGX_AGT_OPERATION_LAST; a++) {
        operation = ngx_agt_operation_word(a);
        latency = &((const ngx_agt_calls_t *) (set + f->offset))[a].latency;
        n = 0;

        for (i = 0; i <= NGX_AGT_NLATENCIES; i++) {
            n += latency->calls[i];
            end = ngx_cpymem(le, "+Inf", 4);

            if (i < NGX_AGT_NLATENCIES) {
                ms = ngx_agt_figures_ends[i];

                /* "0.01", "1": the label is the shortest way to write it */

                end = ngx_sprintf(le, "%M.%03M", ms / 1000, ms % 1000);

                while (end[-1] == '0') {
                    end--;
                }

                end -= (end[-1] == '.');
            }

            p = ngx_agt_figure_name(p, last, f, set, "_bucket");
            p = ngx_slprintf(p, last, "operation=\"%V\",le=\"%*s\",",
                             operation, (size_t) (end - le), le);
            p = ngx_agt_figure_close(p, last, n, 0);
        }

        p = ngx_agt_figure_name(p, last, f, set, "_sum");
        p = ngx_slprintf(p, last, "operation=\"%V\",", operation);
        p = ngx_agt_figure_close(p, last, latency->sum, 1);

        p = ngx_agt_figure_name(p, last, f, set, "_count");
        p = ngx_slprintf(p, last, "operation=\"%V\",", operation);
        p = ngx_agt_figure_close(p, last, n, 0);
    }

    return p;
}


/*
 * The name of a sample with the label of the API or zone and those of the
 * figure.  More labels, each with a comma after it, may follow, and then
 * ngx_agt_figure_close() must.
 */

static u_char *
ngx_agt_figure_name(u_char *p, u_char *last, const ngx_agt_figure_t *f,
    const u_char *set, const char *suffix)
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

    return p;
}


/*
 * Writes in place of the last comma, or of the bracket; then the value, which
 * is in seconds if it is given in milliseconds.
 */

static u_char *
ngx_agt_figure_close(u_char *p, u_char *last, uint64_t value, ngx_uint_t ms)
{
    p = ngx_slprintf(p - 1, last, p[-1] == ',' ? "} " : " ");

    return ms ? ngx_slprintf(p, last, "%uL.%03uL\n", value / 1000,
                             value % 1000)
              : ngx_slprintf(p, last, "%uL\n", value);
}
