
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/counts.h"


typedef struct {
    u_char      id[NGX_AGT_FLEET_WRITER_LEN];
    uint64_t    first;    /* that has to be there; 0: the place is free */
    uint64_t    last;     /* that is known to have been used */
    uint64_t    upto;     /* "last" when everything was asked for again */
    uint64_t    seen;     /* ms, monotonic: when a number was read last */
    ngx_uint_t  told;     /* the last mark that has told the first; 0: none */
} ngx_agt_counts_writer_t;


typedef struct {
    ngx_uint_t  writer;
    uint64_t    from;
    uint64_t    to;
} ngx_agt_counts_gap_t;


/* the writers follow, and then as many gaps as there may be writers */

struct ngx_agt_counts_s {
    ngx_uint_t               max;       /* writers, and gaps */
    ngx_uint_t               nwriters;  /* places that were ever used */
    ngx_uint_t               ngaps;
    ngx_uint_t               refused;

    ngx_uint_t               marked;    /* marks that there were */
    uint64_t                 marked_at; /* milliseconds, monotonic: the last */
    ngx_uint_t               again;     /* was read from the start */
    ngx_uint_t               asked;     /* a mark has to heal it */
    uint64_t                 asked_at;  /* milliseconds, monotonic */

    ngx_agt_counts_writer_t  writers[];
};


#define ngx_agt_counts_gaps(counts)                                           \
    ((ngx_agt_counts_gap_t *) &(counts)->writers[(counts)->max])


static ngx_agt_counts_writer_t *ngx_agt_counts_find(
    const ngx_agt_counts_t *counts, const u_char *id);
static ngx_agt_counts_writer_t *ngx_agt_counts_add(ngx_agt_counts_t *counts,
    const u_char *id, uint64_t first, uint64_t now);
static ngx_agt_counts_writer_t *ngx_agt_counts_free(ngx_agt_counts_t *counts);
static void ngx_agt_counts_line(ngx_agt_counts_t *counts,
    const ngx_agt_fleet_line_t *line, uint64_t now);
static void ngx_agt_counts_lacks(ngx_agt_counts_t *counts,
    const ngx_agt_fleet_line_t *lines, ngx_uint_t n, const u_char *own,
    uint32_t *lacks);
static uint64_t ngx_agt_counts_told(const ngx_agt_counts_writer_t *w,
    const ngx_agt_fleet_line_t *lines, ngx_uint_t n);
static void ngx_agt_counts_raise(ngx_agt_counts_t *counts,
    ngx_agt_counts_writer_t *w, uint64_t first);
static void ngx_agt_counts_miss(ngx_agt_counts_t *counts,
    ngx_agt_counts_writer_t *w, uint64_t from, uint64_t to);
static void ngx_agt_counts_merge(ngx_agt_counts_t *counts);
static ngx_uint_t ngx_agt_counts_is_missing(const ngx_agt_counts_t *counts,
    const ngx_agt_counts_writer_t *w, uint64_t number);
static void ngx_agt_counts_fill(ngx_agt_counts_t *counts,
    ngx_agt_counts_writer_t *w, uint64_t number);
static ngx_agt_counts_gap_t *ngx_agt_counts_gap(
    const ngx_agt_counts_t *counts, const ngx_agt_counts_writer_t *w);


size_t
ngx_agt_counts_size(ngx_uint_t n)
{
    return sizeof(ngx_agt_counts_t)
           + n * (sizeof(ngx_agt_counts_writer_t)
                  + sizeof(ngx_agt_counts_gap_t));
}


ngx_agt_counts_t *
ngx_agt_counts_init(void *mem, size_t size)
{
    ngx_agt_counts_t *counts = mem;

    if (size < ngx_agt_counts_size(1)) {
        return NULL;
    }

    counts->max = (size - sizeof(ngx_agt_counts_t))
                  / (ngx_agt_counts_size(1) - sizeof(ngx_agt_counts_t));

    counts->max = ngx_min(counts->max, NGX_AGT_FLEET_WRITERS);

    ngx_agt_counts_clear(counts);

    return counts;
}


/* not whole from the first step on */

void
ngx_agt_counts_clear(ngx_agt_counts_t *counts)
{
    counts->marked = 0;
    ngx_memory_barrier();

    counts->ngaps = 0;
    counts->nwriters = 0;
    counts->refused = 0;
    counts->again = 0;
    counts->asked = 0;
    counts->asked_at = 0;
    counts->marked_at = 0;
}


