
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_FACTS_H_INCLUDED_
#define _NGX_AGT_TOKEN_FACTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The facts that are known of one token.  The packed form is one run of bytes
 * without a pointer in it, so that it can lie in shared memory at any address
 * and be copied out in one go:
 *
 *     header | sub email org root_org jti session | aud | scopes | roles
 *            | resources | claims
 *
 * The host rules of a token may be large.  They have a packed form of their own
 * (rules/ruleset.h), which is kept beside the facts.
 *
 * Facts contain no verdict: policy reads them again for each request.
 */

#define NGX_AGT_FACTS_VERSION   3

/* the longest string that a member can hold, in bytes */
#define NGX_AGT_FACTS_MAX_STR   0xffff


typedef enum {
    NGX_AGT_FACTS_AUD = 0,
    NGX_AGT_FACTS_SCOPES,
    NGX_AGT_FACTS_ROLES,     /* application, role, application ... */
    NGX_AGT_FACTS_RESOURCES, /* type, identifier, role, type ... */
    NGX_AGT_FACTS_CLAIMS,    /* name, value, name ...; see json/object */

    NGX_AGT_FACTS_LISTS
} ngx_agt_facts_list_e;


/* a denial refuses one token, or all tokens that have the same fact */

typedef enum {
    NGX_AGT_DENIAL_TOKEN = 0,
    NGX_AGT_DENIAL_JTI,
    NGX_AGT_DENIAL_SESSION,
    NGX_AGT_DENIAL_SUBJECT,

    NGX_AGT_DENIAL_KINDS
} ngx_agt_denial_kind_e;


/* a packed list: read it with ngx_agt_facts_next() */

typedef struct {
    const u_char                  *pos;
    const u_char                  *end;
} ngx_agt_list_t;


/* facts as they are read: strings and lists point into the packed form */

typedef struct {
    int64_t         exp;  /* all times: seconds since the epoch */
    int64_t         iat;
    int64_t         nbf;
    int64_t         end;  /* from then on a member refuses it */
    int64_t         mfa;  /* the last multi-factor sign-in */

    unsigned        has_exp:1;
    unsigned        has_iat:1;
    unsigned        has_nbf:1;
    unsigned        has_end:1;
    unsigned        has_mfa:1;
    unsigned        masquerading:1;
    unsigned        has_rules:1;
    unsigned        odd_scopes:1;  /* present, but not a list */

    ngx_str_t       sub;
    ngx_str_t       email;
    ngx_str_t       org;
    ngx_str_t       root_org;
    ngx_str_t       jti;
    ngx_str_t       session;

    ngx_agt_list_t  lists[NGX_AGT_FACTS_LISTS];
} ngx_agt_facts_t;


typedef struct {
    u_char                        *start;
    u_char                        *pos;
    u_char                        *end;
    ngx_uint_t                     list;
    unsigned                       overflow:1;
} ngx_agt_facts_builder_t;


/*
 * Starts a packed form in "buf" of "size" bytes, which the caller owns, with
 * the times, flags and strings of "facts".  The lists of "facts" are ignored.
 */
void ngx_agt_facts_begin(ngx_agt_facts_builder_t *b,
    u_char *buf, size_t size, const ngx_agt_facts_t *facts);

/*
 * Starts a list.  Lists come in the order of their enumeration; one that is
 * left out is empty.
 */
void ngx_agt_facts_list(ngx_agt_facts_builder_t *b, ngx_agt_facts_list_e list);

/*
 * Adds one string to the list that was started last.
 */
void ngx_agt_facts_add(ngx_agt_facts_builder_t *b, const ngx_str_t *value);

/*
 * Ends the packed form and returns its length in bytes, or 0 if something did
 * not fit: the content of the buffer must then not be used.
 */
size_t ngx_agt_facts_end(ngx_agt_facts_builder_t *b);

/*
 * Opens a packed form of "len" bytes: fills "facts", whose strings and lists
 * point into "packed" and live as long as it does.  Returns NGX_OK, or
 * NGX_ERROR where it is no packed form of this version or its lengths do not
 * add up; "facts" must then not be used.  Lists are checked as they are read.
 */
ngx_int_t ngx_agt_facts_open(ngx_agt_facts_t *facts,
    const u_char *packed, size_t len);

/*
 * Reads the next string of a list and moves on.  Returns NGX_OK, or NGX_DONE
 * at the end and where the rest is no list.
 */
ngx_int_t ngx_agt_facts_next(ngx_agt_list_t *list, ngx_str_t *value);

/*
 * Looks for a string in a list, byte for byte; returns 1 if it is there, else
 * 0.  "list" is not moved.
 */
ngx_uint_t ngx_agt_facts_has(const ngx_agt_list_t *list,
    const ngx_str_t *value);

/*
 * Looks for a pair in a list of pairs (roles), byte for byte; returns 1 if it
 * is there, else 0.
 */
ngx_uint_t ngx_agt_facts_has_pair(const ngx_agt_list_t *list,
    const ngx_str_t *name, const ngx_str_t *value);

/*
 * Looks for the first pair of a list of pairs (claims) with this name.  Returns
 * NGX_OK with "value" set, or NGX_DECLINED.
 */
ngx_int_t ngx_agt_facts_find(const ngx_agt_list_t *list,
    const ngx_str_t *name, ngx_str_t *value);


#endif /* _NGX_AGT_TOKEN_FACTS_H_INCLUDED_ */
