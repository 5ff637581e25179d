
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <malloc.h>
#include <time.h>

#include "unit.h"

#include "rules/regex.h"
#include "rules/syntax.h"


#define LONG    8192

/* processor time that a decision may take, in milliseconds */
#define BUDGET  10


static void test_match(void);
static void test_not_taken(void);
static void test_limits(void);
static void test_hostile(void);
static void test_all_together(void);
static void test_many(void);
static void test_spend(void);
static void test_kept(void);
static void test_allocations(void);
static ngx_int_t match(const char *pattern, ngx_uint_t search,
    const char *subject);
static double now(void);
static void *counted_alloc(size_t size);
static void counted_free(void *p);


static ngx_agt_regex_t  *patterns;

static size_t  allowed, blocks, asked, bytes;


int
main(void)
{
    ngx_agt_regex_set_alloc(counted_alloc, counted_free);

    allowed = (size_t) -1;

    patterns = ngx_agt_regex_create(64);

    test_match();
    test_not_taken();
    test_limits();
    test_hostile();
    test_all_together();
    test_many();
    test_spend();

    ngx_agt_regex_destroy(patterns);

    test_kept();
    test_allocations();

    return unit_done();
}


static void *
counted_alloc(size_t size)
{
    void  *p;

    asked++;

    if (allowed == 0) {
        return NULL;
    }

    allowed--;
    blocks++;

    p = malloc(size);
    bytes += malloc_usable_size(p);

    return p;
}


static void
counted_free(void *p)
{
    if (p) {
        blocks--;
        bytes -= malloc_usable_size(p);
        free(p);
    }
}


static double
now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1000.0 + (double) ts.tv_nsec / 1e6;
}


/* without a decision of its own */

static ngx_int_t
match(const char *pattern, ngx_uint_t search, const char *subject)
{
    ngx_int_t  rc;
    ngx_str_t  p, s;

    p = unit_str(pattern);
    s = unit_str(subject);

    rc = ngx_agt_regex_match(patterns, &p, ngx_agt_syntax_hash(&p),
                             search, &s);
    free(p.data);
    free(s.data);

    return rc;
}


static ngx_int_t
decide(const char *pattern, ngx_uint_t search, const char *subject)
{
    ngx_agt_regex_begin(patterns, 0);

    return match(pattern, search, subject);
}


static void
test_match(void)
{
    size_t  i;

    static const struct {
        const char  *pattern;
        const char  *subject;
        const char  *how;     /* F: as a whole, S: anywhere */
    } rows[] = {
        { "a", "a", "FS" },
        { "a", "ab", "S" },
        { "a", "ba", "S" },
        { "a", "b", "" },
        { "a|ab", "ab", "FS" },
        { "a|ab", "xab", "S" },
        { "a*", "", "FS" },
        { "a+", "aaa", "FS" },
        { "^a$", "a", "FS" },
        { "^a", "ba", "" },
        { "a$", "ab", "" },
        { "a$", "a\n", "" },
        { "a.b", "a\nb", "FS" },
        { "(?s)a.b", "a\nb", "FS" },
        { "a.b", "a\xc3\xa9" "b", "FS" },
        { "[^a]", "\xc3\xa9", "FS" },
        { "\\w", "\xc3\xa9", "" },
        { "(?i)\xc3\xa9", "\xc3\x89", "FS" },
        { "(?i)abc", "aBc", "FS" },
        { "(?<n>a)\\k<n>", "aa", "FS" },
        { "(?P<n>a)", "a", "FS" },
        { "(a)\\1", "aa", "FS" },
        { "(a)\\g{1}", "aa", "FS" },
        { "(?=a)a", "a", "FS" },
        { "(?<=a)b", "ab", "S" },
        { "(?<!a)b", "b", "FS" },
        { "(?>a+)a", "aaa", "" },
        { "(?|(a)|(b))", "b", "FS" },
        { "(?i:A)b", "ab", "FS" },
        { "(?-i)a", "a", "FS" },
        { "a{2,3}", "aaa", "FS" },
        { "\\d+", "42", "FS" },
        { "\\x41", "A", "FS" },
        { "\\Aa\\z", "a", "FS" },
        { "a\\Kb", "ab", "FS" },
    };

    unit_test("patterns, as a whole and anywhere");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ngx_agt_regex_begin(patterns, 0);

        unit_check_note(match(rows[i].pattern, 0, rows[i].subject)
                        == (strchr(rows[i].how, 'F') ? NGX_OK : NGX_DECLINED),
                        rows[i].pattern);
        unit_check_note(match(rows[i].pattern, 1, rows[i].subject)
                        == (strchr(rows[i].how, 'S') ? NGX_OK : NGX_DECLINED),
                        rows[i].pattern);
    }
}


