
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_DETAIL_H_INCLUDED_
#define _NGX_AGT_TOKEN_DETAIL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/facts.h"
#include "token/policy.h"


/*
 * Details: texts that say what exactly was missing, for logs and never for
 * clients.  A detail has the bytes 0x20 to 0x7e without quotation marks and
 * backslashes, so that no log escapes it.  Texts of a token or a client stand
 * in it between apostrophes.  In them, other bytes, apostrophes, and commas,
 * which end a field of nginx's lines, are percent-encoded.
 */

/* the longest detail in bytes */
#define NGX_AGT_DETAIL_LEN   256

/* what is shown of a text, and of a list */
#define NGX_AGT_DETAIL_TEXT  48
#define NGX_AGT_DETAIL_LIST  4


/* a detail that is being written; one that does not fit ends in "..." */

typedef struct {
    u_char   *start;
    u_char   *pos;
    u_char   *last;
    unsigned  full:1;
} ngx_agt_detail_t;


/*
 * Starts a detail in "buf" of NGX_AGT_DETAIL_LEN bytes, which the caller owns.
 */
void ngx_agt_detail_begin(ngx_agt_detail_t *d, u_char *buf);

/*
 * Add words of this module, which have no byte that a detail cannot have; a
 * number; and a text from a request, a token or the configuration.
 */
void ngx_agt_detail_words(ngx_agt_detail_t *d, const char *words);
void ngx_agt_detail_number(ngx_agt_detail_t *d, int64_t number);
void ngx_agt_detail_text(ngx_agt_detail_t *d, const ngx_str_t *text);

/*
 * Adds what a requirement that is not met needs, and what the token has of it.
 * "now" is in seconds since the epoch.
 */
void ngx_agt_detail_requirement(ngx_agt_detail_t *d,
    const ngx_agt_requirement_t *requirement, const ngx_agt_facts_t *facts,
    int64_t now);

/*
 * Ends the detail and returns its length in bytes.
 */
size_t ngx_agt_detail_end(ngx_agt_detail_t *d);


#endif /* _NGX_AGT_TOKEN_DETAIL_H_INCLUDED_ */
