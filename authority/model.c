/*
 * The models of the API that have a token: Token and RawToken.
 */

#include "model.h"
#include "matchers.h"
#include "rights.h"
#include "scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/*
 * The subject and the organisation of a token, looked up once. Each may be
 * NULL.
 */

typedef struct {
    const ag_subject_t     *subject;
    const ag_org_t         *org;
    const ag_permission_t  *permission;
} ag_owner_t;


static void ag_model_member(ag_text_t *text, const char *name,
    const char *value);
static void ag_model_json(ag_text_t *text, const char *name,
    const char *json);
static void ag_model_date(ag_text_t *text, const char *name, int64_t seconds,
    ag_date_format_e format);
static void ag_model_rights(ag_text_t *text, const ag_authority_t *authority,
    const ag_token_t *token, const ag_owner_t *owner,
    const ag_model_options_t *options);
static void ag_model_restricted(ag_text_t *text,
    const ag_authority_t *authority, const ag_token_t *token,
    const ag_owner_t *owner, const ag_model_options_t *options);
static void ag_model_resources(ag_text_t *text, const ag_token_t *token,
    const ag_permission_t *permission);
static void ag_model_user(ag_text_t *text, const ag_subject_t *subject);
static void ag_model_value(ag_text_t *text, const char *name,
    const json_t *value);


void
ag_model_token(ag_text_t *text, const ag_authority_t *authority,
    const ag_token_t *token, const ag_model_options_t *options)
{
    ag_owner_t  owner;

    owner.subject = ag_directory_subject(authority->directory, token->sub);
    owner.org = ag_directory_org(authority->directory, token->org);
    owner.permission = ag_subject_permission(owner.subject, owner.org);

    ag_text_raw(text, "{\"sub\":");
    ag_text_quoted(text, token->sub);

    ag_model_member(text, "sub_email",
                    owner.subject ? owner.subject->email : NULL);
    ag_model_member(text, "org", token->org);
    ag_model_member(text, "root_org",
                    owner.org ? ag_org_root(owner.org)->id : NULL);
    ag_model_member(text, "jti", token->jti);
    ag_model_member(text, "session", token->session);
    ag_model_date(text, "iat", token->iat, authority->dates);

    if (token->exp != AG_NEVER) {
        ag_model_date(text, "exp", token->exp, authority->dates);
    }

    ag_model_json(text, "aud", token->aud);
    ag_model_json(text, "scopes", token->scopes);
    ag_model_member(text, "creating_sub", token->creating_sub);
    ag_model_member(text, "creating_org", token->creating_org);
    ag_model_member(text, "refresh_token_jti", token->refresh_of);

    if (token->masquerading) {
        ag_model_json(text, "masquerading", "true");
    }

    if (token->last_mfa) {
        ag_model_json(text, "last_mfa_time", "");
        ag_text_number(text, token->last_mfa);
    }

    ag_model_rights(text, authority, token, &owner, options);

    if (!options->listed) {
        ag_model_resources(text, token, owner.permission);
        ag_model_user(text, owner.subject);
    }

    if (options->listed) {
        ag_model_json(text, "revoked", token->revoked ? "true" : "false");
        ag_model_date(text, "updated", token->updated, authority->dates);
    }

    ag_text_raw(text, "}");
}


/* a string member; none where there is none */

static void
ag_model_member(ag_text_t *text, const char *name, const char *value)
{
    if (value) {
        ag_model_json(text, name, "");
        ag_text_quoted(text, value);
    }
}


static void
ag_model_json(ag_text_t *text, const char *name, const char *json)
{
    ag_text_raw(text, ",\"");
    ag_text_raw(text, name);
    ag_text_raw(text, "\":");
    ag_text_raw(text, json);
}


static void
ag_model_date(ag_text_t *text, const char *name, int64_t seconds,
    ag_date_format_e format)
{
    ag_model_json(text, name, "");
    ag_date_render(text, seconds, format);
}


static void
ag_model_rights(ag_text_t *text, const ag_authority_t *authority,
    const ag_token_t *token, const ag_owner_t *owner,
    const ag_model_options_t *options)
{
    const char  *hosts;

    if (token->roles || token->hosts) {
        ag_model_restricted(text, authority, token, owner, options);
        return;
    }

    if (!options->exclude_roles) {
        ag_model_json(text, "roles",
                      owner->permission ? owner->permission->roles_text : "{}");
    }

    if (!options->listed) {
        hosts = owner->permission
                ? owner->permission->hosts_text[options->support_http_matchers]
                : "[]";

        ag_model_json(text, "hosts", hosts);
    }
}


