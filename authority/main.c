/*
 * agilicus-authority: a small Tokens API server.
 */

#include "authority.h"
#include "api_keys.h"
#include "change.h"
#include "http.h"
#include "issue.h"
#include "options.h"
#include "requestlog.h"
#include "seed.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


/* exit statuses */

#define AG_EXIT_FAILED  1
#define AG_EXIT_USAGE   2

/* tokens are forgotten this long after they expired, in seconds */

#define AG_KEEP_EXPIRED (30 * 86400)

#define AG_PEM_MAX      (256 * 1024)


static int ag_main_open(ag_authority_t *authority,
    const ag_options_t *options, ag_error_t *error);
static void ag_main_close(ag_authority_t *authority);
static int ag_main_issue(const ag_authority_t *authority,
    const ag_options_t *options, ag_error_t *error);
static int ag_main_serve(const ag_authority_t *authority,
    const ag_options_t *options, ag_error_t *error);
static int ag_main_serve_tls(const ag_authority_t *authority,
    const ag_options_t *options, ag_http_options_t *http, ag_error_t *error);
static int ag_main_run(const ag_authority_t *authority,
    const ag_options_t *options, ag_http_options_t *http, ag_error_t *error);
static char *ag_main_pem(const char *path, bool secret, ag_error_t *error);


int
main(int argc, char **argv)
{
    int             rc;
    ag_error_t      error;
    ag_options_t    options;
    ag_authority_t  authority;

    rc = ag_options_parse(argc, argv, &options, &error);

    if (rc != AG_OK) {
        fprintf(stderr, "agilicus-authority: %s\n", error.text);
        free(options.issues);
        return AG_EXIT_USAGE;
    }

    if (options.help || options.version) {
        fputs(options.help ? ag_options_help
                           : "agilicus-authority " AG_VERSION "\n", stdout);
        free(options.issues);
        return 0;
    }

    umask(077);
    json_object_seed(0);

    rc = ag_main_open(&authority, &options, &error);

    if (rc == AG_OK) {
        rc = options.rotates ? ag_keys_rotate(authority.keys, options.rotate,
                                              stdout, &error)
             : options.nissues ? ag_main_issue(&authority, &options, &error)
                               : ag_main_serve(&authority, &options, &error);
    }

    if (rc != AG_OK) {
        fprintf(stderr, "agilicus-authority: %s\n", error.text);
    }

    ag_main_close(&authority);
    free(options.issues);

    return rc == AG_OK ? 0 : AG_EXIT_FAILED;
}


static int
ag_main_open(ag_authority_t *authority, const ag_options_t *options,
    ag_error_t *error)
{
    ag_error_t  reason;

    memset(authority, 0, sizeof(ag_authority_t));

    authority->dates = options->dates;
    authority->session_fields = options->session_fields;
    authority->key_statuses = options->key_statuses;
    authority->jwsk = options->jwsk;
    authority->disabled_user = options->disabled_user;
    authority->directory = ag_seed_load(options->seed, &reason);

    if (authority->directory == NULL) {
        return ag_error(error, "seed \"%s\": %s", options->seed, reason.text);
    }

    authority->store = ag_store_open(options->db, error);
    if (authority->store == NULL) {
        return AG_ERROR;
    }

    if (ag_change_load(authority->store, authority->directory, error)
        != AG_OK)
    {
        return AG_ERROR;
    }

    authority->keys = ag_keys_open(authority->store, error);
    if (authority->keys == NULL) {
        return AG_ERROR;
    }

    authority->signatures = ag_signature_cache_create();

    return authority->signatures ? AG_OK : ag_error(error, "not enough memory");
}


static void
ag_main_close(ag_authority_t *authority)
{
    ag_signature_cache_free(authority->signatures);
    ag_keys_close(authority->keys);
    ag_store_close(authority->store);
    ag_directory_free(authority->directory);
}