ngx_uint_t
ngx_agt_counts_is_used(const ngx_agt_counts_t *counts, const u_char *writer,
    uint64_t number)
{
    ngx_agt_counts_writer_t  *w;

    w = ngx_agt_counts_find(counts, writer);

    if (w == NULL || number > w->last) {
        return 0;
    }

    if (number < w->first) {
        return w->told != 0;
    }

    return !ngx_agt_counts_is_missing(counts, w, number);
}


/* a gap is written before the number that shows it */

ngx_agt_counts_number_e
ngx_agt_counts_take(ngx_agt_counts_t *counts, const u_char *writer,
    uint64_t number, uint64_t now)
{
    uint64_t                  from, to;
    ngx_agt_counts_writer_t  *w;

    w = ngx_agt_counts_find(counts, writer);

    if (w == NULL) {
        w = ngx_agt_counts_add(counts, writer, number, now);
        if (w == NULL) {
            return NGX_AGT_COUNTS_FULL;
        }

        w->last = number;

        return NGX_AGT_COUNTS_NEW;
    }

    w->seen = now;

    if (number > w->last) {
        from = w->last + 1;
        to = number - 1;

        if (from <= to) {
            ngx_agt_counts_miss(counts, w, from, to);
        }

        w->last = number;

        return (from <= to) ? NGX_AGT_COUNTS_GAP : NGX_AGT_COUNTS_NEW;
    }

    if (number < w->first) {

        if (w->told) {
            return NGX_AGT_COUNTS_DUPLICATE;
        }

        from = number + 1;
        to = w->first - 1;

        if (from <= to) {
            ngx_agt_counts_miss(counts, w, from, to);
        }

        w->first = number;

        return (from <= to) ? NGX_AGT_COUNTS_GAP : NGX_AGT_COUNTS_NEW;
    }

    if (!ngx_agt_counts_is_missing(counts, w, number)) {
        return NGX_AGT_COUNTS_DUPLICATE;
    }

    ngx_agt_counts_fill(counts, w, number);

    return NGX_AGT_COUNTS_NEW;
}


void
ngx_agt_counts_mark(ngx_agt_counts_t *counts,
    const ngx_agt_fleet_line_t *lines, ngx_uint_t n, const u_char *own,
    uint64_t now, uint32_t *lacks)
{
    ngx_uint_t                i;
    ngx_agt_counts_writer_t  *w;

    for (i = 0; i < n; i++) {
        ngx_agt_counts_line(counts, &lines[i], now);
    }

    ngx_agt_counts_lacks(counts, lines, n, own, lacks);

    /*
     * The edge that marks has forgotten a writer of which no entry stands, or
     * has never read the numbers that are missing here; all edges were asked
     * for them meanwhile.  It may not have read yet an entry that was read here
     * a moment ago.
     */

    for (i = 0; i < counts->nwriters; i++) {
        w = &counts->writers[i];

        if (w->first && now - ngx_min(w->seen, now) >= NGX_AGT_COUNTS_UNTOLD
            && ngx_agt_counts_told(w, lines, n) < w->last)
        {
            ngx_agt_counts_raise(counts, w, w->last + 1);
        }
    }

    if (counts->ngaps == 0) {
        counts->asked = 0;
    }

    counts->marked_at = now;
    counts->marked++;
}


/*
 * A number that was read since the last mark may be on its way to the edge that
 * marks, and where one is missing here, all are asked anyway.  None of the
 * writer's need be there any more, since other edges will tell its denials; a
 * process that dies has told the caller before.
 */

static void
ngx_agt_counts_lacks(ngx_agt_counts_t *counts,
    const ngx_agt_fleet_line_t *lines, ngx_uint_t n, const u_char *own,
    uint32_t *lacks)
{
    ngx_uint_t                i;
    ngx_agt_counts_writer_t  *w;

    for (i = 0; i < counts->nwriters; i++) {
        w = &counts->writers[i];

        if (w->first == 0 || w->first > w->last || w->seen >= counts->marked_at
            || ngx_agt_counts_gap(counts, w) != NULL
            || ngx_memcmp(w->id, own, NGX_AGT_FLEET_WRITER_LEN) == 0)
        {
            continue;
        }

        if (ngx_agt_counts_told(w, lines, n) < w->last) {
            *lacks = 1;
            ngx_memory_barrier();

            ngx_agt_counts_raise(counts, w, w->last + 1);
        }
    }
}


