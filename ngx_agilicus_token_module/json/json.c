
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/read.h"
#include "token/bearer.h"
#include "token/text.h"


void
ngx_agt_json_init(void)
{
    json_object_seed(0);
}


ngx_agt_json_type_e
ngx_agt_json_type(const ngx_str_t *type)
{
    u_char     *end;
    ngx_str_t   name;

    if (type->len == 0) {
        return NGX_AGT_JSON_TYPE_NONE;
    }

    name = *type;
    name.len = ngx_agt_text_until(name.data, name.len, ';');

    ngx_agt_bearer_strip(&name);

    if (ngx_agt_text_is(&name, "application/json")) {
        return NGX_AGT_JSON_TYPE_JSON;
    }

    end = name.data + name.len;

    if (name.len > sizeof("application/+json") - 1
        && ngx_agt_text_begins(name.data, end, "application/")
        && ngx_agt_text_begins(end - (sizeof("+json") - 1), end, "+json"))
    {
        return NGX_AGT_JSON_TYPE_SUFFIX;
    }

    return NGX_AGT_JSON_TYPE_OTHER;
}


ngx_uint_t
ngx_agt_json_is_object(const u_char *body, size_t len)
{
    json_t  *root;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_BODY,
                             NGX_AGT_JSON_MAX_VALUES);
    if (root == NULL) {
        return 0;
    }

    json_decref(root);

    return 1;
}
