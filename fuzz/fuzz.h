
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <ctype.h>


/*
 * A target defines this one function, which ends the process where something
 * does not hold.
 */
void fuzz_target(const uint8_t *data, size_t size);

/*
 * Counts the inputs that the code under test accepted.  A target adds to it;
 * replay.c fails where it stays 0, since a corpus of which nothing is accepted
 * has a form that is not read any more.
 */
extern unsigned  fuzz_accepted;

/*
 * One file of the corpus can hold several inputs, which are its parts, with
 * this separator between them.
 */

#define FUZZ_SEPARATOR  "\n\x1e\n"

typedef void (*fuzz_part_pt)(const uint8_t *data, size_t size);

/* Calls a function for each part of a file. */
void fuzz_parts(const uint8_t *data, size_t size, fuzz_part_pt part);

/*
 * Calls fuzz_target() with a copy of an input, so that the address sanitizer
 * sees where the input ends.
 */
void fuzz_run(const uint8_t *data, size_t size);


#define fuzz_check(condition)                                                 \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                          \
        }                                                                     \
    } while (0)


static ngx_inline int
fuzz_within(const ngx_str_t *s, const void *start, size_t len)
{
    const u_char  *p = start;

    return s->data >= p && s->len <= len
           && (size_t) (s->data - p) <= len - s->len;
}


#endif /* _FUZZ_H_INCLUDED_ */