static void
test_not_taken(void)
{
    size_t  i;

    static const char  *rows[] = {

        /* no patterns, though some would be one within another */
        "(", ")", "a)", "(a", "[", "[a", "*", "+a", "?", "a**b(", "\\",
        "a\\", "a{2,1}", "[b-a]", "[[:x:]]", "(?<n", "(?<n>", "\\k<n>",
        "(a", "a)|(b", "a)(?:b", ")|(", "x)|(?:.*", "(?:", "(?", "\\1",
        "\\x{110000}", "\xff", "\xc3", "(?i", "a(?i)b)", "(?<=a+)b",

        /* verbs, recursion, conditions, comments, callouts, properties */
        "(*ACCEPT)", "a(*ACCEPT)b", "(*LIMIT_MATCH=1)a", "(*UTF)a", "(*F)|a",
        "(*SKIP)a", "(*COMMIT)a", "(*NO_START_OPT)a", "(*pla:a)a",
        "(*LIMIT_HEAP=99999999)a", "(*CRLF)a", "\\(*a",
        "(?R)?a", "(?0)?a", "a(?1)?(b)", "(?&n)(?<n>a)", "(?P>n)(?<n>a)",
        "(?+1)(a)", "(a)(?-1)", "(a)\\g<1>", "(a)\\g'1'",
        "(?(1)a|b)", "(?(?=a)a|b)", "(?(DEFINE)a)", "(?#a)a", "(?C)a",
        "(?C1)a", "(?C'x')a", "(?x)a", "(?x:a)", "(?ix)a", "(?J)a", "(?^i)a",
        "(?P=n)", "\\p{L}", "\\P{L}", "\\pL", "\\X", "\\C", "\\Qa\\E", "\\Qa",
        "\\ca", "\\c\\(?R)",
    };

    unit_test("what is not taken matches nothing");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ngx_agt_regex_begin(patterns, 0);

        unit_check_note(match(rows[i], 0, "a") == NGX_ERROR, rows[i]);
        unit_check_note(match(rows[i], 1, "a") == NGX_ERROR, rows[i]);
        unit_check_note(match(rows[i], 1, "") == NGX_ERROR, rows[i]);
    }
}


static void
test_limits(void)
{
    char    *text, *p;
    size_t   n, i;

    text = malloc(LONG);

    unit_test("patterns are of limited length");

    for (n = NGX_AGT_REGEX_MAX_LEN - 1;
         n <= NGX_AGT_REGEX_MAX_LEN + 1; n++)
    {
        memset(text, 'a', n);
        text[n] = '\0';

        ngx_agt_regex_begin(patterns, 0);

        unit_check(match(text, 0, "a")
                   == (n <= NGX_AGT_REGEX_MAX_LEN ? NGX_DECLINED
                                                               : NGX_ERROR));
    }

    unit_test("patterns are of limited depth");

    for (n = 1; n < 100; n++) {
        p = text;

        for (i = 0; i < n; i++) {
            *p++ = '(';
        }

        *p++ = 'a';

        for (i = 0; i < n; i++) {
            *p++ = ')';
        }

        *p = '\0';

        ngx_agt_regex_begin(patterns, 0);

        unit_check(match(text, 0, "a")
                   == (n <= NGX_AGT_REGEX_MAX_DEPTH ? NGX_OK : NGX_ERROR));
    }

    unit_test("patterns are of limited size when compiled");

    ngx_agt_regex_begin(patterns, 0);

    unit_check(match("(a{100}){20}", 0, "a") == NGX_DECLINED);
    unit_check(match("((a{100}){100}){3}", 0, "a") == NGX_DECLINED);
    unit_check(match("((ab|cd){100}){100}", 0, "a") == NGX_ERROR);
    unit_check(match("(((a{1,255}){1,255}){1,255})", 0, "a") == NGX_ERROR);
    unit_check(match("a{65536}", 0, "a") == NGX_ERROR);

    free(text);
}


