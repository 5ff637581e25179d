
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fuzz.h"

#include "rules/path.h"


/*
 * Whatever is taken as a path says the same once more: escaped anew, byte for
 * byte, it is taken again and is decoded to the same.
 */

static void fuzz_decoded(const ngx_str_t *path);
static void fuzz_again(const ngx_str_t *path);


void
fuzz_target(const uint8_t *data, size_t size)
{
    u_char     *buf;
    ngx_str_t   raw, path;

    raw.data = (u_char *) data;
    raw.len = size;

    buf = malloc(size ? size : 1);

    if (ngx_agt_path_decode(&raw, buf, &path) == NGX_OK) {
        fuzz_accepted++;

        fuzz_check(fuzz_within(&path, buf, size)
                   || fuzz_within(&path, data, size));
        fuzz_decoded(&path);
        fuzz_again(&path);
    }

    free(buf);

    (void) ngx_agt_path_is_query(&raw);
}


static void
fuzz_decoded(const ngx_str_t *path)
{
    char    *text;
    size_t   i;
    char    *segment, *next;

    text = malloc(path->len + 1);
    memcpy(text, path->data, path->len);
    text[path->len] = '\0';

    fuzz_check(text[0] == '/');
    fuzz_check(strlen(text) == path->len);
    fuzz_check(strstr(text, "//") == NULL);
    fuzz_check(strpbrk(text, "\\?") == NULL);

    for (i = 0; i < path->len; i++) {
        fuzz_check((u_char) text[i] >= ' ' && text[i] != 0x7f);

        if (text[i] == '%') {
            fuzz_check(!isxdigit((u_char) text[i + 1])
                       || !isxdigit((u_char) text[i + 2]));
        }
    }

    for (segment = text + 1; segment; segment = next) {
        next = strchr(segment, '/');

        if (next) {
            *next++ = '\0';
        }

        fuzz_check(*segment || next == NULL);

        if (strchr(segment, ';')) {
            *strchr(segment, ';') = '\0';
            fuzz_check(*segment);
        }

        fuzz_check(strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0);
    }

    free(text);
}


static void
fuzz_again(const ngx_str_t *path)
{
    u_char     *p, *buf;
    size_t      i;
    ngx_str_t   raw, again;

    raw.data = malloc(3 * path->len);
    p = raw.data;

    for (i = 0; i < path->len; i++) {

        if (path->data[i] == '/') {
            *p++ = '/';

        } else {
            *p++ = '%';
            *p++ = (u_char) "0123456789ABCDEF"[path->data[i] >> 4];
            *p++ = (u_char) "0123456789abcdef"[path->data[i] & 15];
        }
    }

    raw.len = (size_t) (p - raw.data);
    buf = malloc(raw.len);

    fuzz_check(ngx_agt_path_decode(&raw, buf, &again) == NGX_OK);
    fuzz_check(again.len == path->len);
    fuzz_check(memcmp(again.data, path->data, path->len) == 0);

    free(buf);
    free(raw.data);
}
