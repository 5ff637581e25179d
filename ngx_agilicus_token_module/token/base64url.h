
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_BASE64URL_H_INCLUDED_
#define _NGX_AGT_TOKEN_BASE64URL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * base64url without padding (RFC 4648, section 5; RFC 7515, section 2), read
 * strictly: each sequence of bytes has exactly one spelling.
 */

/* bytes of text for "n" bytes of data */
#define ngx_agt_base64url_len(n)  (((n) * 4 + 2) / 3)


/*
 * Returns 1 if "text" is such a spelling, else 0: a byte that is no digit of
 * base64url, a length that no data has, or unused bits that are not zero.
 */
ngx_uint_t ngx_agt_base64url_is(const ngx_str_t *text);

/*
 * Decodes "text" to "out", which the caller owns, and sets "*len" to the number
 * of bytes.  Returns NGX_OK; NGX_ERROR, with nothing written, where the text is
 * not such a spelling or stands for more than "size" bytes.
 */
ngx_int_t ngx_agt_base64url_decode(const ngx_str_t *text, u_char *out,
    size_t size, size_t *len);

/*
 * Writes the spelling of "n" bytes to "out", which holds
 * ngx_agt_base64url_len(n) bytes.
 */
void ngx_agt_base64url_encode(const u_char *data, size_t n, u_char *out);


#endif /* _NGX_AGT_TOKEN_BASE64URL_H_INCLUDED_ */
