
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/dashboard.h"
#include "request/headers.h"
#include "token/digest.h"


/*
 * The assembler reads the file.  "%progbits" is understood for all machines;
 * "@progbits" is not, for "@" begins a comment for some of them.
 */

__asm__(".pushsection .rodata.ngx_agt_dashboard, \"a\", %progbits\n"
        ".globl ngx_agt_dashboard_text\n"
        ".hidden ngx_agt_dashboard_text\n"
        "ngx_agt_dashboard_text:\n"
        ".incbin \"endpoint/dashboard.html\"\n"
        ".byte 0\n"
        ".popsection\n");

extern const char  ngx_agt_dashboard_text[]
    __attribute__((visibility("hidden")));


static ngx_int_t ngx_agt_dashboard_digest(ngx_agt_dashboard_part_e part,
    u_char *out);


#define NGX_AGT_DASHBOARD_DIGEST  ngx_base64_encoded_length(NGX_AGT_DIGEST_LEN)


const ngx_str_t *
ngx_agt_dashboard_part(ngx_agt_dashboard_part_e part)
{
    char        *p, *end;
    ngx_uint_t   i;

    static ngx_str_t  parts[NGX_AGT_DASHBOARD_PARTS];

    if (parts[0].data) {
        return &parts[part];
    }

    p = (char *) ngx_agt_dashboard_text;

    for (i = 0; i < NGX_AGT_DASHBOARD_PARTS; i++) {
        end = ngx_strstr(p, "{{");

        parts[i].data = (u_char *) p;
        parts[i].len = end ? (size_t) (end - p) : ngx_strlen(p);

        p = end ? ngx_strstr(end, "}}") + 2 : p + parts[i].len;
    }

    return &parts[part];
}


size_t
ngx_agt_dashboard_len(size_t *row)
{
    ngx_uint_t  i;

    *row = 0;

    /* each section has rows enough to make up for what stands around them */

    for (i = NGX_AGT_DASHBOARD_SECTION; i <= NGX_AGT_DASHBOARD_END; i++) {
        *row += ngx_agt_dashboard_part(i)->len;
    }

    return ngx_strlen(ngx_agt_dashboard_text);
}


u_char *
ngx_agt_dashboard_write(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures)
{
    p = ngx_slprintf(p, last, "%V%V%V",
                     ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_HEAD),
                     ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_STYLE),
                     ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_BODY));

    p = ngx_agt_figures_tables(p, last, figures);

    return ngx_slprintf(p, last, "%V%V%V",
                        ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_REST),
                        ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_SCRIPT),
                        ngx_agt_dashboard_part(NGX_AGT_DASHBOARD_TAIL));
}


ngx_int_t
ngx_agt_dashboard_policy(ngx_http_request_t *r)
{
    u_char     *p;
    u_char      style[NGX_AGT_DASHBOARD_DIGEST];
    u_char      script[NGX_AGT_DASHBOARD_DIGEST];
    ngx_str_t   value;

    static const ngx_str_t  name = ngx_string("Content-Security-Policy");
    static const char       format[] =
        "default-src 'none'; style-src 'sha256-%*s'; script-src 'sha256-%*s'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'";

    if (ngx_agt_dashboard_digest(NGX_AGT_DASHBOARD_STYLE, style) != NGX_OK
        || ngx_agt_dashboard_digest(NGX_AGT_DASHBOARD_SCRIPT, script)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, sizeof(format) + 2 * NGX_AGT_DASHBOARD_DIGEST);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, format, sizeof(style), style, sizeof(script),
                            script)
                - p;

    return ngx_agt_headers_set(r, NULL, &name, &value) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_agt_dashboard_digest(ngx_agt_dashboard_part_e part, u_char *out)
{
    u_char     digest[NGX_AGT_DIGEST_LEN];
    ngx_str_t  encoded, bytes;

    if (ngx_agt_digest(digest, ngx_agt_dashboard_part(part), 1) != NGX_OK) {
        return NGX_ERROR;
    }

    bytes.data = digest;
    bytes.len = NGX_AGT_DIGEST_LEN;
    encoded.data = out;

    ngx_encode_base64(&encoded, &bytes);

    return NGX_OK;
}
