/*
 * The HTTP server: libmicrohttpd's connections on one side, the API's routes
 * on the other.
 */

#include "http.h"
#include "request.h"
#include "writes.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>


#define AG_CONNECTIONS    4096
#define AG_IDLE_TIMEOUT   75             /* seconds */
#define AG_MEMORY         (48 * 1024)    /* for the head of a request */
#define AG_STOP_TIMEOUT   2000           /* milliseconds */

#define AG_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"


struct ag_http_s {
    const ag_authority_t  *authority;
    ag_http_options_t      options;
    struct MHD_Daemon     *daemon;
    ag_writes_t           *writes;
    atomic_uint            active;       /* requests under way */
    atomic_bool            stopping;
};


static enum MHD_Result ag_http_request(void *data,
    struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size,
    void **state);
static void ag_http_acknowledge(struct MHD_Connection *connection);
static void ag_http_answer(ag_http_t *http, ag_request_t *request);
static void ag_http_write(void *data, ag_request_t *request, bool late);
static void ag_http_busy(ag_http_t *http, ag_request_t *request);
static void ag_http_log(ag_http_t *http, const ag_request_t *request);
static enum MHD_Result ag_http_send(ag_http_t *http, ag_request_t *request);
static void ag_http_completed(void *data, struct MHD_Connection *connection,
    void **state, enum MHD_RequestTerminationCode code);
static unsigned ag_http_threads(void);
static void ag_http_descriptors(void);
static void ag_http_drain(ag_http_t *http);


ag_http_t *
ag_http_start(const ag_authority_t *authority,
    const ag_http_options_t *options, ag_error_t *error)
{
    unsigned               flags, n;
    ag_http_t             *http;
    struct MHD_OptionItem  tls[4];

    n = 0;
    flags = MHD_USE_EPOLL_INTERNAL_THREAD|MHD_ALLOW_SUSPEND_RESUME;

    if (options->certificate) {
        flags |= MHD_USE_TLS;

        tls[n++] = (struct MHD_OptionItem) { MHD_OPTION_HTTPS_MEM_CERT, 0,
            (void *) (uintptr_t) options->certificate };
        tls[n++] = (struct MHD_OptionItem) { MHD_OPTION_HTTPS_MEM_KEY, 0,
            (void *) (uintptr_t) options->key };
        tls[n++] = (struct MHD_OptionItem) { MHD_OPTION_HTTPS_PRIORITIES, 0,
            (void *) (uintptr_t) AG_TLS_PRIORITIES };
    }

    tls[n] = (struct MHD_OptionItem) { MHD_OPTION_END, 0, NULL };

    ag_http_descriptors();

    http = calloc(1, sizeof(ag_http_t));

    if (http) {
        http->authority = authority;
        http->options = *options;
        http->writes = ag_writes_start(ag_http_write, http, error);
    }

    if (http && http->writes) {
        http->daemon = MHD_start_daemon(flags, 0, NULL, NULL,
            ag_http_request, http,
            MHD_OPTION_LISTEN_SOCKET, options->fd,
            MHD_OPTION_THREAD_POOL_SIZE, ag_http_threads(),
            MHD_OPTION_CONNECTION_LIMIT, (unsigned) AG_CONNECTIONS,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) AG_MEMORY,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) AG_IDLE_TIMEOUT,
            MHD_OPTION_NOTIFY_COMPLETED, ag_http_completed, http,
            MHD_OPTION_ARRAY, tls,
            MHD_OPTION_END);
    }

    if (http == NULL || http->daemon == NULL) {
        if (http == NULL || http->writes) {
            ag_error(error, "cannot start the server%s", options->certificate
                     ? ": are certificate and key right?" : "");
        }

        close(options->fd);

        if (http) {
            ag_writes_stop(http->writes);
        }

        free(http);
        return NULL;
    }

    return http;
}


static unsigned
ag_http_threads(void)
{
    long  n;

    n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 2 ? 2 : n > 16 ? 16 : (unsigned) n;
}


/* room for all connections, if the system grants it */

static void
ag_http_descriptors(void)
{
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0
        && limit.rlim_cur < 2 * AG_CONNECTIONS)
    {
        limit.rlim_cur = limit.rlim_max < 2 * AG_CONNECTIONS
                         ? limit.rlim_max : 2 * AG_CONNECTIONS;

        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}


/*
 * Called first with the head of a request, then with each piece of its body,
 * then with none; and once more when a held answer is due.
 */

