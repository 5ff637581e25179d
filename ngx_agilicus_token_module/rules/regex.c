
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/regex.h"

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>
#include <time.h>


/* text around a pattern that may match anywhere */
#define NGX_AGT_REGEX_HEAD     "(?s:.*?)(?:"
#define NGX_AGT_REGEX_TAIL     ")"

/* bytes of memory for one match, in the kilobytes of PCRE2 */
#define NGX_AGT_REGEX_HEAP     4096
#define NGX_AGT_REGEX_NESTING  65536

/* the clock is read after so many estimated nanoseconds */
#define NGX_AGT_REGEX_QUANTUM  500000

/* branches that a match may try at first */
#define NGX_AGT_REGEX_TRIES    128

/* estimated nanoseconds of a compilation, plus the same for each 16 bytes */
#define NGX_AGT_REGEX_COMPILE  1000


typedef struct ngx_agt_pattern_s  ngx_agt_pattern_t;

struct ngx_agt_pattern_s {
    ngx_queue_t         queue;
    ngx_agt_pattern_t  *next;     /* of the same bucket */

    pcre2_code         *code;     /* NULL: pattern not taken */
    size_t              size;
    uint32_t            hash;
    uint32_t            search;

    size_t              len;
    u_char              text[];
};


struct ngx_agt_regex_s {
    pcre2_general_context  *memory;
    pcre2_compile_context  *compile;
    pcre2_match_context    *match;
    pcre2_match_data       *data;

    ngx_queue_t             queue;    /* the last used comes first */
    ngx_uint_t              slots;
    ngx_uint_t              n;
    size_t                  kept;

    uint64_t                start;    /* 0: the clock was not read */
    uint64_t                spent;
    uint64_t                pending;  /* reckoned since */

    uint32_t                mask;
    ngx_agt_pattern_t      *buckets[];
};


static void *ngx_agt_regex_pcre2_alloc(size_t size, void *data);
static void ngx_agt_regex_pcre2_free(void *p, void *data);
static uint64_t ngx_agt_regex_clock(ngx_agt_regex_t *p);
static ngx_agt_pattern_t *ngx_agt_regex_get(ngx_agt_regex_t *p,
    const ngx_str_t *text, uint32_t hash, uint32_t search);
static ngx_agt_pattern_t *ngx_agt_regex_add(ngx_agt_regex_t *p,
    const ngx_str_t *text, uint32_t hash, uint32_t search);
static void ngx_agt_regex_evict(ngx_agt_regex_t *p);
static pcre2_code *ngx_agt_pattern_compile(ngx_agt_regex_t *p,
    const ngx_str_t *text, ngx_uint_t search, ngx_int_t *rc);
static ngx_uint_t ngx_agt_pattern_is_taken(const ngx_str_t *text);
static ngx_uint_t ngx_agt_pattern_is_group(const u_char *p, const u_char *end);


static void *(*ngx_agt_regex_malloc)(size_t size) = malloc;
static void (*ngx_agt_regex_release)(void *p) = free;


ngx_agt_regex_t *
ngx_agt_regex_create(ngx_uint_t slots)
{
    uint32_t          buckets;
    ngx_agt_regex_t  *p;

    for (buckets = 1; buckets < slots && buckets < 65536; buckets *= 2) {
        /* void */
    }

    p = ngx_agt_regex_alloc(
                          sizeof(ngx_agt_regex_t)
                          + buckets * sizeof(ngx_agt_pattern_t *));
    if (p == NULL) {
        return NULL;
    }

    ngx_queue_init(&p->queue);

    p->slots = slots ? slots : 1;
    p->mask = buckets - 1;

    p->memory = pcre2_general_context_create(
                                      ngx_agt_regex_pcre2_alloc,
                                      ngx_agt_regex_pcre2_free,
                                      NULL);

    if (p->memory) {
        p->compile = pcre2_compile_context_create(p->memory);
        p->match = pcre2_match_context_create(p->memory);
        p->data = pcre2_match_data_create(1, p->memory);
    }

    if (p->compile == NULL || p->match == NULL || p->data == NULL) {
        ngx_agt_regex_destroy(p);
        return NULL;
    }

    pcre2_set_parens_nest_limit(p->compile, NGX_AGT_REGEX_MAX_DEPTH);
    pcre2_set_heap_limit(p->match, NGX_AGT_REGEX_HEAP);
    pcre2_set_depth_limit(p->match, NGX_AGT_REGEX_NESTING);

    return p;
}


