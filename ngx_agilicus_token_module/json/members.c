
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/members.h"


typedef struct {
    ngx_str_t    name;
    const char  *variable;
} ngx_agt_json_member_t;


#define NGX_AGT_JSON_MEMBER(name, use, variable, noticed)                     \
    { ngx_string(name), variable },

static const ngx_agt_json_member_t  ngx_agt_json_token_members[] = {
    NGX_AGT_JSON_TOKEN_MEMBERS(NGX_AGT_JSON_MEMBER)
    { ngx_null_string, NULL }
};


const char *
ngx_agt_json_member_variable(const u_char *name, size_t len)
{
    const ngx_agt_json_member_t  *m;

    for (m = ngx_agt_json_token_members; m->name.len; m++) {
        if (m->name.len == len && ngx_memcmp(m->name.data, name, len) == 0) {
            return m->variable;
        }
    }

    return "claim";
}
