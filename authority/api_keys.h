/*
 * The operations on API keys.
 */

#ifndef AG_API_KEYS_H
#define AG_API_KEYS_H


#include "operation.h"


/*
 * Makes the API keys of the seed that are not in the store yet, and disables
 * or enables the others as the seed says. AG_OK, or else with the error set.
 */
int ag_api_keys_seed(const ag_authority_t *authority, ag_error_t *error);

/*
 * Reads the statuses of API keys that are not active: "wrong=401,expired=410".
 * AG_OK, or AG_MALFORMED.
 */
int ag_api_keys_statuses(const char *text, ag_key_statuses_t *statuses);

/* GET /v1/api_keys: 200 ListAPIKeysResponse, 400, 401, 403 */
void ag_api_keys_list(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* POST /v1/api_keys: 201 APIKey, 400, 401, 403 */
void ag_api_keys_create(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);

/* GET /v1/api_keys/{api_key_id}: 200 APIKey, 400, 401, 403, 404 */
void ag_api_keys_get(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply);

/* DELETE /v1/api_keys/{api_key_id}: 204, 400, 401, 403, 404 */
void ag_api_keys_delete(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);

/*
 * POST /v1/api_keys/introspect: 200 APIKeyIntrospectResponse, 400, 410, and
 * what the authority's statuses say
 */
void ag_api_keys_introspect(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);


#endif /* AG_API_KEYS_H */
