/*
 * The operations on users: the way to change rights while tokens live.
 */

#ifndef AG_USERS_H
#define AG_USERS_H


#include "operation.h"


/* GET /users/{user_id}: 200 User, 401, 403, 404 */
void ag_users_get(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/*
 * PUT /users/{user_id}: 200 User, 400, 401, 403, 404. The caller holds the
 * directory with ag_directory_own(), here and below.
 */
void ag_users_replace(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* PUT /users/{user_id}/roles: 204, 400, 401, 403, 404 */
void ag_users_replace_roles(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);

/* GET /users/{user_id}/render_roles: 200 Roles, 401, 403, 404 */
void ag_users_roles(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);


#endif /* AG_USERS_H */
