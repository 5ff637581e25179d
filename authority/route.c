/*
 * Which path and method is which operation.
 */

#include "route.h"
#include "api_keys.h"
#include "sessions.h"
#include "users.h"

#include <string.h>
#include <strings.h>


static ag_operation_pt ag_route_operation(const ag_route_t *route,
    const char *method);
static bool ag_route_matches(const char *pattern, const char *path, char *id);
static bool ag_route_is_json(const char *type);


static const ag_route_t  ag_routes[] = {
    { "/v1/tokens", "GET, HEAD, POST",
      ag_list, ag_create, NULL, NULL, true, false },
    { "/v1/tokens/introspect", "POST",
      NULL, ag_introspect, NULL, NULL, false, false },
    { "/v1/tokens/jwsk", "GET, HEAD",
      ag_jwsk, NULL, NULL, NULL, false, false },
    { "/v1/tokens/reissue", "POST",
      NULL, ag_reissue, NULL, NULL, true, false },
    { "/v1/tokens/revoke", "POST",
      NULL, ag_revoke, NULL, NULL, true, false },
    { "/v1/tokens/validations", "POST",
      NULL, ag_validate, NULL, NULL, false, false },

    { "/v1/api_keys", "GET, HEAD, POST",
      ag_api_keys_list, ag_api_keys_create, NULL, NULL, true, false },
    { "/v1/api_keys/introspect", "POST",
      NULL, ag_api_keys_introspect, NULL, NULL, false, false },
    { "/v1/api_keys/{api_key_id}", "GET, HEAD, DELETE",
      ag_api_keys_get, NULL, NULL, ag_api_keys_delete, false, false },

    { "/v1/sessions", "GET, HEAD, POST",
      ag_sessions_list, ag_sessions_create, NULL, NULL, true, false },
    { "/v1/sessions/bulk_delete", "POST",
      NULL, ag_sessions_bulk_delete, NULL, NULL, true, false },
    { "/v1/sessions/bulk_revoke", "POST",
      NULL, ag_sessions_bulk_revoke, NULL, NULL, true, false },
    { "/v1/sessions/{session_id}", "GET, HEAD, PUT, DELETE",
      ag_sessions_get, NULL, ag_sessions_replace, ag_sessions_delete, false,
      false },

    { "/users/{user_id}", "GET, HEAD, PUT",
      ag_users_get, NULL, ag_users_replace, NULL, false, true },
    { "/users/{user_id}/render_roles", "GET, HEAD",
      ag_users_roles, NULL, NULL, NULL, false, false },
    { "/users/{user_id}/roles", "PUT",
      NULL, NULL, ag_users_replace_roles, NULL, false, true },

    { NULL, NULL, NULL, NULL, NULL, NULL, false, false }
};


const ag_route_t *
ag_route_find(const char *path, char *id)
{
    const ag_route_t  *route;

    *id = '\0';

    for (route = ag_routes; route->path; route++) {
        if (ag_route_matches(route->path, path, id)) {
            return route;
        }
    }

    return NULL;
}


static bool
ag_route_matches(const char *pattern, const char *path, char *id)
{
    size_t  len;

    len = strcspn(pattern, "{");

    if (pattern[len] == '\0') {
        return strcmp(pattern, path) == 0;
    }

    if (strncmp(pattern, path, len) != 0) {
        return false;
    }

    pattern = strchr(pattern, '}') + 1;
    path += len;
    len = strcspn(path, "/");

    if (len > AG_ID_MAX || strcmp(pattern, path + len) != 0) {
        return false;
    }

    memcpy(id, path, len);
    id[len] = '\0';

    if (ag_shape_is_identifier(id)) {
        return true;
    }

    *id = '\0';

    return false;
}


int
ag_route_check(const ag_route_t *route, const char *method,
    const char *content_type, ag_reply_t *reply)
{
    if (route == NULL) {
        ag_reply_error(reply, 404, "NOT_FOUND", "there is nothing here");
        return AG_DECLINED;
    }

    if (ag_route_operation(route, method) == NULL) {
        ag_reply_error(reply, 405, "METHOD_NOT_ALLOWED",
                       "this method is not for this path");
        return AG_DECLINED;
    }

    if (ag_route_has_body(route, method) && !ag_route_is_json(content_type)) {
        ag_reply_error(reply, 415, "UNSUPPORTED_MEDIA_TYPE",
                       "the body is to be application/json");
        return AG_DECLINED;
    }

    return AG_OK;
}


static ag_operation_pt
ag_route_operation(const ag_route_t *route, const char *method)
{
    if (strcmp(method, "POST") == 0) {
        return route->post;
    }

    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
        return route->get;
    }

    if (strcmp(method, "PUT") == 0) {
        return route->put;
    }

    if (strcmp(method, "DELETE") == 0) {
        return route->delete;
    }

    return NULL;
}


bool
ag_route_has_body(const ag_route_t *route, const char *method)
{
    return ag_route_operation(route, method)
           && (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0);
}


bool
ag_route_writes(const ag_route_t *route, const char *method)
{
    if (strcmp(method, "POST") == 0) {
        return route->post && route->writes;
    }

    return ag_route_operation(route, method)
           && (strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0);
}


/* application/json, alone or with a charset, which can only be UTF-8 */

static bool
ag_route_is_json(const char *type)
{
    size_t             len;
    const char        *p;
    static const char  json[] = "application/json";
    static const char  charset[] = "charset=";

    if (type == NULL || strncasecmp(type, json, sizeof(json) - 1) != 0) {
        return false;
    }

    p = type + sizeof(json) - 1;
    p += strspn(p, " \t");

    if (*p == '\0') {
        return true;
    }

    if (*p++ != ';') {
        return false;
    }

    p += strspn(p, " \t");

    if (strncasecmp(p, charset, sizeof(charset) - 1) != 0) {
        return *p == '\0';
    }

    p += sizeof(charset) - 1;
    p += (*p == '"');
    len = strcspn(p, "\"; \t");

    return len == 5 && strncasecmp(p, "utf-8", len) == 0;
}


void
ag_route_run(const ag_route_t *route, const ag_authority_t *authority,
    const char *method, const char *body, size_t len, ag_call_t *call,
    ag_reply_t *reply)
{
    ag_error_t       error;
    ag_operation_pt  operation;

    operation = ag_route_operation(route, method);

    if (ag_route_has_body(route, method)) {
        call->body = ag_json_parse(body, len, &error);
        call->invalid = &error;
    }

    if (route->changes && operation == route->put) {
        ag_directory_own(authority->directory);

    } else {
        ag_directory_share(authority->directory);
    }

    operation(authority, call, reply);

    ag_directory_leave(authority->directory);

    json_decref(call->body);
    call->body = NULL;
    call->invalid = NULL;
}
