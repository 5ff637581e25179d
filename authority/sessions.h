/*
 * The operations on sessions.
 */

#ifndef AG_SESSIONS_H
#define AG_SESSIONS_H


#include "operation.h"


/*
 * Reads the fields that pages of sessions can be sorted by: names with commas
 * between them. AG_OK with a bit for each in *fields, or AG_MALFORMED.
 */
int ag_sessions_fields(const char *names, unsigned *fields);

/* GET /v1/sessions: 200 ListSessionsResponse, 400, 401, 403 */
void ag_sessions_list(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* POST /v1/sessions: 201 Session, 400, 401, 403 */
void ag_sessions_create(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);

/* GET /v1/sessions/{session_id}: 200 Session, 401, 403, 404 */
void ag_sessions_get(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* PUT /v1/sessions/{session_id}: 200 Session, 400, 401, 403, 404 */
void ag_sessions_replace(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);

/* DELETE /v1/sessions/{session_id}: 204, 401, 403, 404 */
void ag_sessions_delete(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);

/*
 * POST /v1/sessions/bulk_revoke and /v1/sessions/bulk_delete: 200
 * BulkSessionOperationResponse, 400, 401, 403
 */
void ag_sessions_bulk_revoke(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);
void ag_sessions_bulk_delete(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);


#endif /* AG_SESSIONS_H */