void
ngx_agt_regex_destroy(ngx_agt_regex_t *p)
{
    if (p == NULL) {
        return;
    }

    while (p->n) {
        ngx_agt_regex_evict(p);
    }

    pcre2_match_data_free(p->data);
    pcre2_match_context_free(p->match);
    pcre2_compile_context_free(p->compile);
    pcre2_general_context_free(p->memory);

    ngx_agt_regex_free(p);
}


void
ngx_agt_regex_begin(ngx_agt_regex_t *p, uint64_t spent)
{
    p->start = 0;
    p->spent = spent;
    p->pending = 0;
}


uint64_t
ngx_agt_regex_spent(ngx_agt_regex_t *p)
{
    return p->spent + p->pending;
}


ngx_int_t
ngx_agt_regex_spend(ngx_agt_regex_t *p, uint64_t ns)
{
    p->pending += ns;

    if (p->pending >= NGX_AGT_REGEX_QUANTUM) {
        (void) ngx_agt_regex_clock(p);
    }

    return (p->spent < NGX_AGT_REGEX_BUDGET) ? NGX_OK : NGX_ERROR;
}


/*
 * The limit of PCRE2 counts branches.  The cost of a branch depends on the
 * pattern: it may read the whole subject.  So a match gets few branches at
 * first, and then only so many more as fit the budget at the highest cost.
 */

ngx_int_t
ngx_agt_regex_match(ngx_agt_regex_t *p, const ngx_str_t *pattern,
    uint32_t hash, ngx_uint_t search, const ngx_str_t *subject)
{
    int                 rc;
    uint64_t            branch, limit, more, start, used;
    ngx_agt_pattern_t  *e;

    e = ngx_agt_regex_get(p, pattern, hash, search != 0);

    if (e == NULL || e->code == NULL) {
        return NGX_ERROR;
    }

    branch = 2 * subject->len + 32;
    limit = ngx_min(NGX_AGT_REGEX_TRIES,
                    NGX_AGT_REGEX_QUANTUM / branch + 1);

    if (ngx_agt_regex_spend(p, limit * branch) != NGX_OK) {
        return NGX_ERROR;
    }

    start = p->spent;

    for ( ;; ) {
        pcre2_set_match_limit(p->match, (uint32_t) limit);

        rc = pcre2_match(e->code, subject->data, subject->len, 0,
                         PCRE2_NO_UTF_CHECK, p->data, p->match);

        if (rc >= 0) {
            return NGX_OK;
        }

        if (rc == PCRE2_ERROR_NOMATCH) {
            return NGX_DECLINED;
        }

        if (rc != PCRE2_ERROR_MATCHLIMIT) {
            return NGX_ERROR;
        }

        used = ngx_agt_regex_clock(p) - start;
        start = p->spent;

        if (start + used >= NGX_AGT_REGEX_BUDGET) {
            break;
        }

        more = (NGX_AGT_REGEX_BUDGET - start - used) / branch;

        if (more == 0) {
            break;
        }

        limit += ngx_min(more, 3 * limit);
    }

    /* the match would take too long: the rest of the budget is spent, too */

    p->spent = NGX_AGT_REGEX_BUDGET;

    return NGX_ERROR;
}


void
ngx_agt_regex_set_alloc(void *(*alloc)(size_t size),
    void (*release)(void *p))
{
    ngx_agt_regex_malloc = alloc;
    ngx_agt_regex_release = release;
}


