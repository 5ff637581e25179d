/*
 * The operations of the Tokens API. They know requests and replies as JSON,
 * and nothing of HTTP but its status codes.
 */

#ifndef AG_OPERATION_H
#define AG_OPERATION_H


#include "authority.h"
#include "reply.h"
#include "shape.h"


typedef struct {
    const char  *name;
    const char  *value;
} ag_query_t;


/* one request; everything is borrowed */

typedef struct {
    json_t            *body;           /* an object, or NULL */
    const ag_error_t  *invalid;        /* why there is no body */
    const char        *id;             /* in the path, or "" */
    const char        *authorization;  /* value of the header, or NULL */
    const ag_query_t  *query;          /* decoded parameters, as they came */
    size_t             nquery;
    int64_t            now;            /* seconds since the epoch */
} ag_call_t;


/* Each fills a zeroed reply, which the caller clears. */
typedef void (*ag_operation_pt)(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);


/*
 * Checks the body of a call: AG_OK, or AG_MALFORMED with 400 in the reply.
 * Members that the table does not have are left alone, since clients may be
 * newer than this.
 */
int ag_operation_check(const ag_call_t *call, const ag_member_t *members,
    ag_reply_t *reply);

/* POST /v1/tokens/introspect: 200 Token, 400, 404, 410 */
void ag_introspect(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* POST /v1/tokens/reissue: 200 RawToken, 400 */
void ag_reissue(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* POST /v1/tokens/revoke: 204, 400 */
void ag_revoke(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* POST /v1/tokens: 201 RawToken, 400, 401, 403 */
void ag_create(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* POST /v1/tokens/validations: 200 CreateTokenRequest, 400, 403 */
void ag_validate(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* GET /v1/tokens: 200 ListTokensResponse, 400, 401, 403 */
void ag_list(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* GET /v1/tokens/jwsk: 200 ListJWKS */
void ag_jwsk(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);


#endif /* AG_OPERATION_H */
