
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include "fleet/key.h"


#define DIGITS                                                                \
    "000102030405060708090a0b0c0d0e0fF0e1D2c3B4a5968778695a4b3c2d1e0f"


static void test_key(void);
static void test_two(void);
static void test_texts(void);
static void test_files(void);
static void test_pages(void);
static const char *read_text(const char *text, size_t len, mode_t mode);
static ngx_uint_t begins(const char *why, const char *with);


static char                   name[] = "/tmp/unit-fleet-key.XXXXXX";
static ngx_agt_fleet_keys_t  *keys;
static ngx_err_t              err;
static ngx_uint_t             swapping;   /* mlock() fails */
static size_t                 locked;
static size_t                 left_out;   /* of core dumps */
static size_t                 unmapped;


int
mlock(const void *addr, size_t len)
{
    locked = len;

    return swapping ? -1 : 0;
}


int
madvise(void *addr, size_t len, int advice)
{
    if (advice == MADV_DONTDUMP) {
        left_out = len;
    }

    return 0;
}


/* the pages with the keys must be zeroed before they are unmapped */

int
munmap(void *addr, size_t len)
{
    size_t  i;

    for (i = 0; i < len && keys == addr; i++) {
        if (((u_char *) addr)[i]) {
            unit_check(0);
            break;
        }
    }

    unmapped = len;

    return ((int (*)(void *, size_t)) dlsym(RTLD_NEXT, "munmap"))(addr, len);
}


int
main(void)
{
    int  fd;

    fd = mkstemp(name);

    if (fd == -1) {
        return 1;
    }

    (void) close(fd);

    test_key();
    test_two();
    test_texts();
    test_files();
    test_pages();

    (void) unlink(name);

    return unit_done();
}


static void
test_key(void)
{
    ngx_uint_t  i;

    static const char  *texts[] = { DIGITS, DIGITS "\n", DIGITS "\r\n" };
    static u_char       zero[NGX_AGT_FLEET_KEY_LEN];

    static const u_char  key[] = {
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
        0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
        0xf0, 0xe1, 0xd2, 0xc3, 0xb4, 0xa5, 0x96, 0x87,
        0x78, 0x69, 0x5a, 0x4b, 0x3c, 0x2d, 0x1e, 0x0f
    };

    unit_test("a key is 64 hexadecimal digits, with or without a line break");

    for (i = 0; i < 3; i++) {
        keys = ngx_agt_fleet_keys_new(&stub_log);

        unit_check(keys->n == 0);
        unit_check(read_text(texts[i], strlen(texts[i]), 0640) == NULL);
        unit_check(keys->n == 1 && err == 0);
        unit_check(memcmp(keys->keys[0], key, sizeof(key)) == 0);
        unit_check(memcmp(keys->keys[1], zero, sizeof(zero)) == 0);

        /* nothing but the key is left of the file */

        unit_check(memmem(keys, ngx_pagesize, "0001", 4) == NULL);

        ngx_agt_fleet_keys_free(keys);
    }
}


static void
test_two(void)
{
    char  other[] = DIGITS;

    unit_test("a fleet has two keys, in the order in which they are read");

    keys = ngx_agt_fleet_keys_new(&stub_log);
    other[0] = 'f';

    unit_check(read_text(DIGITS, 64, 0600) == NULL);
    unit_check(read_text(other, 64, 0600) == NULL);
    unit_check(keys->n == 2);
    unit_check(keys->keys[0][0] == 0 && keys->keys[1][0] == 0xf0);

    unit_check(begins(read_text(DIGITS, 64, 0600), "is one key too many"));
    unit_check(keys->n == 2);
    unit_check(keys->keys[0][0] == 0 && keys->keys[1][0] == 0xf0);

    ngx_agt_fleet_keys_free(keys);
}


