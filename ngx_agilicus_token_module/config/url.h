
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_URL_H_INCLUDED_
#define _NGX_AGT_CONFIG_URL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The URL of the Tokens API, or of a proxy towards it.  Denials, budgets and
 * facts are keyed by the API's URL, so each API has exactly one spelling: any
 * other is brought into that form, or is refused.
 */

/* bytes that a URL may become longer by, its terminating zero included */
#define NGX_AGT_URL_ROOM  16

/*
 * Writes the canonical form of "url" to out->data, which the caller owns and
 * which must hold url->len + NGX_AGT_URL_ROOM bytes, sets out->len,
 * and puts a zero behind it.  Scheme and host are in lower case, an IPv6
 * address is written as RFC 5952 has it, the port has no leading zeros and is
 * left out where it is the scheme's default, and no slash stands at the end.
 * A proxy is "http", has a port, which is always kept, and has no path.
 * Returns NULL, or in words what is wrong with the URL.
 */
const char *ngx_agt_url_canonical(const ngx_str_t *url,
    ngx_uint_t proxy, ngx_str_t *out);

/*
 * Whether a canonical URL is plain "http".  Returns 1 or 0.
 */
ngx_uint_t ngx_agt_url_is_plain(const ngx_str_t *url);


#endif /* _NGX_AGT_CONFIG_URL_H_INCLUDED_ */
