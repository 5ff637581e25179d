
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * Linked in front of what gives memory to the module, with --wrap: the n-th
 * call of these fails where a test says so, in the file that is named in the
 * environment.  See t/process-shortage.t.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


typedef struct {
    volatile int32_t  nth;      /* 0: none fails */
    volatile int32_t  calls;
    volatile int32_t  failed;
} shortage_t;


static shortage_t  *shortage;


__attribute__((constructor))
static void
shortage_init(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("AGILICUS_SHORTAGE");

    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR);

    if (fd == -1) {
        abort();
    }

    p = mmap(NULL, sizeof(shortage_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
             0);

    if (p == MAP_FAILED) {
        abort();
    }

    (void) close(fd);

    shortage = p;
}


static int
shortage_fails(void)
{
    if (shortage == NULL || shortage->nth == 0) {
        return 0;
    }

    if (++shortage->calls != shortage->nth) {
        return 0;
    }

    shortage->failed = 1;
    errno = ENOMEM;

    return 1;
}


#define SHORTAGE(name, parameters, arguments)                                 \
                                                                              \
void *__real_##name parameters;                                               \
void *__wrap_##name parameters;                                               \
                                                                              \
void *                                                                        \
__wrap_##name parameters                                                      \
{                                                                             \
    return shortage_fails() ? NULL : __real_##name arguments;                 \
}


SHORTAGE(ngx_palloc, (void *pool, size_t size), (pool, size))
SHORTAGE(ngx_pnalloc, (void *pool, size_t size), (pool, size))
SHORTAGE(ngx_pcalloc, (void *pool, size_t size), (pool, size))
SHORTAGE(ngx_alloc, (size_t size, void *log), (size, log))
SHORTAGE(ngx_calloc, (size_t size, void *log), (size, log))
SHORTAGE(ngx_array_create, (void *pool, size_t n, size_t size),
         (pool, n, size))
SHORTAGE(ngx_array_push, (void *array), (array))
SHORTAGE(ngx_array_push_n, (void *array, size_t n), (array, n))
SHORTAGE(ngx_list_push, (void *list), (list))
SHORTAGE(ngx_pool_cleanup_add, (void *pool, size_t size), (pool, size))
SHORTAGE(ngx_http_cleanup_add, (void *request, size_t size), (request, size))
SHORTAGE(ngx_create_temp_buf, (void *pool, size_t size), (pool, size))
SHORTAGE(ngx_pstrdup, (void *pool, void *text), (pool, text))
SHORTAGE(ngx_get_connection, (int fd, void *log), (fd, log))
SHORTAGE(malloc, (size_t size), (size))
SHORTAGE(curl_easy_init, (void), ())
SHORTAGE(curl_slist_append, (void *list, const char *text), (list, text))
SHORTAGE(json_loadb, (const char *text, size_t len, size_t flags, void *error),
         (text, len, flags, error))
