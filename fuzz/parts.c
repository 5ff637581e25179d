
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fuzz.h"


#define FUZZ_SEPARATOR_LEN  (sizeof(FUZZ_SEPARATOR) - 1)


unsigned  fuzz_accepted;

ngx_uint_t  ngx_pagesize = 4096;


/* the function that libFuzzer calls */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_parts(data, size, fuzz_run);

    return 0;
}


void
fuzz_parts(const uint8_t *data, size_t size, fuzz_part_pt part)
{
    size_t  start, end;

    start = 0;

    for (end = 0; end + FUZZ_SEPARATOR_LEN <= size; end++) {

        if (memcmp(data + end, FUZZ_SEPARATOR, FUZZ_SEPARATOR_LEN) == 0) {
            part(data + start, end - start);

            start = end + FUZZ_SEPARATOR_LEN;
            end = start - 1;
        }
    }

    part(data + start, size - start);
}


void
fuzz_run(const uint8_t *data, size_t size)
{
    uint8_t  *copy;

    copy = malloc(size ? size : 1);
    if (copy == NULL) {
        abort();
    }

    if (size) {
        memcpy(copy, data, size);
    }

    fuzz_target(copy, size);

    free(copy);
}


/* of nginx, for what is no pure room */

void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}


void
ngx_explicit_memzero(void *buf, size_t n)
{
    explicit_bzero(buf, n);
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    /* nothing is said */
}