static void
ag_model_restricted(ag_text_t *text, const ag_authority_t *authority,
    const ag_token_t *token, const ag_owner_t *owner,
    const ag_model_options_t *options)
{
    json_t  *roles, *hosts, *exact;

    roles = ag_rights_roles(owner->permission, token);

    if (!options->exclude_roles) {
        ag_model_value(text, "roles", roles);
    }

    if (!options->listed) {
        hosts = roles ? ag_rights_hosts(authority->directory, owner->subject,
                                        owner->org, roles, token)
                      : NULL;

        if (hosts && !options->support_http_matchers) {
            exact = ag_matchers_exact(hosts);

            json_decref(hosts);
            hosts = exact;
        }

        ag_model_value(text, "hosts", hosts);
        json_decref(hosts);
    }

    json_decref(roles);
}


/*
 * The permissions of the subject on resources, as far as a scope of the token
 * asks for them: urn:agilicus:<type>:<id>:role:<role>.
 */

static void
ag_model_resources(ag_text_t *text, const ag_token_t *token,
    const ag_permission_t *permission)
{
    int       failed;
    size_t    i;
    json_t   *scopes, *rows, *row;
    char      scope[512];

    if (permission == NULL || json_array_size(permission->resources) == 0) {
        ag_model_json(text, "resource_permissions", "[]");
        return;
    }

    scopes = json_loads(token->scopes, 0, NULL);
    rows = json_array();
    failed = scopes ? 0 : -1;

    json_array_foreach(permission->resources, i, row) {
        (void) snprintf(scope, sizeof(scope), "urn:agilicus:%s:%s:role:%s",
                        ag_json_string(row, "resource_type"),
                        ag_json_string(row, "resource_id"),
                        ag_json_string(row, "resource_role_name"));

        if (ag_scope_permitted(scopes, scope)) {
            failed |= json_array_append(rows, row);
        }
    }

    ag_model_value(text, "resource_permissions", failed ? NULL : rows);

    json_decref(scopes);
    json_decref(rows);
}


static void
ag_model_user(ag_text_t *text, const ag_subject_t *subject)
{
    json_t  *user;

    if (subject) {
        user = ag_subject_user(subject);

        ag_model_value(text, "user", user);
        json_decref(user);
    }
}


/* takes NULL for a shortage of memory */

static void
ag_model_value(ag_text_t *text, const char *name, const json_t *value)
{
    char  *json;

    json = value ? ag_json_dump(value) : NULL;

    if (json == NULL) {
        text->failed = true;
        return;
    }

    ag_model_json(text, name, json);

    free(json);
}


json_t *
ag_model_metadata(const char *id, int64_t created, int64_t updated)
{
    return json_pack("{s:s, s:o, s:o}", "id", id,
                     "created", ag_date_json(created),
                     "updated", ag_date_json(updated));
}


void
ag_model_raw_token(ag_reply_t *reply, int status, const ag_call_t *call,
    const ag_token_t *token, const char *text, const char *refresh,
    json_t *user)
{
    char       *json;
    ag_text_t   out;

    memset(&out, 0, sizeof(ag_text_t));

    ag_text_raw(&out, "{\"token\":");
    ag_text_quoted(&out, text);
    ag_text_raw(&out, ",\"session\":");
    ag_text_quoted(&out, token->session);

    if (token->exp != AG_NEVER) {
        ag_text_raw(&out, ",\"time_validity\":{\"duration\":");
        ag_text_number(&out, token->exp - call->now);
        ag_text_raw(&out, "}");
    }

    if (refresh) {
        ag_text_raw(&out, ",\"refresh_token\":");
        ag_text_quoted(&out, refresh);
    }

    if (user) {
        json = ag_json_dump(user);

        ag_text_raw(&out, ",\"user\":");
        ag_text_raw(&out, json ? json : "{}");

        free(json);
        json_decref(user);
    }

    ag_text_raw(&out, "}");

    ag_reply_text(reply, status, &out);
    ag_reply_about(reply, token->jti);
}