void *
ngx_agt_regex_alloc(size_t size)
{
    void  *p;

    p = ngx_agt_regex_malloc(size);

    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


void
ngx_agt_regex_free(void *p)
{
    ngx_agt_regex_release(p);
}


static void *
ngx_agt_regex_pcre2_alloc(size_t size, void *data)
{
    return ngx_agt_regex_malloc(size);
}


static void
ngx_agt_regex_pcre2_free(void *p, void *data)
{
    ngx_agt_regex_release(p);
}


/* reads the clock, and returns how much the decision has spent so far */

static uint64_t
ngx_agt_regex_clock(ngx_agt_regex_t *p)
{
    uint64_t         now;
    struct timespec  ts;

    /* processor time: the result must not depend on the load of the machine */

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    now = (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;

    /*
     * The clock goes on from the time that was spent before its first reading.
     */

    if (p->start == 0) {
        p->start = now - p->spent;
    }

    if (now - p->start > p->spent) {
        p->spent = now - p->start;
    }

    p->pending = 0;

    return p->spent;
}


static ngx_agt_pattern_t *
ngx_agt_regex_get(ngx_agt_regex_t *p,
    const ngx_str_t *text, uint32_t hash, uint32_t search)
{
    ngx_agt_pattern_t  *e;

    for (e = p->buckets[hash & p->mask]; e; e = e->next) {

        if (e->hash == hash && e->search == search && e->len == text->len
            && ngx_memcmp(e->text, text->data, e->len) == 0)
        {
            if (ngx_queue_head(&p->queue) != &e->queue) {
                ngx_queue_remove(&e->queue);
                ngx_queue_insert_head(&p->queue, &e->queue);
            }

            return e;
        }
    }

    return ngx_agt_regex_add(p, text, hash, search);
}


/*
 * A pattern that is not taken is kept too, so that it need not be looked at
 * again; NULL is returned where the budget or memory does not suffice.
 */

static ngx_agt_pattern_t *
ngx_agt_regex_add(ngx_agt_regex_t *p,
    const ngx_str_t *text, uint32_t hash, uint32_t search)
{
    size_t              size;
    ngx_int_t           rc;
    pcre2_code         *code;
    ngx_agt_pattern_t  *e, **bucket;

    if (text->len > NGX_AGT_REGEX_MAX_LEN
        || ngx_agt_regex_spend(p,
                   NGX_AGT_REGEX_COMPILE * (1 + text->len / 16))
           != NGX_OK)
    {
        return NULL;
    }

    code = ngx_agt_pattern_compile(p, text, search, &rc);

    if (rc != NGX_OK) {
        return NULL;
    }

    size = 0;

    if (code) {
        (void) pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size);
    }

    size += sizeof(ngx_agt_pattern_t) + text->len;

    while (p->n && (p->n >= p->slots
                    || p->kept + size > NGX_AGT_REGEX_MAX_KEPT))
    {
        ngx_agt_regex_evict(p);
    }

    e = ngx_agt_regex_alloc(sizeof(ngx_agt_pattern_t) + text->len);
    if (e == NULL) {
        pcre2_code_free(code);
        return NULL;
    }

    bucket = &p->buckets[hash & p->mask];

    e->next = *bucket;
    *bucket = e;

    ngx_queue_insert_head(&p->queue, &e->queue);

    e->code = code;
    e->size = size;
    e->hash = hash;
    e->search = search;
    e->len = text->len;
    ngx_memcpy(e->text, text->data, text->len);

    p->n++;
    p->kept += size;

    return e;
}


static void
ngx_agt_regex_evict(ngx_agt_regex_t *p)
{
    ngx_agt_pattern_t  *e, **next;

    e = ngx_queue_data(ngx_queue_last(&p->queue), ngx_agt_pattern_t, queue);

    for (next = &p->buckets[e->hash & p->mask];
         *next != e;
         next = &(*next)->next)
    {
        /* void */
    }

    *next = e->next;

    ngx_queue_remove(&e->queue);

    p->n--;
    p->kept -= e->size;

    pcre2_code_free(e->code);

    ngx_agt_regex_free(e);
}


/* NULL with NGX_OK for a pattern that is not taken */

static pcre2_code *
ngx_agt_pattern_compile(ngx_agt_regex_t *p,
    const ngx_str_t *text, ngx_uint_t search, ngx_int_t *rc)
{
    int          error;
    u_char      *last;
    size_t       offset, size;
    uint32_t     options;
    pcre2_code  *code;

    static u_char  wrapped[NGX_AGT_REGEX_MAX_LEN
                           + sizeof(NGX_AGT_REGEX_HEAD)
                           + sizeof(NGX_AGT_REGEX_TAIL)];

    *rc = NGX_OK;

    if (!ngx_agt_pattern_is_taken(text)) {
        return NULL;
    }

    options = PCRE2_UTF|PCRE2_DOTALL|PCRE2_DOLLAR_ENDONLY|PCRE2_NEVER_UCP
              |PCRE2_NEVER_BACKSLASH_C|PCRE2_ANCHORED;

    code = pcre2_compile(text->data, text->len,
                         search ? options : options|PCRE2_ENDANCHORED,
                         &error, &offset, p->compile);

    /*
     * PCRE2 applies the limit to each place where a match may begin.  To limit
     * all places together, the search is made part of the pattern; the pattern
     * alone was compiled before to check it.
     */

    if (code && search) {
        pcre2_code_free(code);

        last = ngx_cpymem(wrapped, NGX_AGT_REGEX_HEAD,
                          sizeof(NGX_AGT_REGEX_HEAD) - 1);
        last = ngx_cpymem(last, text->data, text->len);
        last = ngx_cpymem(last, NGX_AGT_REGEX_TAIL,
                          sizeof(NGX_AGT_REGEX_TAIL) - 1);

        code = pcre2_compile(wrapped, (size_t) (last - wrapped), options,
                             &error, &offset, p->compile);
    }

    if (code == NULL) {
        *rc = (error == PCRE2_ERROR_NOMEMORY
               || error == PCRE2_ERROR_HEAP_FAILED) ? NGX_ERROR : NGX_OK;
        return NULL;
    }

    if (pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size) != 0
        || size > NGX_AGT_REGEX_MAX_SIZE)
    {
        pcre2_code_free(code);
        return NULL;
    }

    return code;
}