static void
test_texts(void)
{
    char        text[200];
    size_t      len;
    ngx_uint_t  i, c;

    static u_char  zero[NGX_AGT_FLEET_KEY_LEN];

    unit_test("a file with too few, too many or other characters is no key");

    keys = ngx_agt_fleet_keys_new(&stub_log);

    for (len = 0; len < 64; len++) {
        unit_check(begins(read_text(DIGITS, len, 0600), "is too short"));
    }

    unit_check(begins(read_text("\r\n", 2, 0600), "is too short"));
    unit_check(begins(read_text("\n", 1, 0600), "is too short"));

    memset(text, 'a', sizeof(text));

    for (len = 65; len < sizeof(text); len++) {
        unit_check(begins(read_text(text, len, 0600), "is too long"));
    }

    unit_check(begins(read_text(DIGITS "\n\n", 66, 0600), "is too long"));
    unit_check(begins(read_text(DIGITS "\r", 65, 0600), "is too long"));
    unit_check(begins(read_text(DIGITS "\n ", 66, 0600), "is too long"));

    for (i = 0; i < 64; i++) {
        for (c = 0; c < 256; c++) {
            memcpy(text, DIGITS, 64);
            text[i] = (char) c;

            if (isxdigit((int) c)) {
                continue;
            }

            /* not every place with every character: files take their time */

            if (i != 0 && i != 63 && c % 64 != i) {
                continue;
            }

            unit_check(begins(read_text(text, 64, 0600),
                              (i == 63 && c == '\n') ? "is too short"
                                                     : "has other"));
        }
    }

    unit_check(keys->n == 0);
    unit_check(memcmp(keys->keys[0], zero, sizeof(zero)) == 0);

    ngx_agt_fleet_keys_free(keys);
}


static void
test_files(void)
{
    mode_t       mode;
    char         pipe[sizeof(name) + 5];
    const char  *why;

    unit_test("a file that others may use, or that is none, is refused");

    keys = ngx_agt_fleet_keys_new(&stub_log);

    for (mode = 0600; mode < 0700; mode++) {
        why = read_text(DIGITS, 64, mode);

        if (mode & 07) {
            unit_check(begins(why, "holds a secret and is open to everybody")
                       && strstr(why, "chmod o-rwx"));
            continue;
        }

        unit_check(why == NULL);
        keys->n = 0;
    }

    why = ngx_agt_fleet_keys_read(keys, "/tmp/unit-fleet-key.none", &err);
    unit_check(begins(why, "cannot be opened") && err == ENOENT);
    unit_check(why && strstr(why, "openssl rand -hex 32"));

    unit_check(begins(ngx_agt_fleet_keys_read(keys, "/tmp", &err),
                      "is not a regular file"));
    unit_check(err == 0);

    /* a pipe without a writer must not hold nginx up */

    (void) snprintf(pipe, sizeof(pipe), "%s.pipe", name);
    unit_check(mkfifo(pipe, 0600) == 0);
    unit_check(begins(ngx_agt_fleet_keys_read(keys, pipe, &err),
                      "is not a regular file"));
    (void) unlink(pipe);

    unit_check(keys->n == 0);

    ngx_agt_fleet_keys_free(keys);
}


static void
test_pages(void)
{
    unit_test("keys lie on pages that are locked and left out of cores");

    locked = left_out = unmapped = 0;
    stub_lines = 0;
    stub_log.log_level = NGX_LOG_DEBUG;

    keys = ngx_agt_fleet_keys_new(&stub_log);
    unit_check(keys && locked == ngx_pagesize && left_out == ngx_pagesize);
    unit_check(stub_lines == 0);

    memset(keys, 'k', sizeof(ngx_agt_fleet_keys_t));
    ngx_agt_fleet_keys_free(keys);
    unit_check(unmapped == ngx_pagesize);

    ngx_agt_fleet_keys_free(NULL);

    unit_test("that they cannot be locked is said, and they are used");

    swapping = 1;
    keys = ngx_agt_fleet_keys_new(&stub_log);
    swapping = 0;

    unit_check(keys && stub_lines == 1 && stub_level == NGX_LOG_WARN);
    ngx_agt_fleet_keys_free(keys);

    unit_test("without memory there are no keys");

    keys = NULL;
    unit_check(ngx_agt_fleet_pages((size_t) 1 << 60, &stub_log) == NULL);
    unit_check(stub_lines == 2 && stub_level == NGX_LOG_EMERG);
}


static const char *
read_text(const char *text, size_t len, mode_t mode)
{
    FILE  *f;

    (void) unlink(name);

    f = fopen(name, "w");

    if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) != 0
        || chmod(name, mode) != 0)
    {
        abort();
    }

    err = 9;

    return ngx_agt_fleet_keys_read(keys, name, &err);
}


static ngx_uint_t
begins(const char *why, const char *with)
{
    return why && strncmp(why, with, strlen(with)) == 0;
}