/* the last number of a writer that the edge which marks has read, or 0 */

static uint64_t
ngx_agt_counts_told(const ngx_agt_counts_writer_t *w,
    const ngx_agt_fleet_line_t *lines, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_memcmp(w->id, lines[i].writer, NGX_AGT_FLEET_WRITER_LEN) == 0) {
            return lines[i].last;
        }
    }

    return 0;
}


static void
ngx_agt_counts_line(ngx_agt_counts_t *counts, const ngx_agt_fleet_line_t *line,
    uint64_t now)
{
    ngx_agt_counts_writer_t  *w;

    w = ngx_agt_counts_find(counts, line->writer);

    if (w == NULL) {

        if (line->first > line->last) {
            return;
        }

        w = ngx_agt_counts_add(counts, line->writer, line->first, now);
        if (w == NULL) {
            return;
        }
    }

    if (line->first < w->first && !w->told) {
        ngx_agt_counts_miss(counts, w, line->first, w->first - 1);
        w->first = line->first;
    }

    w->told = counts->marked + 1;

    ngx_agt_counts_raise(counts, w, line->first);

    if (line->last > w->last) {
        ngx_agt_counts_miss(counts, w, w->last + 1, line->last);
        w->last = line->last;
    }
}


void
ngx_agt_counts_trimmed(ngx_agt_counts_t *counts, const u_char *writer,
    uint64_t number)
{
    ngx_agt_counts_writer_t  *w;

    w = ngx_agt_counts_find(counts, writer);

    if (w && number >= w->first) {
        w->told = 1;
        ngx_agt_counts_raise(counts, w, number + 1);
    }
}


void
ngx_agt_counts_resend(ngx_agt_counts_t *counts)
{
    ngx_uint_t  i;

    for (i = 0; i < counts->nwriters; i++) {
        counts->writers[i].upto = counts->writers[i].last;
    }
}


void
ngx_agt_counts_resent(ngx_agt_counts_t *counts)
{
    ngx_uint_t                i;
    ngx_agt_counts_writer_t  *w;

    for (i = 0; i < counts->nwriters; i++) {
        w = &counts->writers[i];

        if (w->first && w->upto) {
            w->told = 1;
            ngx_agt_counts_raise(counts, w, w->upto + 1);
            w->upto = 0;
        }
    }
}


ngx_uint_t
ngx_agt_counts_lines(const ngx_agt_counts_t *counts,
    ngx_agt_fleet_line_t *lines)
{
    ngx_uint_t                      i, n;
    ngx_agt_counts_gap_t           *gap;
    const ngx_agt_counts_writer_t  *w;

    n = 0;

    for (i = 0; i < counts->nwriters; i++) {
        w = &counts->writers[i];

        if (w->first == 0) {
            continue;
        }

        gap = ngx_agt_counts_gap(counts, w);

        ngx_memcpy(lines[n].writer, w->id, NGX_AGT_FLEET_WRITER_LEN);
        lines[n].first = w->first;
        lines[n].last = gap ? gap->from - 1 : w->last;
        n++;
    }

    return n;
}


void
ngx_agt_counts_expire(ngx_agt_counts_t *counts, uint64_t now, uint64_t idle)
{
    ngx_uint_t                i;
    ngx_agt_counts_writer_t  *w;

    for (i = 0; i < counts->nwriters; i++) {
        w = &counts->writers[i];

        if (w->first > w->last && now > w->seen && now - w->seen >= idle
            && ngx_agt_counts_gap(counts, w) == NULL)
        {
            w->first = 0;
        }
    }
}


ngx_agt_counts_step_e
ngx_agt_counts_step(ngx_agt_counts_t *counts, uint64_t now)
{
    if (ngx_agt_counts_whole(counts)) {
        counts->again = 0;
        return NGX_AGT_COUNTS_WHOLE;
    }

    if (counts->refused && ngx_agt_counts_free(counts)) {
        ngx_agt_counts_clear(counts);
        return NGX_AGT_COUNTS_READ;
    }

    if (counts->ngaps == 0) {
        return NGX_AGT_COUNTS_WAIT;
    }

    if (!counts->again) {
        counts->again = 1;
        return NGX_AGT_COUNTS_READ;
    }

    if (counts->asked && now < counts->asked_at + NGX_AGT_COUNTS_AGAIN) {
        return NGX_AGT_COUNTS_WAIT;
    }

    counts->asked = 1;
    counts->asked_at = now;

    return NGX_AGT_COUNTS_ASK;
}