/*
 * Looks at bytes only: it does not consider whether a byte is escaped or in a
 * class, so that a pattern cannot hide anything from it.
 */

static ngx_uint_t
ngx_agt_pattern_is_taken(const ngx_str_t *text)
{
    const u_char  *p, *end;

    end = text->data + text->len;

    for (p = text->data; end - p > 1; p++) {

        if (p[0] == '(' && p[1] == '*') {
            return 0;
        }

        if (p[0] == '(' && p[1] == '?'
            && !ngx_agt_pattern_is_group(p + 2, end))
        {
            return 0;
        }

        if (p[0] == '\\' && strchr("CEPQXcp", p[1]) && p[1]) {
            return 0;
        }

        if (p[0] == '\\' && p[1] == 'g' && end - p > 2
            && (p[2] == '<' || p[2] == '\''))
        {
            return 0;
        }
    }

    return 1;
}


/* allowed behind "(?": groups, lookarounds, names, the flags i, m, s, U */

static ngx_uint_t
ngx_agt_pattern_is_group(const u_char *p, const u_char *end)
{
    if (p == end) {
        return 0;
    }

    switch (*p) {

    case ':':
    case '=':
    case '!':
    case '<':
    case '>':
    case '|':
        return 1;

    case 'P':
        return end - p > 1 && p[1] == '<';

    default:
        break;
    }

    while (p < end && (*p == 'i' || *p == 'm' || *p == 's' || *p == 'U'
                       || *p == '-'))
    {
        p++;
    }

    return p < end && (*p == ':' || *p == ')');
}
