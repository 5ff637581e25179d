
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <jansson.h>

#include "fuzz.h"

#include "json/document.h"
#include "rules/syntax.h"


/* the input is a pointer, ended by a line, and a body */

static json_t *fuzz_resolve(json_t *root, char *pointer);


void
fuzz_target(const uint8_t *data, size_t size)
{
    char                     *text;
    json_t                   *root, *value;
    ngx_int_t                 rc;
    ngx_str_t                 pointer, found;
    const u_char             *body;
    ngx_agt_json_document_t  *document;

    body = size ? memchr(data, '\n', size) : NULL;

    if (body == NULL) {
        return;
    }

    pointer.data = (u_char *) data;
    pointer.len = (size_t) (body++ - data);
    size -= pointer.len + 1;

    document = ngx_agt_json_document(body, size);

    if (document == NULL) {
        return;
    }

    fuzz_accepted++;

    rc = ngx_agt_json_pointer(document, &pointer, &found);

    if (rc == NGX_OK
        && ngx_agt_syntax_is_pointer(&pointer)
        && memchr(pointer.data, '\0', pointer.len) == NULL)
    {
        root = json_loadb((const char *) body, size, JSON_REJECT_DUPLICATES,
                          NULL);
        text = strndup((char *) pointer.data, pointer.len);

        value = fuzz_resolve(root, text);

        fuzz_check(json_is_string(value));
        fuzz_check(json_string_length(value) == found.len);
        fuzz_check(memcmp(json_string_value(value), found.data, found.len)
                   == 0);

        free(text);
        json_decref(root);
    }

    ngx_agt_json_release(&document);
}


static json_t *
fuzz_resolve(json_t *root, char *pointer)
{
    char  *step, *next, *p, *d;

    for (step = pointer + 1; step; step = next) {
        next = strchr(step, '/');

        if (next) {
            *next++ = '\0';
        }

        for (p = step, d = step; *p; p++) {
            if (*p == '~') {
                p++;
                *d++ = (*p == '1') ? '/' : '~';

            } else {
                *d++ = *p;
            }
        }

        *d = '\0';

        root = json_is_object(root) ? json_object_get(root, step)
                                    : json_array_get(root,
                                                     (size_t) atol(step));
    }

    return root;
}
