/*
 * GET and POST /v1/api_keys, GET and DELETE /v1/api_keys/{api_key_id},
 * POST /v1/api_keys/introspect
 */

#include "api_keys.h"
#include "api_key.h"
#include "base64.h"
#include "bearer.h"
#include "create.h"
#include "introspect.h"
#include "jwt.h"
#include "model.h"
#include "parameter.h"
#include "rights.h"
#include "scope.h"

#include <stdlib.h>
#include <string.h>


/* a key that stands for several organisations has to have this scope */

#define AG_SCOPE_MULTI_ORG  "urn:agilicus:token_payload:multiorg:true"


/* the query of a list */

typedef struct {
    ag_api_key_filter_t  filter;
    const char          *sort_order;
    const char          *valid_at;
    const char          *page_at;
} ag_api_keys_query_t;


/* a list on its way to a reply */

typedef struct {
    const ag_authority_t  *authority;
    json_t                *items;   /* array */
    int                    limit;
    json_t                *next;    /* creation of the row after them */
} ag_api_keys_page_t;


static int ag_api_keys_spec(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_api_keys_auth_info(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_api_keys_query(const ag_call_t *call,
    ag_api_keys_query_t *query, ag_error_t *error);
static int ag_api_keys_item(void *data, const ag_api_key_t *key);
static json_t *ag_api_keys_json(const ag_authority_t *authority,
    const ag_api_key_t *key, const char *secret);
static json_t *ag_api_keys_request(const json_t *spec);
static int ag_api_keys_fill(const json_t *spec, const ag_token_t *token,
    int64_t now, ag_api_key_t *key);
static int ag_api_keys_secret(char secret[AG_SECRET_SIZE + 1]);
static int ag_api_keys_find(const ag_authority_t *authority,
    const ag_call_t *call, const ag_org_t *org, ag_api_key_t *key,
    ag_reply_t *reply);
static int ag_api_keys_check(const ag_authority_t *authority,
    const ag_call_t *call, ag_api_key_t *key, ag_token_t *token, int *status,
    const char **code);
static bool ag_api_keys_user(const ag_authority_t *authority,
    const ag_api_key_t *key, const char *username);
static void ag_api_keys_answer(const ag_authority_t *authority,
    const ag_call_t *call, const ag_api_key_t *key, ag_token_t *token,
    ag_reply_t *reply);
static void ag_api_keys_sub_orgs(ag_text_t *text,
    const ag_authority_t *authority, const ag_token_t *token,
    const ag_model_options_t *model);
static int ag_api_keys_seed_one(const ag_authority_t *authority,
    const json_t *seed, int64_t now, ag_error_t *error);
static int ag_api_keys_seed_make(const ag_authority_t *authority,
    const json_t *seed, int64_t now, ag_error_t *error);


#define ag_api_keys_field(name)  offsetof(ag_api_keys_query_t, name)


static const ag_parameter_t  ag_api_keys_parameters[] = {
    { "limit", ag_parameter_limit, ag_api_keys_field(filter.limit), false },
    { "user_id", ag_parameter_string, ag_api_keys_field(filter.user_id),
      false },
    { "org_id", ag_parameter_string, ag_api_keys_field(filter.org_id), false },
    { "name", ag_parameter_string, ag_api_keys_field(filter.name), false },
    { "label", ag_parameter_string, ag_api_keys_field(filter.label), false },
    { "api_key_op_status", ag_parameter_string,
      ag_api_keys_field(filter.oper_status), false },
    { "not_api_key_op_status", ag_parameter_string,
      ag_api_keys_field(filter.not_oper_status), false },
    { "scopes", ag_parameter_strings, ag_api_keys_field(filter.patterns),
      true },
    { "valid_at", ag_parameter_string, ag_api_keys_field(valid_at), false },
    { "sort_order", ag_parameter_string, ag_api_keys_field(sort_order),
      false },
    { "page_at_created_date", ag_parameter_string,
      ag_api_keys_field(page_at), false },
    { NULL, NULL, 0, false }
};


static const ag_member_t  ag_api_key_members[] = {
    { "spec", AG_OBJECT, AG_REQUIRED, 0, 0, ag_api_keys_spec },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_key_spec_members[] = {
    { "user_id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "org_id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "expiry", AG_STRING, 0, 1, 64, ag_shape_date },
    { "session", AG_IDENTIFIER, 0, 0, 0, NULL },
    { "scopes", AG_STRINGS, 0, 0, 1000, ag_scope_check },
    { "name", AG_STRING, 0, 0, 100, NULL },
    { "label", AG_STRING, 0, 0, 128, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_key_introspect_members[] = {
    { "api_key_auth_info", AG_OBJECT, AG_REQUIRED, 0, 0,
      ag_api_keys_auth_info },
    { "introspect_options", AG_OBJECT, 0, 0, 0, ag_introspect_options },
    { "multi_org", AG_BOOL, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_auth_info_members[] = {
    { "username", AG_STRING, AG_REQUIRED, 1, AG_ITEM_MAX, NULL },
    { "key", AG_STRING, AG_REQUIRED, 1, AG_ITEM_MAX, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static int
ag_api_keys_spec(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_key_spec_members, false, path, error);
}


static int
ag_api_keys_auth_info(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_auth_info_members, false, path, error);
}


int
ag_api_keys_statuses(const char *text, ag_key_statuses_t *statuses)
{
    int     *field;
    size_t   len;

    for ( ;; ) {
        len = strcspn(text, "=");

        if (len == 5 && strncmp(text, "wrong", len) == 0) {
            field = &statuses->wrong;

        } else if (len == 7 && strncmp(text, "expired", len) == 0) {
            field = &statuses->expired;

        } else if (len == 8 && strncmp(text, "disabled", len) == 0) {
            field = &statuses->disabled;

        } else {
            return AG_MALFORMED;
        }

        if (text[len] != '=') {
            return AG_MALFORMED;
        }

        text += len + 1;

        if (strspn(text, "0123456789") != 3) {
            return AG_MALFORMED;
        }

        *field = atoi(text);

        /* a key that is wrong has nothing that could be told with 200 */

        if ((*field < 400 || *field > 599)
            && (*field != 200 || field == &statuses->wrong))
        {
            return AG_MALFORMED;
        }

        text += 3;

        if (*text == '\0') {
            return AG_OK;
        }

        if (*text++ != ',') {
            return AG_MALFORMED;
        }
    }
}


void
ag_api_keys_list(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    int                   rc;
    char                 *orgs;
    ag_error_t            error;
    ag_token_t            bearer;
    const ag_org_t       *org;
    ag_api_keys_page_t    page;
    ag_api_keys_query_t   query;

    memset(&query, 0, sizeof(ag_api_keys_query_t));

    query.filter.valid_at = INT64_MIN;
    query.filter.page_at = INT64_MIN;
    query.filter.now = call->now;
    query.filter.limit = AG_PAGE_MAX;

    if (ag_bearer_check(authority, call, ag_bearer_view, &bearer, &org, reply)
        != AG_OK
        || ag_parameter_read(call, ag_api_keys_parameters, &query, reply)
           != AG_OK)
    {
        ag_token_clear(&bearer);
        return;
    }

    ag_token_clear(&bearer);

    if (ag_api_keys_query(call, &query, &error) != AG_OK) {
        ag_reply_error(reply, 400, "INVALID_REQUEST", error.text);
        return;
    }

    page.authority = authority;
    page.items = json_array();
    page.limit = query.filter.limit++;
    page.next = NULL;

    orgs = ag_directory_orgs(authority->directory, org);
    query.filter.orgs = orgs;

    rc = orgs ? ag_api_key_list(authority->store, &query.filter,
                                ag_api_keys_item, &page)
              : AG_ERROR;

    ag_reply_json(reply, 200, rc != AG_OK ? NULL
                  : json_pack("{s:i, s:O, s:O*}", "limit", page.limit,
                              "api_keys", page.items,
                              "page_at_created_date", page.next));

    json_decref(page.items);
    json_decref(page.next);
    free(orgs);
}


/* the first page: no date, an empty one, or "None", as the SDK writes null */

static int
ag_api_keys_query(const ag_call_t *call, ag_api_keys_query_t *query,
    ag_error_t *error)
{
    ag_api_key_filter_t  *filter;

    filter = &query->filter;

    if (query->sort_order) {
        filter->descending = strcmp(query->sort_order, "descending") == 0;

        if (!filter->descending && strcmp(query->sort_order, "ascending") != 0)
        {
            return ag_error(error, "sort_order: is neither ascending nor "
                            "descending");
        }
    }

    if (query->page_at && *query->page_at
        && strcmp(query->page_at, "None") != 0
        && ag_date_parse(query->page_at, strlen(query->page_at),
                         &filter->page_at) != AG_OK)
    {
        return ag_error(error, "page_at_created_date: is not a date");
    }

    if (query->valid_at == NULL) {
        return AG_OK;
    }

    if (strcmp(query->valid_at, "now") == 0) {
        filter->valid_at = call->now;

    } else if (ag_date_parse(query->valid_at, strlen(query->valid_at),
                             &filter->valid_at) != AG_OK)
    {
        return ag_error(error, "valid_at: is neither a date nor \"now\"");
    }

    return AG_OK;
}


/* one row more than the limit is read, to know where the next page begins */

static int
ag_api_keys_item(void *data, const ag_api_key_t *key)
{
    ag_api_keys_page_t *page = data;

    if (json_array_size(page->items) == (size_t) page->limit) {
        page->next = ag_date_json(key->created);

        return page->next ? AG_OK : AG_ERROR;
    }

    return json_array_append_new(page->items,
                                 ag_api_keys_json(page->authority, key, NULL))
           == 0 ? AG_OK : AG_ERROR;
}


/* the API's APIKey, with the secret or NULL: new reference, or NULL */

static json_t *
ag_api_keys_json(const ag_authority_t *authority, const ag_api_key_t *key,
    const char *secret)
{
    json_t      *value;
    ag_token_t   token;

    memset(&token, 0, sizeof(ag_token_t));

    if (ag_store_find(authority->store, key->token_id, &token) == AG_ERROR) {
        return NULL;
    }

    value = json_pack("{s:o, s:{s:s, s:s, s:s*, s:s*, s:s*, s:o},"
                      " s:{s:s, s:s*, s:s*, s:s*, s:b, s:s}}",
                      "metadata",
                      ag_model_metadata(key->id, key->created, key->updated),
                      "spec", "user_id", key->sub, "org_id", key->org,
                      "name", key->name, "label", key->label,
                      "session", token.session,
                      "scopes", json_loads(key->scopes, 0, NULL),
                      "status", "token_id", key->token_id,
                      "api_key", secret,
                      "creating_sub", token.creating_sub,
                      "creating_org", token.creating_org,
                      "masquerading", token.masquerading,
                      "oper_status", key->oper_status);

    if (value && key->expiry != AG_NEVER
        && json_object_set_new(json_object_get(value, "spec"), "expiry",
                               ag_date_json(key->expiry)) != 0)
    {
        json_decref(value);
        value = NULL;
    }

    ag_token_clear(&token);

    return value;
}


void
ag_api_keys_create(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    int            rc;
    char           secret[AG_SECRET_SIZE + 1];
    json_t        *spec;
    ag_call_t      request;
    ag_create_t    create;
    ag_api_key_t   key;

    if (ag_operation_check(call, ag_api_key_members, reply) != AG_OK) {
        return;
    }

    memset(&key, 0, sizeof(ag_api_key_t));

    spec = ag_json_get(call->body, "spec");

    request = *call;
    request.body = ag_api_keys_request(spec);

    rc = ag_create_make(&create, authority, &request, reply);

    if (rc == AG_OK) {
        rc = ag_api_keys_secret(secret);
    }

    if (rc == AG_OK) {
        rc = ag_api_keys_fill(spec, &create.tokens[0], call->now, &key);
    }

    if (rc == AG_OK) {
        rc = ag_api_key_seal(&key, secret, create.texts[0]);
    }

    if (rc == AG_OK) {
        rc = ag_create_store(&create);
    }

    if (rc == AG_OK) {
        rc = ag_api_key_set(authority->store, &key);
    }

    if (rc == AG_OK) {
        ag_reply_json(reply, 201, ag_api_keys_json(authority, &key, secret));
        ag_reply_about(reply, key.token_id);

    } else if (rc == AG_ERROR) {
        ag_reply_failed(reply);
    }

    ag_api_key_clear(&key);
    ag_create_end(&create);
    json_decref(request.body);
}


/* the token that a key is to stand for, as a CreateTokenRequest */

static json_t *
ag_api_keys_request(const json_t *spec)
{
    const char  *expiry;

    expiry = ag_json_string(spec, "expiry");

    return json_pack("{s:s, s:s, s:[s, s, s], s:{}, s:{s:s*, s:b}, s:O*,"
                     " s:s*}",
                     "sub", ag_json_string(spec, "user_id"),
                     "org", ag_json_string(spec, "org_id"),
                     "audiences", "urn:api:agilicus:gateway",
                     "urn:api:agilicus:users", "urn:api:agilicus:applications",
                     "time_validity",
                     "token_validity", "end", expiry,
                     "does_not_expire", expiry == NULL,
                     "scopes", ag_json_get(spec, "scopes"),
                     "session", ag_json_string(spec, "session"));
}


static int
ag_api_keys_fill(const json_t *spec, const ag_token_t *token, int64_t now,
    ag_api_key_t *key)
{
    char         id[23];
    json_t      *scopes;
    const char  *name;

    name = ag_json_string(spec, "name");
    scopes = ag_json_get(spec, "scopes");

    key->scopes = scopes ? ag_json_dump(scopes) : strdup("[]");
    key->created = now;
    key->updated = now;
    key->expiry = token->exp;

    /* an empty name is none */

    if (key->scopes == NULL
        || ag_base64_random_id(id) != AG_OK
        || ag_token_set(&key->id, id) != AG_OK
        || ag_token_set(&key->sub, token->sub) != AG_OK
        || ag_token_set(&key->org, token->org) != AG_OK
        || ag_token_set(&key->token_id, token->jti) != AG_OK
        || ag_token_set(&key->name, name && *name ? name : NULL) != AG_OK
        || ag_token_set(&key->label, ag_json_string(spec, "label")) != AG_OK
        || ag_token_set(&key->oper_status, "active") != AG_OK)
    {
        return AG_ERROR;
    }

    return AG_OK;
}


static int
ag_api_keys_secret(char secret[AG_SECRET_SIZE + 1])
{
    char  one[23], two[23];

    if (ag_base64_random_id(one) != AG_OK || ag_base64_random_id(two) != AG_OK)
    {
        return AG_ERROR;
    }

    memcpy(secret, one, 22);
    memcpy(secret + 22, two, AG_SECRET_SIZE - 22);
    secret[AG_SECRET_SIZE] = '\0';

    return AG_OK;
}


void
ag_api_keys_get(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    ag_token_t       bearer;
    ag_api_key_t     key;
    const ag_org_t  *org;

    if (ag_bearer_check(authority, call, ag_bearer_view, &bearer, &org, reply)
        == AG_OK
        && ag_api_keys_find(authority, call, org, &key, reply) == AG_OK)
    {
        ag_reply_json(reply, 200, ag_api_keys_json(authority, &key, NULL));
        ag_api_key_clear(&key);
    }

    ag_token_clear(&bearer);
}


/*
 * Finds the key of the path, which is to be of the user and the organisation of
 * the query, where there are any. AG_OK with *key, which the caller clears; or
 * AG_DECLINED with the reply set.
 */

static int
ag_api_keys_find(const ag_authority_t *authority, const ag_call_t *call,
    const ag_org_t *org, ag_api_key_t *key, ag_reply_t *reply)
{
    int                   rc;
    ag_api_keys_query_t   query;
    ag_api_key_filter_t  *filter;

    memset(&query, 0, sizeof(ag_api_keys_query_t));

    filter = &query.filter;
    filter->limit = AG_PAGE_MAX;

    if (ag_parameter_read(call, ag_api_keys_parameters, &query, reply)
        != AG_OK)
    {
        return AG_DECLINED;
    }

    rc = ag_api_key_find(authority->store, call->id, call->now, key);

    if (rc == AG_ERROR) {
        ag_reply_failed(reply);
        return AG_DECLINED;
    }

    if (rc == AG_OK
        && ag_org_within(ag_directory_org(authority->directory, key->org), org)
        && (filter->user_id == NULL || strcmp(filter->user_id, key->sub) == 0)
        && (filter->org_id == NULL || strcmp(filter->org_id, key->org) == 0))
    {
        return AG_OK;
    }

    ag_api_key_clear(key);
    ag_reply_error(reply, 404, "API_KEY_NOT_FOUND",
                   "there is no such API key");

    return AG_DECLINED;
}


void
ag_api_keys_delete(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    ag_token_t       bearer;
    ag_api_key_t     key;
    const ag_org_t  *org;

    if (ag_bearer_check(authority, call, ag_bearer_own, &bearer, &org, reply)
        == AG_OK
        && ag_api_keys_find(authority, call, org, &key, reply) == AG_OK)
    {
        if (ag_api_key_delete(authority->store, &key, call->now) == AG_OK) {
            reply->status = 204;
            ag_reply_about(reply, key.token_id);

        } else {
            ag_reply_failed(reply);
        }

        ag_api_key_clear(&key);
    }

    ag_token_clear(&bearer);
}


void
ag_api_keys_introspect(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    int            rc, status;
    ag_token_t     token;
    const char    *code;
    ag_api_key_t   key;

    if (ag_operation_check(call, ag_key_introspect_members, reply) != AG_OK) {
        return;
    }

    memset(&token, 0, sizeof(ag_token_t));

    status = 200;
    rc = ag_api_keys_check(authority, call, &key, &token, &status, &code);

    if (rc == AG_ERROR) {
        ag_reply_failed(reply);

    } else if (status == 200) {
        ag_api_keys_answer(authority, call, &key, &token, reply);

    } else {
        ag_reply_error(reply, status, code, "there is no such active API key");
    }

    ag_reply_about(reply, token.jti);
    ag_token_clear(&token);
    ag_api_key_clear(&key);
}


/*
 * Finds the key that is presented, and its token. Where the key is not active,
 * *status and *code become those of the answer. AG_OK or AG_ERROR; the caller
 * clears *key and *token in any case.
 */

static int
ag_api_keys_check(const ag_authority_t *authority, const ag_call_t *call,
    ag_api_key_t *key, ag_token_t *token, int *status, const char **code)
{
    int                  rc;
    json_t              *info;
    const ag_subject_t  *subject;

    info = ag_json_get(call->body, "api_key_auth_info");

    rc = ag_api_key_find_secret(authority->store, ag_json_string(info, "key"),
                                call->now, key);

    if (rc == AG_OK
        && !ag_api_keys_user(authority, key, ag_json_string(info, "username")))
    {
        rc = AG_DECLINED;
    }

    if (rc != AG_OK) {
        *status = authority->key_statuses.wrong;
        *code = "API_KEY_NOT_FOUND";

        return rc == AG_DECLINED ? AG_OK : rc;
    }

    rc = ag_store_find(authority->store, key->token_id, token);

    if (rc == AG_ERROR) {
        return AG_ERROR;
    }

    subject = ag_directory_subject(authority->directory, key->sub);

    if (rc == AG_DECLINED || strcmp(key->oper_status, "revoked") == 0) {
        *status = 410;
        *code = "API_KEY_REVOKED";

    } else if (strcmp(key->oper_status, "expired") == 0) {
        *status = authority->key_statuses.expired;
        *code = "API_KEY_EXPIRED";

    } else if (key->disabled || subject == NULL
               || !ag_subject_enabled(subject))
    {
        *status = authority->key_statuses.disabled;
        *code = "API_KEY_DISABLED";
    }

    return AG_OK;
}


/* the e-mail address of its user, or the id of one that has no address */

static bool
ag_api_keys_user(const ag_authority_t *authority, const ag_api_key_t *key,
    const char *username)
{
    const ag_subject_t  *subject;

    subject = ag_directory_subject(authority->directory, key->sub);

    return strcmp(username, subject && subject->email ? subject->email
                                                      : key->sub) == 0;
}


static void
ag_api_keys_answer(const ag_authority_t *authority, const ag_call_t *call,
    const ag_api_key_t *key, ag_token_t *token, ag_reply_t *reply)
{
    char                *raw;
    json_t              *scopes;
    ag_text_t            text;
    ag_model_options_t   model;

    raw = ag_api_key_open(key, ag_json_string(
                                   ag_json_get(call->body,
                                               "api_key_auth_info"), "key"));
    if (raw == NULL) {
        ag_reply_failed(reply);
        return;
    }

    memset(&text, 0, sizeof(ag_text_t));

    ag_introspect_model(call->body, &model);

    ag_text_raw(&text, "{\"primary_token\":");
    ag_model_token(&text, authority, token, &model);
    ag_text_raw(&text, ",\"raw_token\":");
    ag_text_quoted(&text, raw);
    ag_text_raw(&text, ",\"sub_org_results\":[");

    scopes = json_loads(token->scopes, 0, NULL);

    if (ag_json_bool(call->body, "multi_org", false)
        && ag_json_has(scopes, AG_SCOPE_MULTI_ORG))
    {
        ag_api_keys_sub_orgs(&text, authority, token, &model);
    }

    ag_text_raw(&text, "]}");

    ag_reply_text(reply, 200, &text);

    json_decref(scopes);
    ag_jwt_free(raw);
}


/* a Token for each organisation below in which its subject may do something */

static void
ag_api_keys_sub_orgs(ag_text_t *text, const ag_authority_t *authority,
    const ag_token_t *token, const ag_model_options_t *model)
{
    size_t                 i;
    ag_token_t             below;
    const char            *comma;
    const ag_org_t        *org;
    const ag_subject_t    *subject;
    const ag_directory_t  *directory;

    directory = authority->directory;
    subject = ag_directory_subject(directory, token->sub);
    org = ag_directory_org(directory, token->org);

    comma = "";

    for (i = 0; i < directory->norgs; i++) {
        if (&directory->orgs[i] == org
            || !ag_org_within(&directory->orgs[i], org)
            || ag_subject_permission(subject, &directory->orgs[i]) == NULL)
        {
            continue;
        }

        /* the same token, looked at from there; nothing of it is owned */

        below = *token;
        below.org = (char *) (uintptr_t) directory->orgs[i].id;

        ag_text_raw(text, comma);
        ag_model_token(text, authority, &below, model);

        comma = ",";
    }
}


int
ag_api_keys_seed(const ag_authority_t *authority, ag_error_t *error)
{
    size_t         i;
    json_t        *list, *item;
    ag_path_t      top, here;
    ag_error_t     reason;

    list = ag_json_get(authority->directory->seed, "api_keys");

    top = (ag_path_t) { NULL, "api_keys", 0 };

    json_array_foreach(list, i, item) {
        here = (ag_path_t) { &top, NULL, i };

        if (ag_api_keys_seed_one(authority, item, ag_date_now(), &reason)
            != AG_OK)
        {
            return ag_error_at(error, &here, "%s", reason.text);
        }
    }

    return AG_OK;
}


static int
ag_api_keys_seed_one(const ag_authority_t *authority, const json_t *seed,
    int64_t now, ag_error_t *error)
{
    int           rc;
    bool          disabled;
    ag_api_key_t  key;

    disabled = ag_json_bool(seed, "disabled", false);

    rc = ag_api_key_find_secret(authority->store, ag_json_string(seed, "key"),
                                now, &key);

    if (rc == AG_OK && key.disabled != disabled) {
        key.disabled = disabled;
        key.updated = now;

        rc = ag_api_key_set(authority->store, &key);

    } else if (rc == AG_DECLINED) {
        rc = ag_api_keys_seed_make(authority, seed, now, error);
    }

    ag_api_key_clear(&key);

    return rc == AG_ERROR ? ag_error(error, "the key cannot be stored") : rc;
}


static int
ag_api_keys_seed_make(const ag_authority_t *authority, const json_t *seed,
    int64_t now, ag_error_t *error)
{
    int                     rc;
    char                   *text;
    ag_wish_t               wish;
    ag_token_t              token;
    const char             *secret, *expiry;
    ag_api_key_t            key;
    const ag_permission_t  *permission;

    text = NULL;

    memset(&key, 0, sizeof(ag_api_key_t));
    memset(&token, 0, sizeof(ag_token_t));
    memset(&wish, 0, sizeof(ag_wish_t));

    secret = ag_json_string(seed, "key");
    expiry = ag_json_string(seed, "expiry");

    token.iat = now;
    token.nbf = now;
    token.exp = AG_NEVER;
    token.revoked = ag_json_bool(seed, "revoked", false);

    if (expiry) {
        (void) ag_date_parse(expiry, strlen(expiry), &token.exp);
    }

    wish.sub = ag_json_string(seed, "user_id");
    wish.org = ag_json_string(seed, "org_id");
    wish.scopes = ag_json_get(seed, "scopes");

    permission = ag_subject_permission(
                     ag_directory_subject(authority->directory, wish.sub),
                     ag_directory_org(authority->directory, wish.org));

    if (wish.scopes == NULL && permission) {
        wish.scopes = permission->scopes;
    }

    rc = ag_rights_grant(authority->directory, &wish, &token, error);

    if (rc == AG_OK
        && (ag_token_set(&token.session, ag_json_string(seed, "session"))
            != AG_OK
            || ag_token_set(&token.aud, AG_AUDIENCES) != AG_OK
            || ag_jwt_make(authority, &token, &text) != AG_OK
            || ag_api_keys_fill(seed, &token, now, &key) != AG_OK
            || ag_api_key_seal(&key, secret, text) != AG_OK))
    {
        rc = AG_ERROR;
    }

    if (rc == AG_OK) {
        key.disabled = ag_json_bool(seed, "disabled", false);
        rc = ag_store_add(authority->store, &token, 1, NULL);
    }

    if (rc == AG_OK) {
        rc = ag_api_key_set(authority->store, &key);
    }

    ag_jwt_free(text);
    ag_token_clear(&token);
    ag_api_key_clear(&key);

    return rc;
}