static const char  *hostile[] = {
    "(a+)+$", "/(a+)+$", "/(a+)+!$x", "/(a|a)*b", "/(a|aa)+$",
    "/([a-z]*[a-z]*[a-z]*)*x", "/(.*)*x", "/(a*)*b", "/(a*a*)*b",
    "/(.+)\\1+x", "/(.*)(.*)(.*)(.*)(.*)\\5\\4\\3\\2\\1x",
    "/.*.*.*.*x", "(?=.*x)(?=.*y).*", "/((a{0,50}){0,50}){0,5}x",
    "/(?:a?){100}a{100}x", "/(?:(?:(?:a*)*)*)*x", "/(?:.?.?.?.?.?)*x",
    "/(?:[a-z]*+1|[a-z]*+2|[a-z]*+3|[a-z]*+4|[a-z]*+5)*x",
    "/(?:(?:[a-z]*+1|[a-z]*+2|[a-z]*+3)|a)*x", "/(?:a|b|c|aa|aaa)*!x",
    "/(?:.*a)*x", "/(?:(?=(.*))\\1)*x", "(?:(?!x).)*x", "/.*x.*y.*z",
    "/(?:[^/]+/?)*x", "(.*a){20}x", NULL
};


static void
test_hostile(void)
{
    char          *subject, *group, text[2048];
    double         start, ms;
    size_t         i, most;
    ngx_int_t      rc;
    ngx_uint_t     search;
    const char   **p;

    unit_test("no pattern takes longer than its share");

    subject = malloc(LONG + 1);

    memset(subject, 'a', LONG);
    subject[0] = '/';
    subject[LONG - 1] = '!';
    subject[LONG] = '\0';

    for (p = hostile; *p; p++) {
        for (search = 0; search < 2; search++) {
            ngx_agt_regex_begin(patterns, 0);

            start = now();
            rc = match(*p, search, subject);
            ms = now() - start;

            unit_check_note(ms < BUDGET, *p);
            unit_check_note(rc == NGX_DECLINED || rc == NGX_ERROR, *p);
        }
    }

    unit_test("no pattern takes more memory than there may be");

    group = text;

    for (i = 0; i < 180; i++) {
        group += sprintf(group, "%s(%c)", i ? "|" : "/(?:", 'a' + (int) i % 2);
    }

    (void) sprintf(group, ")*!");

    ngx_agt_regex_begin(patterns, 0);

    most = bytes;
    subject[LONG - 2000] = '/';
    unit_check(match(text, 0, subject + LONG - 2000) == NGX_ERROR);
    subject[LONG - 2000] = 'a';
    unit_check(most && bytes < most + 16777216);

    ngx_agt_regex_begin(patterns, 0);

    unit_check(match("/", 0, "/") == NGX_OK);

    unit_test("nor does one match that would take more");

    group = text + sprintf(text, "/");

    for (i = 0; i < 900; i++) {
        group += sprintf(group, "()");
    }

    unit_check(match(text, 0, "/") == NGX_ERROR);

    ngx_agt_regex_begin(patterns, 0);

    unit_check(match("/(a+)+$", 0, subject) == NGX_ERROR);

    unit_test("what is spent is spent for all others too");

    unit_check(match("/", 0, "/") == NGX_ERROR);
    unit_check(ngx_agt_regex_spend(patterns, 0) == NGX_ERROR);

    ngx_agt_regex_begin(patterns, 0);

    unit_check(match("/", 0, "/") == NGX_OK);

    unit_test("what is long but harmless is decided");

    unit_check(decide("/.*", 0, subject) == NGX_OK);
    unit_check(decide("/[a-z]+!", 0, subject) == NGX_OK);
    unit_check(decide("/[^/]*", 1, subject) == NGX_OK);
    unit_check(decide("/[0-9]+", 0, subject) == NGX_DECLINED);

    /* branches at each byte, in a path of a common length and more */

    unit_check(decide("/(a|b)*!", 0, subject + LONG - 2000) == NGX_DECLINED);

    subject[LONG - 2000] = '/';

    unit_check(decide("/(a|b)*!", 0, subject + LONG - 2000) == NGX_OK);
    unit_check(decide("/(a|b)+!", 1, subject + LONG - 2000) == NGX_OK);

    free(subject);
}