ngx_uint_t
ngx_agt_counts_whole(const ngx_agt_counts_t *counts)
{
    return counts->marked && counts->ngaps == 0 && counts->refused == 0
           && !counts->asked;
}


uint64_t
ngx_agt_counts_missing(const ngx_agt_counts_t *counts)
{
    uint64_t               missing;
    ngx_uint_t             i;
    ngx_agt_counts_gap_t  *gap;

    gap = ngx_agt_counts_gaps(counts);
    missing = 0;

    /* numbers have 63 bits, so one sum cannot overflow without being seen */

    for (i = 0; i < counts->ngaps; i++) {
        missing += gap[i].to - gap[i].from + 1;
        missing = ngx_min(missing, NGX_AGT_FLEET_NUMBER_MAX);
    }

    return missing;
}


uint64_t
ngx_agt_counts_read(const ngx_agt_counts_t *counts, const u_char *writer,
    uint64_t from)
{
    ngx_agt_counts_gap_t     *gap;
    ngx_agt_counts_writer_t  *w;

    w = ngx_agt_counts_find(counts, writer);

    if (w == NULL || w->first > from) {
        return 0;
    }

    gap = ngx_agt_counts_gap(counts, w);

    return gap ? gap->from - 1 : w->last;
}


uint64_t
ngx_agt_counts_first(const ngx_agt_counts_t *counts, const u_char *writer)
{
    ngx_agt_counts_writer_t  *w;

    w = ngx_agt_counts_find(counts, writer);

    return w ? w->first : 0;
}


ngx_uint_t
ngx_agt_counts_refused(const ngx_agt_counts_t *counts)
{
    return counts->refused;
}


static ngx_agt_counts_writer_t *
ngx_agt_counts_find(const ngx_agt_counts_t *counts, const u_char *id)
{
    ngx_uint_t                      i;
    const ngx_agt_counts_writer_t  *w;

    w = counts->writers;

    for (i = 0; i < counts->nwriters; i++) {
        if (w[i].first
            && ngx_memcmp(w[i].id, id, NGX_AGT_FLEET_WRITER_LEN) == 0)
        {
            return (ngx_agt_counts_writer_t *) &w[i];
        }
    }

    return NULL;
}


/* the place is taken by the store of "first", of which nothing is read yet */

static ngx_agt_counts_writer_t *
ngx_agt_counts_add(ngx_agt_counts_t *counts, const u_char *id, uint64_t first,
    uint64_t now)
{
    ngx_agt_counts_writer_t  *w;

    w = ngx_agt_counts_free(counts);

    if (w == NULL) {
        counts->refused++;
        return NULL;
    }

    ngx_memcpy(w->id, id, NGX_AGT_FLEET_WRITER_LEN);
    w->last = first - 1;
    w->upto = 0;
    w->seen = now;
    w->told = 0;

    ngx_memory_barrier();
    w->first = first;

    if (w == &counts->writers[counts->nwriters]) {
        ngx_memory_barrier();
        counts->nwriters++;
    }

    return w;
}


static ngx_agt_counts_writer_t *
ngx_agt_counts_free(ngx_agt_counts_t *counts)
{
    ngx_uint_t  i;

    for (i = 0; i < counts->nwriters; i++) {
        if (counts->writers[i].first == 0) {
            return &counts->writers[i];
        }
    }

    return (i < counts->max) ? &counts->writers[i] : NULL;
}


/*
 * Numbers below "first" need not be there any more.  Gaps below it may be left
 * over from a process that died in here.
 */

static void
ngx_agt_counts_raise(ngx_agt_counts_t *counts, ngx_agt_counts_writer_t *w,
    uint64_t first)
{
    ngx_uint_t             i;
    ngx_agt_counts_gap_t  *gap;

    if (first < w->first) {
        return;
    }

    w->first = first;
    w->last = ngx_max(w->last, first - 1);

    gap = ngx_agt_counts_gaps(counts);
    i = 0;

    while (i < counts->ngaps) {

        if (&counts->writers[gap[i].writer] == w) {

            if (gap[i].to < first) {
                gap[i] = gap[counts->ngaps - 1];
                ngx_memory_barrier();
                counts->ngaps--;
                continue;
            }

            gap[i].from = ngx_max(gap[i].from, first);
        }

        i++;
    }
}