static int
ag_main_issue(const ag_authority_t *authority, const ag_options_t *options,
    ag_error_t *error)
{
    size_t      i;
    ag_error_t  reason;

    for (i = 0; i < options->nissues; i++) {
        if (ag_issue(authority, options->issues[i], options->issue_count,
                     stdout, &reason) != AG_OK)
        {
            return ag_error(error, "--issue: %s", reason.text);
        }
    }

    if (fflush(stdout) == EOF) {
        return ag_error(error, "cannot write: %s", strerror(errno));
    }

    return AG_OK;
}


static int
ag_main_serve(const ag_authority_t *authority, const ag_options_t *options,
    ag_error_t *error)
{
    int                rc;
    ag_error_t         reason;
    ag_http_options_t  http;

    memset(&http, 0, sizeof(ag_http_options_t));

    http.requestlog = -1;

    if (options->request_log) {
        http.requestlog = ag_requestlog_open(options->request_log, error);

        if (http.requestlog == -1) {
            return AG_ERROR;
        }
    }

    (void) ag_store_purge(authority->store, ag_date_now() - AG_KEEP_EXPIRED);

    if (ag_api_keys_seed(authority, &reason) != AG_OK) {
        return ag_error(error, "seed \"%s\": %s", options->seed, reason.text);
    }

    rc = ag_main_serve_tls(authority, options, &http, error);

    if (http.requestlog > STDERR_FILENO) {
        close(http.requestlog);
    }

    return rc;
}


static int
ag_main_serve_tls(const ag_authority_t *authority, const ag_options_t *options,
    ag_http_options_t *http, ag_error_t *error)
{
    int    rc;
    char  *certificate, *key;

    certificate = NULL;
    key = NULL;
    rc = AG_OK;

    if (options->tls_cert) {
        certificate = ag_main_pem(options->tls_cert, false, error);
        key = certificate ? ag_main_pem(options->tls_key, true, error) : NULL;
        rc = key ? AG_OK : AG_ERROR;
    }

    if (rc == AG_OK) {
        http->certificate = certificate;
        http->key = key;

        rc = ag_main_run(authority, options, http, error);
    }

    if (key) {
        OPENSSL_cleanse(key, strlen(key));
    }

    free(key);
    free(certificate);

    return rc;
}


/* signals are blocked before there are threads, and waited for here */

static int
ag_main_run(const ag_authority_t *authority, const ag_options_t *options,
    ag_http_options_t *http, ag_error_t *error)
{
    int         signal_number;
    char        name[80];
    sigset_t    signals;
    ag_http_t  *server;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    http->fd = ag_listen_open(&options->address, name, sizeof(name), error);
    if (http->fd == -1) {
        return AG_ERROR;
    }

    http->faults = ag_faults_start(&options->faults, error);
    if (http->faults == NULL) {
        close(http->fd);
        return AG_ERROR;
    }

    server = ag_http_start(authority, http, error);

    if (server) {
        printf("listening on %s\n", name);
        fflush(stdout);

        sigwait(&signals, &signal_number);

        ag_http_stop(server);
    }

    ag_faults_free(http->faults);

    return server ? AG_OK : AG_ERROR;
}


static char *
ag_main_pem(const char *path, bool secret, ag_error_t *error)
{
    char         *text;
    FILE         *file;
    size_t        len;
    struct stat   st;

    file = fopen(path, "re");

    if (file == NULL || fstat(fileno(file), &st) == -1) {
        ag_error(error, "cannot read \"%s\": %s", path, strerror(errno));

        if (file) {
            fclose(file);
        }

        return NULL;
    }

    if (secret && (st.st_mode & S_IROTH)) {
        ag_error(error, "the key \"%s\" can be read by everybody", path);
        fclose(file);
        return NULL;
    }

    text = calloc(1, AG_PEM_MAX + 1);
    len = text ? fread(text, 1, AG_PEM_MAX, file) : 0;

    fclose(file);

    if (len == 0 || len == AG_PEM_MAX) {
        ag_error(error, "\"%s\" is empty or too large", path);
        free(text);
        return NULL;
    }

    return text;
}
