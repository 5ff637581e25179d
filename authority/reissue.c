/*
 * POST /v1/tokens/reissue
 */

#include "jwt.h"
#include "model.h"
#include "operation.h"
#include "scope.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>


static const ag_permission_t *ag_reissue_permission(
    const ag_authority_t *authority, const ag_call_t *call, ag_state_e state,
    const ag_token_t *presented, ag_reply_t *reply);
static void ag_reissue_do(const ag_authority_t *authority,
    const ag_call_t *call, const ag_token_t *presented,
    const ag_permission_t *permission, ag_reply_t *reply);
static int ag_reissue_token(const ag_token_t *presented,
    const ag_permission_t *permission, ag_token_t *token);
static int ag_reissue_scopes(const ag_token_t *presented,
    const ag_permission_t *permission, ag_token_t *token);
static void ag_reissue_refuse(ag_reply_t *reply, const char *message);


static const ag_member_t  ag_reissue_members[] = {
    { "token", AG_STRING, AG_REQUIRED, 1, AG_TOKEN_MAX, NULL },
    { "org_id", AG_STRING, AG_REQUIRED, 1, AG_ITEM_MAX, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


void
ag_reissue(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    json_t                 *text;
    ag_state_e              state;
    ag_token_t              presented;
    const ag_permission_t  *permission;

    if (ag_operation_check(call, ag_reissue_members, reply) != AG_OK) {
        return;
    }

    text = ag_json_get(call->body, "token");

    state = ag_state_find(authority, json_string_value(text),
                          json_string_length(text), call->now, &presented);

    ag_reply_about(reply, presented.jti);

    permission = ag_reissue_permission(authority, call, state, &presented,
                                       reply);
    if (permission) {
        ag_reissue_do(authority, call, &presented, permission, reply);
    }

    ag_token_clear(&presented);
}


/*
 * The permission for the new token, or NULL with the reply set where none is
 * made. Refresh tokens and tokens of masquerading users are not reissued.
 */

static const ag_permission_t *
ag_reissue_permission(const ag_authority_t *authority, const ag_call_t *call,
    ag_state_e state, const ag_token_t *presented, ag_reply_t *reply)
{
    const ag_directory_t   *directory;
    const ag_permission_t  *permission;

    if (state == AG_FAILED) {
        ag_reply_failed(reply);
        return NULL;
    }

    if (state != AG_ACTIVE || presented->refresh_of || presented->masquerading)
    {
        ag_reissue_refuse(reply, "token: is not one that can be reissued");
        return NULL;
    }

    directory = authority->directory;

    permission = ag_subject_permission(
                     ag_directory_subject(directory, presented->sub),
                     ag_directory_org(directory,
                                      ag_json_string(call->body, "org_id")));

    if (permission == NULL) {
        ag_reissue_refuse(reply, "org_id: the subject has no permission in "
                          "this organisation");
    }

    return permission;
}


static void
ag_reissue_do(const ag_authority_t *authority, const ag_call_t *call,
    const ag_token_t *presented, const ag_permission_t *permission,
    ag_reply_t *reply)
{
    int          rc;
    char        *text;
    ag_token_t   token;

    memset(&token, 0, sizeof(ag_token_t));

    text = NULL;
    token.iat = call->now;
    token.nbf = call->now;

    rc = ag_reissue_token(presented, permission, &token);

    if (rc == AG_OK) {
        rc = ag_jwt_make(authority, &token, &text);
    }

    if (rc == AG_OK) {
        rc = ag_store_add(authority->store, &token, 1, presented->jti);
    }

    if (rc == AG_OK) {
        ag_model_raw_token(reply, 200, call, &token, text, NULL, NULL);

    } else if (rc == AG_DECLINED) {

        /* revoked since we looked */

        ag_reissue_refuse(reply, "token: is not one that can be reissued");

    } else {
        ag_reply_failed(reply);
    }

    ag_jwt_free(text);
    ag_token_clear(&token);
}


/* restrictions stay; rights are those that hold in the new organisation */

static int
ag_reissue_token(const ag_token_t *presented,
    const ag_permission_t *permission, ag_token_t *token)
{
    token->exp = presented->exp;

    if (ag_token_inherit(token, presented) != AG_OK
        || ag_token_set(&token->org, permission->org->id) != AG_OK)
    {
        return AG_ERROR;
    }

    return ag_reissue_scopes(presented, permission, token);
}


static int
ag_reissue_scopes(const ag_token_t *presented,
    const ag_permission_t *permission, ag_token_t *token)
{
    size_t   i;
    json_t  *scopes, *kept, *scope;

    scopes = json_loads(presented->scopes, 0, NULL);
    kept = json_array();

    json_array_foreach(scopes, i, scope) {
        if (ag_scope_permitted(permission->scopes, json_string_value(scope))
            && json_array_append(kept, scope) != 0)
        {
            json_decref(kept);
            kept = NULL;
        }
    }

    free(token->scopes);
    token->scopes = (scopes && kept) ? ag_json_dump(kept) : NULL;

    json_decref(scopes);
    json_decref(kept);

    return token->scopes ? AG_OK : AG_ERROR;
}


static void
ag_reissue_refuse(ag_reply_t *reply, const char *message)
{
    ag_reply_error(reply, 400, "INVALID_REQUEST", message);
}
