
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_RULES_H_INCLUDED_
#define _NGX_AGT_RULES_RULES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/reason.h"


/*
 * The token's host rules: matching one request against them.  A request is
 * allowed if one rule of its host matches in all its parts; no rule ever
 * forbids.  Where two servers could read a request in different ways, the rules
 * must allow every reading:
 *
 *     a path is read as it is, and without the parameters of its segments
 *     ("/a;x/b" as "/a/b" too); only a rule that names exactly this path, with
 *     its parameters and without a pattern, allows both readings
 *
 *     path.h describes the text that a pattern and a template see; a template
 *     sees the path and, unless the rule has "separate_query", must match with
 *     the query behind it too
 *
 *     parameters, matchers, bodies: query.h, matcher.h and json/document.h
 */


/*
 * Finds the string that a JSON pointer (RFC 6901) names in a body.  Returns
 * NGX_OK with "value" set, or another value if there is no such string.
 */
typedef ngx_int_t (*ngx_agt_rules_pointer_pt)(void *body,
    const ngx_str_t *pointer, ngx_str_t *value);


typedef enum {
    NGX_AGT_RULES_UNREAD = 0,   /* not read yet */
    NGX_AGT_RULES_ABSENT,       /* no body, or not JSON */
    NGX_AGT_RULES_GIVEN         /* "body" and "pointer" are set */
} ngx_agt_rules_body_e;


/* a request, as rules see it */

typedef struct {
    ngx_str_t                 host;
    ngx_str_t                 method;  /* as it was sent: "GET" */
    ngx_str_t                 path;    /* ..._path_decode() */
    ngx_str_t                 query;   /* raw, without "?" */

    uint64_t                  spent;   /* nanoseconds, estimated */

    unsigned                  has_query:1;  /* "?" was there */
    unsigned                  search:1;

    ngx_agt_rules_body_e      state;
    void                     *body;
    ngx_agt_rules_pointer_pt  pointer;
} ngx_agt_rules_view_t;


/* the state of a process, which all its decisions use */

typedef struct ngx_agt_rules_s  ngx_agt_rules_t;


/*
 * Makes the state of a process, with room for "slots" compiled patterns.
 * Returns NULL where memory is short.
 */
ngx_agt_rules_t *ngx_agt_rules_create(ngx_uint_t slots);

void ngx_agt_rules_destroy(ngx_agt_rules_t *rules);

/*
 * Decides on one request.  "packed" is the ruleset of its token, empty where
 * the token has none.
 *
 * NGX_OK        a rule matches
 * NGX_AGAIN     no rule matches yet, but one would match if the body had the
 *               value that the rule asks for: read the body, decide again
 * NGX_DECLINED  no rule matches; "reason" names the part at which the rule
 *               failed that came furthest (host, method, path, query, body,
 *               matcher), or is "rule" where there is no rule at all
 *
 * A decision costs a few milliseconds at most, whatever the rules are; a
 * request whose decision takes longer is refused.  "view->spent" is the time
 * that decisions on the request have cost so far; this decision adds its own.
 */
ngx_int_t ngx_agt_rules_decide(ngx_agt_rules_t *rules, const ngx_str_t *packed,
    ngx_agt_rules_view_t *view, ngx_agt_reason_e *reason);

/*
 * Counts for a detail: returns how many rules of "packed" are for "host", and
 * sets "other" to the first host that is not, or to an empty string.
 */
ngx_uint_t ngx_agt_rules_count(const ngx_str_t *packed, const ngx_str_t *host,
    ngx_str_t *other);


#endif /* _NGX_AGT_RULES_RULES_H_INCLUDED_ */