static void
test_all_together(void)
{
    char        text[64];
    double      start, ms;
    ngx_str_t   pattern, subject;
    ngx_uint_t  i;

    unit_test("hostile patterns share one budget");

    subject.len = LONG;
    subject.data = malloc(LONG);

    memset(subject.data, 'a', LONG);
    subject.data[LONG - 1] = '!';

    pattern.data = (u_char *) text;

    ngx_agt_regex_begin(patterns, 0);

    start = now();

    for (i = 0; i < 1000; i++) {
        pattern.len = (size_t) snprintf(text, sizeof(text), "(a+)+%u$",
                                        (unsigned) i);

        (void) ngx_agt_regex_match(patterns, &pattern,
                                   ngx_agt_syntax_hash(&pattern), i & 1,
                                   &subject);
    }

    ms = now() - start;

    printf("# %.1f ms\n", ms);

    unit_check(ms < BUDGET);

    free(subject.data);
}


static void
test_many(void)
{
    char       text[64];
    double     start, ms;
    ngx_uint_t  i, n, round;

    static const ngx_uint_t  many = 1000;

    unit_test("a thousand patterns cost less than a millisecond once known");

    ngx_agt_regex_destroy(patterns);
    patterns = ngx_agt_regex_create(2048);

    ms = 0;

    for (round = 0; round < 4; round++) {
        n = 0;

        ngx_agt_regex_begin(patterns, 0);

        start = now();

        for (i = 0; i < many; i++) {
            ngx_str_t  p, s = ngx_string("/api/v1/users/42/profile");

            p.data = (u_char *) text;
            p.len = (size_t) snprintf(text, sizeof(text),
                                      "/[^/]+/v1/thing%u/x.*", (unsigned) i);

            n += (ngx_agt_regex_match(patterns, &p,
                                       ngx_agt_syntax_hash(&p),
                                       0, &s)
                  == NGX_DECLINED);
        }

        ms = now() - start;
        printf("# %u decided in %.3f ms\n", (unsigned) n, ms);
    }

    unit_check(n == many);
    unit_check(ms < 1.0 * UNIT_SLOW);
}


static void
test_spend(void)
{
    double      start;
    ngx_uint_t  i;

    unit_test("a budget ends when the time is over, not before");

    ngx_agt_regex_begin(patterns, 0);

    start = now();

    for (i = 0; i < 1000; i++) {
        unit_check(ngx_agt_regex_spend(patterns, 0) == NGX_OK);
    }

    while (now() - start < 2.0 * NGX_AGT_REGEX_BUDGET / 1e6) {
        if (ngx_agt_regex_spend(patterns, 1000000) != NGX_OK) {
            break;
        }
    }

    unit_check(now() - start >= (double) NGX_AGT_REGEX_BUDGET / 1e6);
    unit_check(ngx_agt_regex_spend(patterns, 0) == NGX_ERROR);
}


