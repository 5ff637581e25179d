/*
 * The bearer token of the caller.
 */

#include "bearer.h"
#include "scope.h"
#include "state.h"

#include <string.h>
#include <strings.h>


static const char *ag_bearer_token(const char *header);
static bool ag_bearer_scope(const ag_authority_t *authority,
    const ag_token_t *token, const ag_org_t *org, const char *const *scopes);


const char *const  ag_bearer_create[] = {
    "urn:agilicus:api:traffic-tokens:owner",
    "urn:agilicus:api:traffic-tokens:creator",
    NULL
};


const char *const  ag_bearer_view[] = {
    "urn:agilicus:api:traffic-tokens:owner",
    "urn:agilicus:api:traffic-tokens:viewer",
    NULL
};


const char *const  ag_bearer_own[] = {
    "urn:agilicus:api:traffic-tokens:owner",
    NULL
};


int
ag_bearer_check(const ag_authority_t *authority, const ag_call_t *call,
    const char *const *scopes, ag_token_t *token, const ag_org_t **org,
    ag_reply_t *reply)
{
    ag_state_e   state;
    const char  *text;

    memset(token, 0, sizeof(ag_token_t));

    text = call->authorization ? ag_bearer_token(call->authorization) : NULL;

    if (text == NULL) {
        ag_reply_error(reply, 401, "UNAUTHORIZED", "a bearer token is needed");
        return AG_DECLINED;
    }

    state = ag_state_find(authority, text, strlen(text), call->now, token);

    if (state == AG_FAILED) {
        ag_reply_failed(reply);
        return AG_DECLINED;
    }

    if (state != AG_ACTIVE || token->refresh_of) {
        ag_reply_error(reply, 401, "UNAUTHORIZED",
                       "the bearer token is not active");
        return AG_DECLINED;
    }

    *org = ag_directory_org(authority->directory, token->org);

    if (*org == NULL || !ag_bearer_scope(authority, token, *org, scopes)) {
        ag_reply_error(reply, 403, "FORBIDDEN",
                       "the bearer token does not allow this operation");
        return AG_DECLINED;
    }

    return AG_OK;
}


/* the scheme in any case, one space or more, and then no space */

static const char *
ag_bearer_token(const char *header)
{
    static const char  scheme[] = "Bearer";

    if (strncasecmp(header, scheme, sizeof(scheme) - 1) != 0) {
        return NULL;
    }

    header += sizeof(scheme) - 1;

    if (*header != ' ') {
        return NULL;
    }

    header += strspn(header, " ");

    return *header && strpbrk(header, " \t,") == NULL ? header : NULL;
}


/*
 * A scope in the token is not enough: its subject must still be permitted to
 * have it. The rights of a token with stated rights are not looked up.
 */

static bool
ag_bearer_scope(const ag_authority_t *authority, const ag_token_t *token,
    const ag_org_t *org, const char *const *scopes)
{
    bool                    found;
    json_t                 *list;
    const ag_permission_t  *permission;

    found = false;
    list = json_loads(token->scopes, 0, NULL);

    permission = ag_subject_permission(
                     ag_directory_subject(authority->directory, token->sub),
                     org);

    for ( /* void */ ; *scopes; scopes++) {
        found |= ag_scope_permitted(list, *scopes)
                 && (token->stated
                     || (permission
                         && ag_scope_permitted(permission->scopes, *scopes)));
    }

    json_decref(list);

    return found;
}
