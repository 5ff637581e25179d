
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A test program names its tests one after the other and checks within them;
 * a failed check is reported with its place and does not end the test.  What
 * is printed is TAP:
 *
 *     unit_test("an empty value holds no token");
 *     unit_check(rc == NONE);
 *     ...
 *     return unit_done();
 */

/* how much longer than in a release a test may take, with sanitizers */

#ifndef UNIT_SLOW
#define UNIT_SLOW  1
#endif


static const char  *unit_name;
static ngx_uint_t   unit_number;
static ngx_uint_t   unit_failed;
static ngx_uint_t   unit_failures;


#define unit_check(condition)                                                 \
    unit_check_at((condition) != 0, #condition, __FILE__, __LINE__, NULL)

/* "note" says which row of a table it was */

#define unit_check_note(condition, note)                                      \
    unit_check_at((condition) != 0, #condition, __FILE__, __LINE__, note)


static ngx_inline void
unit_check_at(int passed, const char *condition, const char *file, int line,
    const char *note)
{
    if (passed) {
        return;
    }

    if (unit_failed++ < 10) {
        printf("# %s:%d: %s%s%s\n", file, line, condition,
               note ? ": " : "", note ? note : "");
    }
}


static ngx_inline void
unit_close(void)
{
    if (unit_name == NULL) {
        return;
    }

    printf("%sok %u - %s\n", unit_failed ? "not " : "",
           (unsigned) ++unit_number, unit_name);

    fflush(stdout);

    unit_failures += (unit_failed != 0);
    unit_failed = 0;
    unit_name = NULL;
}


static ngx_inline void
unit_test(const char *name)
{
    unit_close();
    unit_name = name;
}


static ngx_inline int
unit_done(void)
{
    unit_close();

    printf("1..%u\n", (unsigned) unit_number);

    if (unit_failures) {
        printf("# %u of %u tests failed\n", (unsigned) unit_failures,
               (unsigned) unit_number);
    }

    return unit_failures != 0;
}


/*
 * A copy in memory of its own, without a byte behind it, so that the address
 * sanitizer sees each read that goes too far.  The caller frees "data".
 */

static ngx_inline ngx_str_t
unit_copy(const void *data, size_t len)
{
    ngx_str_t  s;

    s.len = len;
    s.data = malloc(len ? len : 1);

    if (s.data == NULL) {
        abort();
    }

    if (len) {
        ngx_memcpy(s.data, data, len);
    }

    return s;
}


static ngx_inline ngx_str_t
unit_str(const char *text)
{
    return unit_copy(text, strlen(text));
}


/* no text at all is equal to nothing */

static ngx_inline int
unit_equal(const ngx_str_t *s, const char *text)
{
    return text && s->len == strlen(text)
           && memcmp(s->data, text, s->len) == 0;
}


#endif /* _UNIT_H_INCLUDED_ */