static void
test_kept(void)
{
    char       text[32];
    size_t      before, kept;
    ngx_uint_t  i, round;

    unit_test("no more patterns are kept than there are slots");

    patterns = ngx_agt_regex_create(8);
    before = blocks;
    kept = 0;

    for (round = 0; round < 3; round++) {
        for (i = 0; i < 100; i++) {
            ngx_agt_regex_begin(patterns, 0);

            (void) snprintf(text, sizeof(text), "a+%u", (unsigned) i);
            unit_check(match(text, i & 1, "a") == NGX_DECLINED);

            /* the pattern and its code */

            if (i == 7 && round == 0) {
                kept = blocks;
            }

            unit_check(blocks <= before + 2 * 8 + 1);
        }
    }

    unit_check(kept && blocks <= kept + 1);

    unit_test("the last used stay, and what is kept is compared as a whole");

    ngx_agt_regex_begin(patterns, 0);

    unit_check(match("keep", 0, "keep") == NGX_OK);

    for (i = 0; i < 50; i++) {
        (void) snprintf(text, sizeof(text), "b+%u", (unsigned) i);
        (void) match(text, 0, "a");

        asked = 0;
        unit_check(match("keep", 0, "keep") == NGX_OK);
        unit_check(asked == 0);

        /* of the same hash, but another pattern */

        ngx_str_t  other = ngx_string("keeq"), s = ngx_string("keep");
        ngx_str_t  same = ngx_string("keep");

        unit_check(ngx_agt_regex_match(patterns, &other,
                                       ngx_agt_syntax_hash(&same),
                                       0, &s)
                   == NGX_DECLINED);
    }

    unit_check(match("keep", 1, "xkeepx") == NGX_OK);
    unit_check(match("keep", 0, "xkeepx") == NGX_DECLINED);

    unit_test("patterns that are not taken are kept too");

    unit_check(match("(", 0, "a") == NGX_ERROR);
    asked = 0;
    unit_check(match("(", 0, "a") == NGX_ERROR);
    unit_check(asked == 0);

    ngx_agt_regex_destroy(patterns);

    unit_check(blocks == 0);

    unit_test("no more bytes are kept than there may be");

    patterns = ngx_agt_regex_create(4096);

    for (i = 0; i < 600; i++) {
        ngx_agt_regex_begin(patterns, 0);

        (void) snprintf(text, sizeof(text), "((ab|cd){40}){20}%u",
                        (unsigned) i);
        (void) match(text, 0, "a");
    }

    printf("# %zu bytes in %zu blocks\n", bytes, blocks);

    unit_check(bytes > NGX_AGT_REGEX_MAX_KEPT / 2);
    unit_check(bytes < NGX_AGT_REGEX_MAX_KEPT + 262144);

    ngx_agt_regex_destroy(patterns);
    ngx_agt_regex_destroy(NULL);

    unit_check(blocks == 0);

    unit_test("a cache without a slot works");

    patterns = ngx_agt_regex_create(0);

    ngx_agt_regex_begin(patterns, 0);

    unit_check(match("a+", 0, "aa") == NGX_OK);
    unit_check(match("b+", 0, "aa") == NGX_DECLINED);
    unit_check(match("a+", 0, "aa") == NGX_OK);

    ngx_agt_regex_destroy(patterns);

    unit_check(blocks == 0);
}


static void
test_allocations(void)
{
    size_t     n;
    ngx_int_t  rc, found;

    unit_test("each allocation may fail, and none is lost");

    found = 0;

    for (n = 0; n < 200; n++) {
        allowed = n;

        patterns = ngx_agt_regex_create(4);

        if (patterns == NULL) {
            unit_check(blocks == 0);
            continue;
        }

        ngx_agt_regex_begin(patterns, 0);

        rc = match("(a|b)+c", 0, "abababc");
        unit_check(rc == NGX_OK || rc == NGX_ERROR);
        found |= (rc == NGX_OK);

        rc = match("(a|b)+c", 1, "xabababd");
        unit_check(rc == NGX_DECLINED || rc == NGX_ERROR);

        rc = match("(", 0, "x");
        unit_check(rc == NGX_ERROR);

        /* what failed for lack of memory is tried again */

        allowed = 1000;

        unit_check(match("(a|b)+c", 0, "abababc") == NGX_OK);
        unit_check(match("(a|b)+c", 1, "xabababd") == NGX_DECLINED);

        ngx_agt_regex_destroy(patterns);

        unit_check(blocks == 0);
    }

    unit_check(found);
}
