/*
 * POST /v1/tokens
 */

#include "create.h"
#include "bearer.h"
#include "jwt.h"
#include "model.h"
#include "rights.h"
#include "session.h"
#include "validate.h"

#include <string.h>


/* validity of a refresh token: 30 days */

#define AG_REFRESH_DURATION  (30 * 86400)


static int ag_create_authorize(ag_create_t *create);
static int ag_create_fill(ag_create_t *create);
static int ag_create_creator(ag_create_t *create);
static int ag_create_session(ag_create_t *create);
static int ag_create_session_named(ag_create_t *create, const char *name);
static int ag_create_refresh(ag_create_t *create);
static void ag_create_reply(ag_create_t *create);


void
ag_create(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    int          rc;
    ag_create_t  create;

    rc = ag_create_make(&create, authority, call, reply);

    if (rc == AG_OK) {
        rc = ag_create_store(&create);
    }

    if (rc == AG_OK) {
        ag_create_reply(&create);

    } else if (rc == AG_ERROR) {
        ag_reply_failed(reply);
    }

    ag_create_end(&create);
}


int
ag_create_make(ag_create_t *create, const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply)
{
    int  rc;

    memset(create, 0, sizeof(ag_create_t));

    create->authority = authority;
    create->call = call;
    create->reply = reply;

    rc = ag_create_authorize(create);

    return rc == AG_OK ? ag_create_fill(create) : rc;
}


void
ag_create_end(ag_create_t *create)
{
    ag_jwt_free(create->texts[0]);
    ag_jwt_free(create->texts[1]);
    ag_token_clear(&create->tokens[0]);
    ag_token_clear(&create->tokens[1]);
    ag_token_clear(&create->bearer);
}


/* from here on, AG_DECLINED and AG_MALFORMED have set the reply */

static int
ag_create_authorize(ag_create_t *create)
{
    const ag_org_t        *org;
    const ag_authority_t  *authority;

    authority = create->authority;

    if (ag_bearer_check(authority, create->call, ag_bearer_create,
                        &create->bearer, &create->org, create->reply)
        != AG_OK)
    {
        return AG_DECLINED;
    }

    if (create->bearer.masquerading) {
        ag_reply_error(create->reply, 403, "FORBIDDEN",
                       "a masquerading user creates no tokens");
        return AG_DECLINED;
    }

    if (ag_operation_check(create->call, ag_validate_members, create->reply)
        != AG_OK)
    {
        return AG_MALFORMED;
    }

    org = ag_directory_org(authority->directory,
                           ag_json_string(create->call->body, "org"));

    if (org == NULL || !ag_org_within(org, create->org)) {
        ag_reply_error(create->reply, 403, "FORBIDDEN",
                       "org: is not one that the bearer may create for");
        return AG_DECLINED;
    }

    return AG_OK;
}


static int
ag_create_fill(ag_create_t *create)
{
    int          rc;
    ag_token_t  *token;

    token = &create->tokens[0];

    rc = ag_validate_request(create->authority->directory, create->call, token,
                             create->reply);

    if (rc == AG_OK) {
        rc = ag_create_creator(create);
    }

    if (rc == AG_OK) {
        rc = ag_create_session(create);
    }

    if (rc == AG_OK) {
        rc = ag_jwt_make(create->authority, token, &create->texts[0]);
    }

    if (rc == AG_OK
        && ag_json_bool(create->call->body, "create_refresh_token", false))
    {
        rc = ag_create_refresh(create);
    }

    return rc;
}


/*
 * A token that a person creates for another subject is marked as masquerading.
 * A token that a service account creates is not: to create tokens for others is
 * the purpose of such an account.
 */

static int
ag_create_creator(ag_create_t *create)
{
    ag_token_t          *token;
    const ag_subject_t  *subject;

    token = &create->tokens[0];

    if (strcmp(token->sub, create->bearer.sub) == 0) {
        return AG_OK;
    }

    subject = ag_directory_subject(create->authority->directory,
                                   create->bearer.sub);

    token->masquerading = (subject == NULL || !subject->service);

    if (ag_token_set(&token->creating_sub, create->bearer.sub) != AG_OK) {
        return AG_ERROR;
    }

    if (strcmp(token->org, create->bearer.org) == 0) {
        return AG_OK;
    }

    return ag_token_set(&token->creating_org, create->bearer.org);
}


/*
 * The session is the one that the request names, else the creator's, else a new
 * one. The session of a service account is not handed on: every subject with a
 * token of that session could end it, and with it the tokens of all others.
 */

static int
ag_create_session(ag_create_t *create)
{
    const char  *session;
    ag_token_t  *token;

    token = &create->tokens[0];
    session = ag_json_string(create->call->body, "session");

    if (session) {
        return ag_create_session_named(create, session);
    }

    if (!ag_json_bool(create->call->body, "inherit_session", true)
        || (token->creating_sub && !token->masquerading))
    {
        return AG_OK;
    }

    return ag_token_set(&token->session, create->bearer.session);
}


static int
ag_create_session_named(ag_create_t *create, const char *name)
{
    int           rc;
    bool          revoked;
    ag_token_t   *token;
    ag_session_t  session;

    token = &create->tokens[0];

    rc = ag_session_find(create->authority->store, name, &session);
    revoked = (rc == AG_OK && session.revoked);

    ag_session_clear(&session);

    if (rc == AG_ERROR) {
        return AG_ERROR;
    }

    rc = ag_store_session_of_other(create->authority->store, name, token->sub);

    if (revoked
        || (rc == AG_OK && strcmp(name, create->bearer.session) != 0))
    {
        ag_reply_error(create->reply, 403, "FORBIDDEN",
                       revoked ? "session: was revoked"
                               : "session: is somebody else's");
        return AG_DECLINED;
    }

    return rc == AG_ERROR ? AG_ERROR : ag_token_set(&token->session, name);
}


static int
ag_create_refresh(ag_create_t *create)
{
    ag_token_t  *token, *refresh;

    token = &create->tokens[0];
    refresh = &create->tokens[1];

    refresh->iat = token->iat;
    refresh->nbf = token->nbf;
    refresh->exp = create->call->now + AG_REFRESH_DURATION;
    refresh->masquerading = token->masquerading;

    if (token->exp != AG_NEVER && token->exp > refresh->exp) {
        refresh->exp = token->exp;
    }

    if (ag_token_inherit(refresh, token) != AG_OK
        || ag_token_set(&refresh->refresh_of, token->jti) != AG_OK)
    {
        return AG_ERROR;
    }

    return ag_jwt_make(create->authority, refresh, &create->texts[1]);
}


int
ag_create_store(ag_create_t *create)
{
    int  rc;

    rc = ag_store_add(create->authority->store, create->tokens,
                      create->texts[1] ? 2 : 1, create->bearer.jti);

    if (rc == AG_DECLINED) {
        ag_reply_error(create->reply, 401, "UNAUTHORIZED",
                       "the bearer token is not active");
    }

    return rc;
}


static void
ag_create_reply(ag_create_t *create)
{
    json_t  *user;

    user = NULL;

    if (ag_json_bool(create->call->body, "get_user", false)) {
        user = ag_subject_user(ag_directory_subject(
                                   create->authority->directory,
                                   create->tokens[0].sub));
    }

    ag_model_raw_token(create->reply, 201, create->call, &create->tokens[0],
                       create->texts[0], create->texts[1], user);
}
