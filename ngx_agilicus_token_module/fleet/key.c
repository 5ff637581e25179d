
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/key.h"

#include <sys/mman.h>


#define NGX_AGT_FLEET_KEY_DIGITS  (2 * NGX_AGT_FLEET_KEY_LEN)

/* a key in its file: the digits, and "\r\n" behind them at most */
#define NGX_AGT_FLEET_KEY_FILE    (NGX_AGT_FLEET_KEY_DIGITS + 2)

#define NGX_AGT_FLEET_KEY_MAKE                                                \
    "; make a key with \"(umask 077; openssl rand -hex 32 > FILE)\""


/* the keys, and room for the text of a file, on the same pages */

typedef struct {
    ngx_agt_fleet_keys_t  keys;
    u_char                text[NGX_AGT_FLEET_KEY_FILE + 1];
} ngx_agt_fleet_keys_pages_t;


static const char *ngx_agt_fleet_keys_read_open(ngx_fd_t fd, u_char *text,
    size_t *len, ngx_err_t *err);
static const char *ngx_agt_fleet_keys_parse(const u_char *text, size_t len,
    u_char *key);
static ngx_int_t ngx_agt_fleet_keys_digit(u_char c);


ngx_agt_fleet_keys_t *
ngx_agt_fleet_keys_new(ngx_log_t *log)
{
    return ngx_agt_fleet_pages(sizeof(ngx_agt_fleet_keys_pages_t), log);
}


void
ngx_agt_fleet_keys_free(ngx_agt_fleet_keys_t *keys)
{
    ngx_agt_fleet_pages_free(keys, sizeof(ngx_agt_fleet_keys_pages_t));
}


const char *
ngx_agt_fleet_keys_read(ngx_agt_fleet_keys_t *keys, const char *name,
    ngx_err_t *err)
{
    size_t                       len;
    ngx_fd_t                     fd;
    const char                  *why;
    ngx_agt_fleet_keys_pages_t  *pages;

    pages = (ngx_agt_fleet_keys_pages_t *) keys;

    *err = 0;

    if (keys->n == NGX_AGT_FLEET_KEYS) {
        return "is one key too many, a fleet has two at most";
    }

    /* a pipe must not hold nginx up; it is refused then */

    fd = open(name, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        *err = ngx_errno;
        return "cannot be opened" NGX_AGT_FLEET_KEY_MAKE;
    }

    why = ngx_agt_fleet_keys_read_open(fd, pages->text, &len, err);

    (void) close(fd);

    if (why == NULL) {
        why = ngx_agt_fleet_keys_parse(pages->text, len, keys->keys[keys->n]);
    }

    ngx_explicit_memzero(pages->text, sizeof(pages->text));

    if (why) {
        ngx_explicit_memzero(keys->keys[keys->n], NGX_AGT_FLEET_KEY_LEN);
        return why;
    }

    keys->n++;

    return NULL;
}


/* reads one byte more than a key may have, so that a longer file is noticed */

static const char *
ngx_agt_fleet_keys_read_open(ngx_fd_t fd, u_char *text, size_t *len,
    ngx_err_t *err)
{
    ssize_t      n;
    struct stat  info;

    if (fstat(fd, &info) == -1) {
        *err = ngx_errno;
        return "cannot be read";
    }

    if (!S_ISREG(info.st_mode)) {
        return "is not a regular file";
    }

    if (info.st_mode & S_IRWXO) {
        return "holds a secret and is open to everybody, take the permission "
               "away with \"chmod o-rwx\"";
    }

    *len = 0;

    do {
        n = read(fd, text + *len, NGX_AGT_FLEET_KEY_FILE + 1 - *len);

        if (n == -1) {
            *err = ngx_errno;
            return "cannot be read";
        }

        *len += (size_t) n;

    } while (n && *len <= NGX_AGT_FLEET_KEY_FILE);

    return NULL;
}


static const char *
ngx_agt_fleet_keys_parse(const u_char *text, size_t len, u_char *key)
{
    ngx_int_t   high, low;
    ngx_uint_t  i;

    if (len && text[len - 1] == '\n') {
        len--;

        if (len && text[len - 1] == '\r') {
            len--;
        }
    }

    if (len < NGX_AGT_FLEET_KEY_DIGITS) {
        return "is too short for a key, which has 64 hexadecimal digits"
               NGX_AGT_FLEET_KEY_MAKE;
    }

    if (len > NGX_AGT_FLEET_KEY_DIGITS) {
        return "is too long for a key, which has 64 hexadecimal digits on one "
               "line" NGX_AGT_FLEET_KEY_MAKE;
    }

    for (i = 0; i < NGX_AGT_FLEET_KEY_LEN; i++) {
        high = ngx_agt_fleet_keys_digit(text[2 * i]);
        low = ngx_agt_fleet_keys_digit(text[2 * i + 1]);

        if (high == NGX_ERROR || low == NGX_ERROR) {
            return "has other characters than the 64 hexadecimal digits of a "
                   "key" NGX_AGT_FLEET_KEY_MAKE;
        }

        key[i] = (u_char) (high << 4 | low);
    }

    return NULL;
}


static ngx_int_t
ngx_agt_fleet_keys_digit(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : NGX_ERROR;
}


void *
ngx_agt_fleet_pages(size_t size, ngx_log_t *log)
{
    void  *p;

    size = ngx_align(size, ngx_pagesize);

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1,
             0);

    if (p == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "agilicus token: mmap() failed");
        return NULL;
    }

    if (mlock(p, size) == -1) {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "agilicus token: mlock() failed, the keys of the fleet "
                      "may be swapped out");
    }

#ifdef MADV_DONTDUMP
    (void) madvise(p, size, MADV_DONTDUMP);
#endif

    return p;
}


void
ngx_agt_fleet_pages_free(void *pages, size_t size)
{
    if (pages == NULL) {
        return;
    }

    size = ngx_align(size, ngx_pagesize);

    ngx_explicit_memzero(pages, size);

    (void) munmap(pages, size);
}
