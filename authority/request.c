/*
 * One HTTP request on its way through the server.
 */

#include "request.h"

#include <openssl/crypto.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>


#define AG_QUERY_MAX    64
#define AG_DISCARD_MAX  (64 * 1024 * 1024)


typedef struct {
    ag_query_t  items[AG_QUERY_MAX];
    size_t      n;
    bool        bad;       /* too many, or with a NUL inside */
} ag_query_list_t;


typedef struct {
    const char  *value;
    size_t       n;
} ag_header_t;


static bool ag_request_wants_body(const ag_request_t *request);
static const char *ag_request_header(ag_request_t *request, const char *name);
static enum MHD_Result ag_request_query(void *data, enum MHD_ValueKind kind,
    const char *name, size_t name_len, const char *value, size_t value_len);
static enum MHD_Result ag_request_authorization(void *data,
    enum MHD_ValueKind kind, const char *name, const char *value);
static void ag_request_too_large(ag_request_t *request);
static enum MHD_Result ag_request_queue(ag_request_t *request,
    struct MHD_Response *response, bool last);


ag_request_t *
ag_request_create(struct MHD_Connection *connection, const char *path,
    const char *method)
{
    ag_request_t  *request;

    request = calloc(1, sizeof(ag_request_t));
    if (request == NULL) {
        return NULL;
    }

    request->connection = connection;
    request->route = ag_route_find(path, request->id);
    request->method = method;

    return request;
}


int
ag_request_expect(ag_request_t *request)
{
    const char  *expect, *length;

    expect = ag_request_header(request, MHD_HTTP_HEADER_EXPECT);

    if (expect == NULL || strcasecmp(expect, "100-continue") != 0) {
        return AG_OK;
    }

    length = ag_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

    if (ag_route_check(request->route, request->method,
                       ag_request_header(request,
                                         MHD_HTTP_HEADER_CONTENT_TYPE),
                       &request->reply) == AG_OK)
    {
        if (length == NULL || strtoull(length, NULL, 10) <= AG_BODY_MAX) {
            return AG_OK;
        }

        ag_request_too_large(request);
    }

    request->answered = true;

    return AG_DECLINED;
}


int
ag_request_body(ag_request_t *request, const char *data, size_t len)
{
    request->received += len;

    if (request->received > AG_DISCARD_MAX) {
        return AG_ERROR;
    }

    if (request->received <= AG_BODY_MAX && ag_request_wants_body(request)) {
        ag_text_bytes(&request->body, data, len);
    }

    return AG_OK;
}


static bool
ag_request_wants_body(const ag_request_t *request)
{
    return request->route
           && ag_route_has_body(request->route, request->method);
}


bool
ag_request_writes(const ag_request_t *request)
{
    return request->route && ag_route_writes(request->route, request->method);
}


void
ag_request_run(ag_request_t *request, const ag_authority_t *authority)
{
    ag_call_t        call;
    ag_header_t      authorization;
    ag_query_list_t  query;

    if (ag_route_check(request->route, request->method,
                       ag_request_header(request,
                                         MHD_HTTP_HEADER_CONTENT_TYPE),
                       &request->reply) != AG_OK)
    {
        return;
    }

    if (request->received > AG_BODY_MAX) {
        ag_request_too_large(request);
        return;
    }

    if (request->body.failed) {
        ag_reply_failed(&request->reply);
        return;
    }

    query.n = 0;
    query.bad = false;

    (void) MHD_get_connection_values_n(request->connection,
                                       MHD_GET_ARGUMENT_KIND, ag_request_query,
                                       &query);
    if (query.bad) {
        ag_reply_error(&request->reply, 400, "INVALID_REQUEST",
                       "the query cannot be read");
        return;
    }

    memset(&authorization, 0, sizeof(ag_header_t));

    (void) MHD_get_connection_values(request->connection, MHD_HEADER_KIND,
                                     ag_request_authorization, &authorization);

    memset(&call, 0, sizeof(ag_call_t));

    call.id = request->id;
    call.authorization = authorization.n > 1 ? "" : authorization.value;
    call.query = query.items;
    call.nquery = query.n;
    call.now = ag_date_now();

    ag_route_run(request->route, authority, request->method,
                 request->body.data ? request->body.data : "",
                 request->body.len, &call, &request->reply);
}


static const char *
ag_request_header(ag_request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                       name);
}


static enum MHD_Result
ag_request_query(void *data, enum MHD_ValueKind kind, const char *name,
    size_t name_len, const char *value, size_t value_len)
{
    ag_query_list_t *query = data;

    (void) kind;

    if (query->n == AG_QUERY_MAX || strlen(name) != name_len
        || (value && strlen(value) != value_len))
    {
        query->bad = true;
        return MHD_NO;
    }

    query->items[query->n].name = name;
    query->items[query->n].value = value ? value : "";
    query->n++;

    return MHD_YES;
}


static enum MHD_Result
ag_request_authorization(void *data, enum MHD_ValueKind kind,
    const char *name, const char *value)
{
    ag_header_t *header = data;

    (void) kind;

    if (strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0) {
        header->value = value ? value : "";
        header->n++;
    }

    return MHD_YES;
}


static void
ag_request_too_large(ag_request_t *request)
{
    ag_reply_error(&request->reply, 413, "PAYLOAD_TOO_LARGE",
                   "the body is larger than 256 KiB");
}


enum MHD_Result
ag_request_send(ag_request_t *request, bool last)
{
    enum MHD_Result       rc;
    ag_reply_t           *reply;
    struct MHD_Response  *response;

    reply = &request->reply;

    response = MHD_create_response_from_buffer_with_free_callback(
                   reply->len, reply->body, ag_reply_free);
    if (response == NULL) {
        return MHD_NO;
    }

    rc = ag_request_queue(request, response, last);

    /* the response owns it now, and may outlive the request */

    reply->body = NULL;

    MHD_destroy_response(response);

    return rc;
}


static enum MHD_Result
ag_request_queue(ag_request_t *request, struct MHD_Response *response,
    bool last)
{
    enum MHD_Result  rc;

    rc = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                 "no-store");

    if (rc == MHD_YES && last) {
        rc = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
                                     "close");
    }

    if (rc == MHD_YES && request->reply.body) {
        rc = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                     "application/json");
    }

    if (rc == MHD_YES && request->reply.status == 401) {
        rc = MHD_add_response_header(response,
                                     MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                     "Bearer realm=\"agilicus-authority\"");
    }

    if (rc == MHD_YES && request->reply.status == 405) {
        rc = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                     request->route->allow);
    }

    if (rc == MHD_YES) {
        rc = MHD_queue_response(request->connection,
                                (unsigned) request->reply.status, response);
    }

    return rc;
}


void
ag_request_free(ag_request_t *request)
{
    if (request->body.data) {
        OPENSSL_cleanse(request->body.data, request->body.len);
    }

    ag_text_free(&request->body);
    ag_reply_clear(&request->reply);

    free(request);
}
