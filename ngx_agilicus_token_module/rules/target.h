
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_TARGET_H_INCLUDED_
#define _NGX_AGT_RULES_TARGET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The second target of a request, and the authorities that it names; syntax
 * only.
 */

typedef enum {
    NGX_AGT_TARGET_NONE = 0,
    NGX_AGT_TARGET_DESTINATION,  /* COPY, MOVE: RFC 4918, 10.3 */
    NGX_AGT_TARGET_ELSEWHERE     /* in a body or another field */
} ngx_agt_target_e;


/* host and port of a request or of a URI */

typedef struct {
    ngx_str_t    host;      /* without port and trailing dot, in any case */
    ngx_uint_t   port;      /* 0: none, or the usual one of the scheme */
} ngx_agt_authority_t;


typedef struct {
    ngx_agt_authority_t  authority;  /* empty: of the request */
    ngx_str_t            path;       /* raw */
    ngx_str_t            query;      /* raw, without "?" */

    unsigned             has_query:1;
} ngx_agt_target_t;


/*
 * Says where requests of a method ("COPY") name a second target.  The name is
 * compared byte for byte.
 */
ngx_agt_target_e ngx_agt_target_of(const ngx_str_t *method);

/*
 * Reads the value of a Destination field: an absolute path, or an "http" or
 * "https" URI, with or without query.  White space around it is ignored.
 * Returns NGX_OK, or NGX_DECLINED for anything else.  This function does not
 * check whether rules can judge the path and the query.
 */
ngx_int_t ngx_agt_target_read(const ngx_str_t *value,
    ngx_agt_target_t *target);

/*
 * Reads "host" or "host:port".  Returns NGX_OK, or NGX_DECLINED for a text that
 * has a user or escapes in it, bytes that no name of a host has, or an invalid
 * port.  The port "usual" counts as no port.
 */
ngx_int_t ngx_agt_target_authority(const ngx_str_t *text,
    ngx_uint_t usual, ngx_agt_authority_t *authority);

/*
 * Returns 1 if two authorities are the same host, without regard to case, and
 * port; else 0.
 */
ngx_uint_t ngx_agt_target_is_same(const ngx_agt_authority_t *a,
    const ngx_agt_authority_t *b);

/*
 * Sets "authority" to the authority of the target in a request line of HTTP/1,
 * and "usual" to the port of the target's scheme, which counts as no port.
 * Returns NGX_OK; NGX_DONE where the target is a path and so has no authority;
 * NGX_DECLINED where it cannot be read.
 */
ngx_int_t ngx_agt_target_of_line(const ngx_str_t *line,
    ngx_uint_t *usual, ngx_agt_authority_t *authority);


#endif /* _NGX_AGT_RULES_TARGET_H_INCLUDED_ */