/*
 * Notes that a range of numbers is missing.  There are as many gaps as writers:
 * where all are in use and this writer has none, another writer has two.
 */

static void
ngx_agt_counts_miss(ngx_agt_counts_t *counts, ngx_agt_counts_writer_t *w,
    uint64_t from, uint64_t to)
{
    ngx_agt_counts_gap_t  *gap;

    if (counts->ngaps == counts->max) {
        gap = ngx_agt_counts_gap(counts, w);

        if (gap) {
            gap->to = ngx_max(gap->to, to);
            gap->from = ngx_min(gap->from, from);
            return;
        }

        ngx_agt_counts_merge(counts);
    }

    gap = &ngx_agt_counts_gaps(counts)[counts->ngaps];

    gap->writer = (ngx_uint_t) (w - counts->writers);
    gap->from = from;
    gap->to = to;

    ngx_memory_barrier();
    counts->ngaps++;
}


/* makes one gap of the last one and another of the same writer, if any */

static void
ngx_agt_counts_merge(ngx_agt_counts_t *counts)
{
    ngx_uint_t             i, j;
    ngx_agt_counts_gap_t  *gap;

    gap = ngx_agt_counts_gaps(counts);

    for (j = counts->ngaps - 1; j > 0; j--) {
        for (i = 0; i < j; i++) {

            if (gap[i].writer != gap[j].writer) {
                continue;
            }

            gap[i].from = ngx_min(gap[i].from, gap[j].from);
            gap[i].to = ngx_max(gap[i].to, gap[j].to);

            ngx_memory_barrier();
            gap[j] = gap[counts->ngaps - 1];

            ngx_memory_barrier();
            counts->ngaps--;

            return;
        }
    }
}


static ngx_uint_t
ngx_agt_counts_is_missing(const ngx_agt_counts_t *counts,
    const ngx_agt_counts_writer_t *w, uint64_t number)
{
    ngx_uint_t             i;
    ngx_agt_counts_gap_t  *gap;

    gap = ngx_agt_counts_gaps(counts);

    for (i = 0; i < counts->ngaps; i++) {
        if (&counts->writers[gap[i].writer] == w
            && gap[i].from <= number && number <= gap[i].to)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Takes a number out of the gaps.  Where a gap would become two and there is no
 * room, it stays as it is.
 */

static void
ngx_agt_counts_fill(ngx_agt_counts_t *counts, ngx_agt_counts_writer_t *w,
    uint64_t number)
{
    ngx_uint_t             i, n;
    ngx_agt_counts_gap_t  *gap;

    gap = ngx_agt_counts_gaps(counts);
    i = 0;

    while (i < counts->ngaps) {

        if (&counts->writers[gap[i].writer] != w
            || number < gap[i].from || number > gap[i].to)
        {
            i++;
            continue;
        }

        if (gap[i].from == gap[i].to) {
            gap[i] = gap[counts->ngaps - 1];
            ngx_memory_barrier();
            counts->ngaps--;
            continue;
        }

        if (number == gap[i].from) {
            gap[i].from++;

        } else if (number == gap[i].to) {
            gap[i].to--;

        } else if (counts->ngaps < counts->max) {
            n = counts->ngaps;

            gap[n] = gap[i];
            gap[n].from = number + 1;

            ngx_memory_barrier();
            counts->ngaps++;

            ngx_memory_barrier();
            gap[i].to = number - 1;
        }

        i++;
    }
}


/* returns the lowest gap of a writer, or NULL */

static ngx_agt_counts_gap_t *
ngx_agt_counts_gap(const ngx_agt_counts_t *counts,
    const ngx_agt_counts_writer_t *w)
{
    ngx_uint_t             i;
    ngx_agt_counts_gap_t  *gap, *lowest;

    gap = ngx_agt_counts_gaps(counts);
    lowest = NULL;

    for (i = 0; i < counts->ngaps; i++) {
        if (&counts->writers[gap[i].writer] == w
            && (lowest == NULL || gap[i].from < lowest->from))
        {
            lowest = &gap[i];
        }
    }

    return lowest;
}
