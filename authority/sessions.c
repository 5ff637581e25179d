/*
 * GET and POST /v1/sessions, GET, PUT and DELETE /v1/sessions/{session_id},
 * POST /v1/sessions/bulk_revoke and /v1/sessions/bulk_delete
 */

#include "sessions.h"
#include "base64.h"
#include "bearer.h"
#include "model.h"
#include "parameter.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>


/* the query of a list */

typedef struct {
    ag_session_filter_t  filter;
    ag_strings_t         page_on;
    ag_strings_t         page_at_key;
    ag_strings_t         page_sort;
    const char          *direction;
    const char          *old_created;
    const char          *old_user;
} ag_sessions_query_t;


/* a list on its way to a reply */

typedef struct {
    const ag_session_filter_t  *filter;
    json_t                     *items;   /* array */
    json_t                     *first;   /* keys of the first and of the last */
    json_t                     *last;    /* row; arrays */
} ag_sessions_page_t;


static int ag_sessions_spec(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_sessions_page(const ag_authority_t *authority,
    ag_sessions_query_t *query, ag_error_t *error);
static int ag_sessions_page_key(const ag_authority_t *authority,
    ag_sessions_query_t *query, size_t i, ag_error_t *error);
static int ag_sessions_page_at(ag_sessions_query_t *query, ag_error_t *error);
static void ag_sessions_answer(const ag_authority_t *authority,
    const ag_session_filter_t *filter, ag_reply_t *reply);
static int ag_sessions_item(void *data, const ag_session_t *session);
static json_t *ag_sessions_keys(const ag_session_filter_t *filter,
    const ag_session_t *session);
static json_t *ag_sessions_page_info(const ag_sessions_page_t *page);
static json_t *ag_sessions_json(const ag_session_t *session);
static int ag_sessions_find(const ag_authority_t *authority,
    const ag_call_t *call, const ag_org_t *org, ag_session_t *session,
    ag_reply_t *reply);
static int ag_sessions_fill(const ag_call_t *call, const char *sub,
    const char *org, ag_session_t *session);
static void ag_sessions_store(const ag_authority_t *authority, int status,
    const ag_session_t *session, ag_reply_t *reply);
static int ag_sessions_bulk(const ag_authority_t *authority,
    const ag_org_t *org, const ag_session_bulk_t *bulk,
    ag_session_bulk_e what, int64_t now, int64_t *n);
static void ag_sessions_bulk_task(const ag_authority_t *authority,
    const ag_call_t *call, ag_session_bulk_e what, ag_reply_t *reply);


#define ag_sessions_field(name)  offsetof(ag_sessions_query_t, name)


static const char *const  ag_sessions_names[] = {
    [AG_SESSION_ID] = "id",
    [AG_SESSION_CREATED] = "created",
    [AG_SESSION_UPDATED] = "updated"
};


static const ag_parameter_t  ag_sessions_parameters[] = {
    { "limit", ag_parameter_limit, ag_sessions_field(filter.limit), false },
    { "user_id", ag_parameter_string, ag_sessions_field(filter.user_id),
      false },
    { "org_id", ag_parameter_string, ag_sessions_field(filter.org_id), false },
    { "revoked", ag_parameter_bool, ag_sessions_field(filter.revoked), false },
    { "created_time", ag_parameter_date,
      ag_sessions_field(filter.created_from), false },
    { "page_on", ag_parameter_strings, ag_sessions_field(page_on), true },
    { "page_at_key", ag_parameter_strings, ag_sessions_field(page_at_key),
      true },
    { "page_sort", ag_parameter_strings, ag_sessions_field(page_sort), true },
    { "search_direction", ag_parameter_string, ag_sessions_field(direction),
      false },
    { "previous_created_time", ag_parameter_string,
      ag_sessions_field(old_created), false },
    { "previous_user_id", ag_parameter_string, ag_sessions_field(old_user),
      false },
    { NULL, NULL, 0, false }
};


static const ag_member_t  ag_sessions_members[] = {
    { "spec", AG_OBJECT, AG_REQUIRED, 0, 0, ag_sessions_spec },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_spec_members[] = {
    { "user_id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "org_id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "revoked", AG_BOOL, 0, 0, 0, NULL },
    { "mfa_done", AG_BOOL, 0, 0, 0, NULL },
    { "number_of_logins", AG_INTEGER, 0, 0, INT32_MAX, NULL },
    { "number_of_failed_multi_factor_challenges", AG_INTEGER, 0, 0, INT32_MAX,
      NULL },
    { "user_agent", AG_STRING, 0, 0, 4096, NULL },
    { "country", AG_STRING, 0, 0, 3, NULL },
    { "user_type", AG_STRING, 0, 1, 32, NULL },
    { "ip_address", AG_STRING, 0, 0, 45, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_bulk_members[] = {
    { "user_id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "org_id", AG_IDENTIFIER, 0, 0, 0, NULL },
    { "session_id", AG_IDENTIFIER, 0, 0, 0, NULL },
    { "tokens_only", AG_BOOL, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static int
ag_sessions_spec(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_spec_members, false, path, error);
}


int
ag_sessions_fields(const char *names, unsigned *fields)
{
    size_t  i, len;

    *fields = 0;

    for ( ;; ) {
        len = strcspn(names, ",");

        for (i = 0; i < AG_SESSION_FIELDS; i++) {
            if (strlen(ag_sessions_names[i]) == len
                && strncmp(ag_sessions_names[i], names, len) == 0)
            {
                break;
            }
        }

        if (i == AG_SESSION_FIELDS) {
            return AG_MALFORMED;
        }

        *fields |= 1U << i;
        names += len;

        if (*names++ == '\0') {
            return AG_OK;
        }
    }
}


void
ag_sessions_list(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    char                 *orgs;
    ag_error_t            error;
    ag_token_t            bearer;
    const ag_org_t       *org;
    ag_sessions_query_t   query;

    memset(&query, 0, sizeof(ag_sessions_query_t));

    query.filter.created_from = INT64_MIN;
    query.filter.revoked = -1;
    query.filter.limit = AG_PAGE_MAX;

    if (ag_bearer_check(authority, call, ag_bearer_view, &bearer, &org, reply)
        != AG_OK
        || ag_parameter_read(call, ag_sessions_parameters, &query, reply)
           != AG_OK)
    {
        ag_token_clear(&bearer);
        return;
    }

    ag_token_clear(&bearer);

    if (ag_sessions_page(authority, &query, &error) != AG_OK) {
        ag_reply_error(reply, 400, "INVALID_REQUEST", error.text);
        return;
    }

    orgs = ag_directory_orgs(authority->directory, org);

    if (orgs) {
        query.filter.orgs = orgs;
        ag_sessions_answer(authority, &query.filter, reply);

    } else {
        ag_reply_failed(reply);
    }

    free(orgs);
}


/* which page: by id where the query does not say */

static int
ag_sessions_page(const ag_authority_t *authority, ag_sessions_query_t *query,
    ag_error_t *error)
{
    size_t                i;
    ag_session_filter_t  *filter;

    filter = &query->filter;

    /* a client of this kind would read its first page again and again */

    if ((query->old_created && *query->old_created)
        || (query->old_user && *query->old_user))
    {
        return ag_error(error, "previous_created_time, previous_user_id: use "
                        "page_on and page_at_key");
    }

    if (query->direction) {
        filter->backwards = strcmp(query->direction, "backwards") == 0;

        if (!filter->backwards && strcmp(query->direction, "forwards") != 0) {
            return ag_error(error, "search_direction: is neither forwards nor "
                            "backwards");
        }
    }

    if (query->page_sort.n > query->page_on.n
        || query->page_at_key.n > query->page_on.n)
    {
        return ag_error(error, "page_on: has fewer items than page_sort or "
                        "page_at_key");
    }

    for (i = 0; i < query->page_on.n; i++) {
        if (ag_sessions_page_key(authority, query, i, error) != AG_OK) {
            return AG_MALFORMED;
        }
    }

    /* the id decides between rows that are otherwise the same */

    for (i = 0; i < filter->nkeys; i++) {
        if (filter->keys[i].field == AG_SESSION_ID) {
            break;
        }
    }

    if (i == filter->nkeys) {
        filter->keys[filter->nkeys++].field = AG_SESSION_ID;
    }

    return ag_sessions_page_at(query, error);
}


static int
ag_sessions_page_key(const ag_authority_t *authority,
    ag_sessions_query_t *query, size_t i, ag_error_t *error)
{
    size_t             n;
    const char        *sort;
    ag_session_key_t  *key;

    for (n = 0; n < AG_SESSION_FIELDS; n++) {
        if (authority->session_fields & 1U << n
            && strcmp(ag_sessions_names[n], query->page_on.items[i]) == 0)
        {
            break;
        }
    }

    if (n == AG_SESSION_FIELDS || i == AG_SESSION_FIELDS) {
        return ag_error(error, "page_on: is no pagination key of sessions");
    }

    key = &query->filter.keys[query->filter.nkeys++];
    key->field = (ag_session_field_e) n;

    for (n = 0; n < i; n++) {
        if (query->filter.keys[n].field == key->field) {
            return ag_error(error, "page_on: has a pagination key twice");
        }
    }

    if (i < query->page_sort.n) {
        sort = query->page_sort.items[i];
        key->descending = strcmp(sort, "desc") == 0;

        if (!key->descending && strcmp(sort, "asc") != 0) {
            return ag_error(error, "page_sort: is neither asc nor desc");
        }
    }

    return AG_OK;
}


/* the official SDK sends null, which is the first page, as "None" */

static int
ag_sessions_page_at(ag_sessions_query_t *query, ag_error_t *error)
{
    size_t             i;
    const char        *value;
    ag_session_key_t  *key;

    if (query->page_at_key.n == 0
        || strcmp(query->page_at_key.items[0], "None") == 0)
    {
        return AG_OK;
    }

    for (i = 0; i < query->page_at_key.n; i++) {
        key = &query->filter.keys[i];
        value = query->page_at_key.items[i];

        if (key->field == AG_SESSION_ID) {
            key->id = value;

        } else if (ag_date_parse(value, strlen(value), &key->date) != AG_OK) {
            return ag_error(error, "page_at_key: is not a date");
        }
    }

    query->filter.nat = query->page_at_key.n;

    return AG_OK;
}


static void
ag_sessions_answer(const ag_authority_t *authority,
    const ag_session_filter_t *filter, ag_reply_t *reply)
{
    int                  rc;
    json_t              *value;
    ag_sessions_page_t   page;

    page.filter = filter;
    page.items = json_array();
    page.first = NULL;
    page.last = NULL;

    rc = ag_session_list(authority->store, filter, ag_sessions_item, &page);

    value = NULL;

    if (rc == AG_OK && page.last) {
        value = json_pack("{s:i, s:O, s:o}", "limit", filter->limit,
                          "sessions", page.items,
                          "page_info", ag_sessions_page_info(&page));

    } else if (rc == AG_OK) {
        value = json_pack("{s:i, s:O}", "limit", filter->limit,
                          "sessions", page.items);
    }

    ag_reply_json(reply, 200, value);

    json_decref(page.items);
    json_decref(page.first);
    json_decref(page.last);
}


static int
ag_sessions_item(void *data, const ag_session_t *session)
{
    ag_sessions_page_t *page = data;

    if (json_array_append_new(page->items, ag_sessions_json(session)) != 0) {
        return AG_ERROR;
    }

    json_decref(page->last);
    page->last = ag_sessions_keys(page->filter, session);

    if (page->first == NULL) {
        page->first = json_incref(page->last);
    }

    return page->last ? AG_OK : AG_ERROR;
}


/* the values that a session is sorted by: new reference, or NULL */

static json_t *
ag_sessions_keys(const ag_session_filter_t *filter,
    const ag_session_t *session)
{
    int      failed;
    size_t   i;
    json_t  *keys, *key;

    failed = 0;
    keys = json_array();

    for (i = 0; i < filter->nkeys; i++) {
        switch (filter->keys[i].field) {

        case AG_SESSION_CREATED:
            key = ag_date_json(session->created);
            break;

        case AG_SESSION_UPDATED:
            key = ag_date_json(session->updated);
            break;

        default: /* AG_SESSION_ID */
            key = json_string(session->id);
            break;
        }

        failed |= json_array_append_new(keys, key);
    }

    if (failed) {
        json_decref(keys);
        return NULL;
    }

    return keys;
}


/* new reference, or NULL; an empty page has none: nothing comes after it */

static json_t *
ag_sessions_page_info(const ag_sessions_page_t *page)
{
    int          failed;
    size_t       i;
    json_t      *page_on;
    const char  *name;

    failed = 0;
    page_on = json_array();

    for (i = 0; i < page->filter->nkeys; i++) {
        name = ag_sessions_names[page->filter->keys[i].field];
        failed |= json_array_append_new(page_on, json_string(name));
    }

    if (failed) {
        json_decref(page_on);
        return NULL;
    }

    return json_pack("{s:o, s:O, s:O}", "page_on", page_on,
                     "page_at_key", page->last, "previous_key", page->first);
}


/* the API's Session: new reference, or NULL */

static json_t *
ag_sessions_json(const ag_session_t *session)
{
    json_t  *spec, *status, *value;

    spec = json_loads(session->details, 0, NULL);
    status = json_object();

    if (spec
        && (json_object_set_new(spec, "user_id", json_string(session->sub))
            || json_object_set_new(spec, "org_id", json_string(session->org))
            || json_object_set_new(spec, "revoked",
                                   json_boolean(session->revoked))))
    {
        json_decref(spec);
        spec = NULL;
    }

    if (status && session->last_mfa
        && json_object_set_new(status, "last_mfa_time",
                               json_integer(session->last_mfa)) != 0)
    {
        json_decref(status);
        status = NULL;
    }

    value = json_pack("{s:o, s:o, s:o}", "metadata",
                      ag_model_metadata(session->id, session->created,
                                        session->updated),
                      "spec", spec, "status", status);

    return value;
}


void
ag_sessions_create(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    char                 id[23];
    json_t              *spec;
    ag_token_t           bearer;
    ag_session_t         session;
    const ag_org_t      *org, *here;
    const ag_subject_t  *subject;

    if (ag_bearer_check(authority, call, ag_bearer_own, &bearer, &here, reply)
        != AG_OK
        || ag_operation_check(call, ag_sessions_members, reply) != AG_OK)
    {
        ag_token_clear(&bearer);
        return;
    }

    ag_token_clear(&bearer);

    spec = ag_json_get(call->body, "spec");
    org = ag_directory_org(authority->directory,
                           ag_json_string(spec, "org_id"));
    subject = ag_directory_subject(authority->directory,
                                   ag_json_string(spec, "user_id"));

    if (subject == NULL || org == NULL || !ag_org_within(org, here)) {
        ag_reply_error(reply, 400, "INVALID_REQUEST", "spec: user_id and "
                       "org_id are not those of a user here");
        return;
    }

    memset(&session, 0, sizeof(ag_session_t));

    session.created = call->now;
    session.updated = call->now;

    if (ag_json_bool(spec, "mfa_done", false)) {
        session.last_mfa = call->now;
    }

    if (ag_base64_random_id(id) == AG_OK
        && ag_token_set(&session.id, id) == AG_OK
        && ag_sessions_fill(call, subject->id, org->id, &session) == AG_OK)
    {
        ag_sessions_store(authority, 201, &session, reply);

    } else {
        ag_reply_failed(reply);
    }

    ag_session_clear(&session);
}


void
ag_sessions_get(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    ag_token_t       bearer;
    ag_session_t     session;
    const ag_org_t  *org;

    if (ag_bearer_check(authority, call, ag_bearer_view, &bearer, &org, reply)
        == AG_OK
        && ag_sessions_find(authority, call, org, &session, reply) == AG_OK)
    {
        ag_reply_json(reply, 200, ag_sessions_json(&session));
        ag_session_clear(&session);
    }

    ag_token_clear(&bearer);
}


/*
 * Finds the session of the path. AG_OK with *session, which the caller clears;
 * or AG_DECLINED with 404 or 500 in the reply.
 */

static int
ag_sessions_find(const ag_authority_t *authority, const ag_call_t *call,
    const ag_org_t *org, ag_session_t *session, ag_reply_t *reply)
{
    int  rc;

    rc = ag_session_find(authority->store, call->id, session);

    if (rc == AG_ERROR) {
        ag_reply_failed(reply);
        return AG_DECLINED;
    }

    if (rc == AG_OK
        && ag_org_within(ag_directory_org(authority->directory, session->org),
                         org))
    {
        return AG_OK;
    }

    ag_session_clear(session);
    ag_reply_error(reply, 404, "SESSION_NOT_FOUND",
                   "there is no such session");

    return AG_DECLINED;
}


void
ag_sessions_replace(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    ag_token_t       bearer;
    ag_session_t     session;
    const ag_org_t  *org;

    if (ag_bearer_check(authority, call, ag_bearer_own, &bearer, &org, reply)
        != AG_OK
        || ag_operation_check(call, ag_sessions_members, reply) != AG_OK
        || ag_sessions_find(authority, call, org, &session, reply) != AG_OK)
    {
        ag_token_clear(&bearer);
        return;
    }

    ag_token_clear(&bearer);

    session.updated = call->now;

    switch (ag_sessions_fill(call, session.sub, session.org, &session)) {

    case AG_OK:
        ag_sessions_store(authority, 200, &session, reply);
        break;

    case AG_MALFORMED:
        ag_reply_error(reply, 400, "INVALID_REQUEST",
                       "spec: user_id and org_id cannot be changed");
        break;

    default:
        ag_reply_failed(reply);
        break;
    }

    ag_session_clear(&session);
}


/*
 * Takes over what the body says of a session of this user and organisation.
 * AG_OK; AG_MALFORMED if it is of another; AG_ERROR.
 */

static int
ag_sessions_fill(const ag_call_t *call, const char *sub, const char *org,
    ag_session_t *session)
{
    json_t  *spec, *details;

    spec = ag_json_get(call->body, "spec");

    if (strcmp(ag_json_string(spec, "user_id"), sub) != 0
        || strcmp(ag_json_string(spec, "org_id"), org) != 0)
    {
        return AG_MALFORMED;
    }

    session->revoked = ag_json_bool(spec, "revoked", session->revoked);

    details = json_copy(spec);

    (void) json_object_del(details, "user_id");
    (void) json_object_del(details, "org_id");
    (void) json_object_del(details, "revoked");
    (void) json_object_del(details, "mfa_done");

    free(session->details);
    session->details = ag_json_dump(details);

    json_decref(details);

    if (session->details == NULL
        || (session->sub != sub && ag_token_set(&session->sub, sub) != AG_OK)
        || (session->org != org && ag_token_set(&session->org, org) != AG_OK))
    {
        return AG_ERROR;
    }

    return AG_OK;
}


static void
ag_sessions_store(const ag_authority_t *authority, int status,
    const ag_session_t *session, ag_reply_t *reply)
{
    if (ag_session_set(authority->store, session) == AG_OK) {
        ag_reply_json(reply, status, ag_sessions_json(session));

    } else {
        ag_reply_failed(reply);
    }
}


void
ag_sessions_delete(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    int64_t              n;
    ag_token_t           bearer;
    ag_session_t         session;
    const ag_org_t      *org;
    ag_sessions_query_t  query;
    ag_session_bulk_t    bulk;

    memset(&query, 0, sizeof(ag_sessions_query_t));

    if (ag_bearer_check(authority, call, ag_bearer_own, &bearer, &org, reply)
        != AG_OK
        || ag_parameter_read(call, ag_sessions_parameters, &query, reply)
           != AG_OK
        || ag_sessions_find(authority, call, org, &session, reply) != AG_OK)
    {
        ag_token_clear(&bearer);
        return;
    }

    memset(&bulk, 0, sizeof(ag_session_bulk_t));

    bulk.id = session.id;
    bulk.user_id = query.filter.user_id ? query.filter.user_id : session.sub;
    bulk.org_id = query.filter.org_id;

    if (ag_sessions_bulk(authority, org, &bulk, AG_SESSION_DELETE, call->now,
                         &n) != AG_OK)
    {
        ag_reply_failed(reply);

    } else if (n == 0) {
        ag_reply_error(reply, 404, "SESSION_NOT_FOUND",
                       "there is no such session");

    } else {
        reply->status = 204;
    }

    ag_session_clear(&session);
    ag_token_clear(&bearer);
}


static int
ag_sessions_bulk(const ag_authority_t *authority, const ag_org_t *org,
    const ag_session_bulk_t *bulk, ag_session_bulk_e what, int64_t now,
    int64_t *n)
{
    int                 rc;
    char               *orgs;
    ag_session_bulk_t   within;

    orgs = ag_directory_orgs(authority->directory, org);
    if (orgs == NULL) {
        return AG_ERROR;
    }

    within = *bulk;
    within.orgs = orgs;

    rc = ag_session_bulk(authority->store, &within, what, now, n);

    free(orgs);

    return rc;
}


void
ag_sessions_bulk_revoke(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply)
{
    ag_sessions_bulk_task(authority, call, AG_SESSION_REVOKE, reply);
}


void
ag_sessions_bulk_delete(const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply)
{
    ag_sessions_bulk_task(authority, call, AG_SESSION_DELETE, reply);
}


static void
ag_sessions_bulk_task(const ag_authority_t *authority, const ag_call_t *call,
    ag_session_bulk_e what, ag_reply_t *reply)
{
    int64_t            n;
    ag_token_t         bearer;
    const ag_org_t    *org;
    ag_session_bulk_t  bulk;

    if (ag_bearer_check(authority, call, ag_bearer_own, &bearer, &org, reply)
        != AG_OK
        || ag_operation_check(call, ag_bulk_members, reply) != AG_OK)
    {
        ag_token_clear(&bearer);
        return;
    }

    memset(&bulk, 0, sizeof(ag_session_bulk_t));

    bulk.user_id = ag_json_string(call->body, "user_id");
    bulk.org_id = ag_json_string(call->body, "org_id");
    bulk.id = ag_json_string(call->body, "session_id");

    if (ag_json_bool(call->body, "tokens_only", false)) {
        what = AG_SESSION_TOKENS_ONLY;
    }

    if (ag_sessions_bulk(authority, org, &bulk, what, call->now, &n) == AG_OK) {
        ag_reply_json(reply, 200, json_pack("{s:I}",
                                            "number_of_sessions_modified",
                                            (json_int_t) n));

    } else {
        ag_reply_failed(reply);
    }

    ag_token_clear(&bearer);
}