static enum MHD_Result
ag_http_request(void *data, struct MHD_Connection *connection,
    const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **state)
{
    ag_http_t *http = data;

    ag_request_t  *request;

    (void) version;

    request = *state;

    if (request == NULL) {
        request = ag_request_create(connection, url, method);
        if (request == NULL) {
            return MHD_NO;
        }

        *state = request;
        atomic_fetch_add(&http->active, 1);

        ag_http_acknowledge(connection);

        if (ag_request_expect(request) == AG_OK) {
            return MHD_YES;
        }

        ag_http_log(http, request);

        return ag_http_send(http, request);
    }

    if (*upload_size) {
        if (ag_request_body(request, upload, *upload_size) != AG_OK) {
            return MHD_NO;
        }

        *upload_size = 0;

        return MHD_YES;
    }

    if (!request->answered && ag_request_writes(request)) {

        if (ag_writes_add(http->writes, request) == AG_OK) {
            return MHD_YES;
        }

        ag_http_busy(http, request);
    }

    if (!request->answered) {
        ag_http_answer(http, request);
    }

    if (!request->delayed) {
        request->delayed = true;

        if (ag_faults_hold(http->options.faults, &request->held, connection,
                           request->reply.delay) == AG_OK)
        {
            return MHD_YES;
        }
    }

    /* a request that hangs is resumed only for its connection to be closed */

    if (ag_faults_hang(http->options.faults)) {
        return MHD_NO;
    }

    return ag_http_send(http, request);
}


/*
 * Many clients send head and body apart, and do not send the second before
 * the first is acknowledged, which the system would put off for 40 ms.
 */

static void
ag_http_acknowledge(struct MHD_Connection *connection)
{
    int                              on;
    const union MHD_ConnectionInfo  *info;

    on = 1;
    info = MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info) {
        (void) setsockopt(info->connect_fd, IPPROTO_TCP, TCP_QUICKACK, &on,
                          sizeof(on));
    }
}


static void
ag_http_answer(ag_http_t *http, ag_request_t *request)
{
    request->answered = true;

    if (ag_faults_hang(http->options.faults)) {
        request->reply.status = 0;

    } else if (ag_faults_fail(http->options.faults)) {
        ag_reply_failed(&request->reply);

    } else {
        ag_request_run(request, http->authority);

        if (request->reply.status == 500 && ag_request_writes(request)
            && ag_store_busy(http->authority->store))
        {
            ag_reply_busy(&request->reply);
        }
    }

    ag_http_log(http, request);
}


/* the thread of writes calls this */

static void
ag_http_write(void *data, ag_request_t *request, bool late)
{
    ag_http_t *http = data;

    if (late) {
        ag_http_busy(http, request);
        return;
    }

    ag_http_answer(http, request);
}


static void
ag_http_busy(ag_http_t *http, ag_request_t *request)
{
    request->answered = true;

    ag_reply_busy(&request->reply);
    ag_http_log(http, request);
}


static void
ag_http_log(ag_http_t *http, const ag_request_t *request)
{
    ag_requestlog_write(http->options.requestlog, request->method,
                        request->route ? request->route->path : NULL,
                        request->reply.status, request->reply.jti);
}


/* a server about to stop says so, or clients would send another request */

static enum MHD_Result
ag_http_send(ag_http_t *http, ag_request_t *request)
{
    return ag_request_send(request, atomic_load(&http->stopping));
}


static void
ag_http_completed(void *data, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code)
{
    ag_http_t *http = data;

    (void) connection;
    (void) code;

    if (*state) {
        ag_request_free(*state);
        *state = NULL;

        atomic_fetch_sub(&http->active, 1);
    }
}


void
ag_http_stop(ag_http_t *http)
{
    int  fd;

    atomic_store(&http->stopping, true);

    fd = MHD_quiesce_daemon(http->daemon);

    if (!ag_faults_hang(http->options.faults)) {
        ag_http_drain(http);
    }

    ag_writes_stop(http->writes);
    ag_faults_release(http->options.faults);
    ag_http_drain(http);

    MHD_stop_daemon(http->daemon);

    if (fd != MHD_INVALID_SOCKET) {
        close(fd);
    }

    free(http);
}


static void
ag_http_drain(ag_http_t *http)
{
    int  waited;

    for (waited = 0; waited < AG_STOP_TIMEOUT; waited += 5) {
        if (atomic_load(&http->active) == 0) {
            return;
        }

        usleep(5000);
    }
}
