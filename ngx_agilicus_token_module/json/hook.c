
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/hook.h"
#include "json/read.h"


static ngx_int_t ngx_agt_json_hook_values(json_t *root,
    void (*deny)(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value), void *data);


ngx_int_t
ngx_agt_json_hook(const u_char *body, size_t len,
    void (*deny)(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value), void *data)
{
    json_t     *root;
    ngx_int_t   rc;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_HOOK,
                             NGX_AGT_JSON_MAX_HOOK);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_hook_values(root, NULL, NULL);

    if (rc == NGX_OK) {
        (void) ngx_agt_json_hook_values(root, deny, data);
    }

    json_decref(root);

    return rc;
}


/* without "deny", only checks the whole document */

static ngx_int_t
ngx_agt_json_hook_values(json_t *root,
    void (*deny)(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value), void *data)
{
    size_t                 i;
    json_t                *list, *value;
    ngx_str_t              text;
    const char            *name;
    ngx_agt_denial_kind_e  kind;

    if (json_object_size(root) == 0) {
        return NGX_ERROR;
    }

    json_object_foreach(root, name, list) {

        if (ngx_strcmp(name, "jti") == 0) {
            kind = NGX_AGT_DENIAL_JTI;

        } else if (ngx_strcmp(name, "session") == 0) {
            kind = NGX_AGT_DENIAL_SESSION;

        } else if (ngx_strcmp(name, "sub") == 0) {
            kind = NGX_AGT_DENIAL_SUBJECT;

        } else {
            return NGX_ERROR;
        }

        if (!json_is_array(list)) {
            return NGX_ERROR;
        }

        json_array_foreach(list, i, value) {

            if (!json_is_string(value)) {
                return NGX_ERROR;
            }

            ngx_agt_json_text(value, &text);

            if (text.len == 0 || text.len > NGX_AGT_JSON_MAX_DENIED) {
                return NGX_ERROR;
            }

            if (deny) {
                deny(data, kind, &text);
            }
        }
    }

    return NGX_OK;
}
