
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <ctype.h>


/*
 * A target is one function, which libFuzzer and replay.c call with inputs and
 * which ends the process where something does not hold.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


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
