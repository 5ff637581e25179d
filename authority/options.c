/*
 * The command line.
 */

#include "options.h"
#include "api_keys.h"
#include "session.h"
#include "sessions.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>


#define AG_ISSUE_COUNT_MAX  10000000


static int ag_options_one(ag_options_t *options, int name, const char *value,
    ag_error_t *error);
static int ag_options_count(ag_options_t *options, const char *value,
    ag_error_t *error);
static int ag_options_dates(ag_options_t *options, const char *value,
    ag_error_t *error);
static int ag_options_rate(ag_options_t *options, const char *value,
    ag_error_t *error);
static int ag_options_rotate(ag_options_t *options, const char *value,
    ag_error_t *error);
static int ag_options_jwsk(ag_options_t *options, const char *value,
    ag_error_t *error);
static int ag_options_check(ag_options_t *options, ag_error_t *error);


enum {
    AG_OPT_LISTEN = 1,
    AG_OPT_DB,
    AG_OPT_SEED,
    AG_OPT_TLS_CERT,
    AG_OPT_TLS_KEY,
    AG_OPT_ISSUE,
    AG_OPT_ISSUE_COUNT,
    AG_OPT_REQUEST_LOG,
    AG_OPT_DATE_FORMAT,
    AG_OPT_PAGE_ON,
    AG_OPT_KEY_STATUS,
    AG_OPT_DISABLED_USER,
    AG_OPT_ROTATE,
    AG_OPT_JWSK,
    AG_OPT_DELAY,
    AG_OPT_FAIL_RATE,
    AG_OPT_HANG,
    AG_OPT_HELP,
    AG_OPT_VERSION
};


static const struct option  ag_long_options[] = {
    { "listen", required_argument, NULL, AG_OPT_LISTEN },
    { "db", required_argument, NULL, AG_OPT_DB },
    { "seed", required_argument, NULL, AG_OPT_SEED },
    { "tls-cert", required_argument, NULL, AG_OPT_TLS_CERT },
    { "tls-key", required_argument, NULL, AG_OPT_TLS_KEY },
    { "issue", required_argument, NULL, AG_OPT_ISSUE },
    { "issue-count", required_argument, NULL, AG_OPT_ISSUE_COUNT },
    { "request-log", required_argument, NULL, AG_OPT_REQUEST_LOG },
    { "date-format", required_argument, NULL, AG_OPT_DATE_FORMAT },
    { "page-on", required_argument, NULL, AG_OPT_PAGE_ON },
    { "key-status", required_argument, NULL, AG_OPT_KEY_STATUS },
    { "disabled-user", required_argument, NULL, AG_OPT_DISABLED_USER },
    { "rotate", required_argument, NULL, AG_OPT_ROTATE },
    { "jwsk", required_argument, NULL, AG_OPT_JWSK },
    { "delay", required_argument, NULL, AG_OPT_DELAY },
    { "fail-rate", required_argument, NULL, AG_OPT_FAIL_RATE },
    { "hang", no_argument, NULL, AG_OPT_HANG },
    { "help", no_argument, NULL, AG_OPT_HELP },
    { "version", no_argument, NULL, AG_OPT_VERSION },
    { NULL, 0, NULL, 0 }
};


const char  ag_options_help[] =
    "Usage: agilicus-authority [OPTION]...\n"
    "A small Tokens API server for demos, tests and offline work.\n"
    "\n"
    "  --listen ADDRESS:PORT  where to listen (127.0.0.1:8089); port 0 picks "
    "one\n"
    "  --db FILE              database (agilicus-authority.db)\n"
    "  --seed FILE            directory (conf/organisation.json)\n"
    "  --tls-cert FILE        certificate chain, PEM\n"
    "  --tls-key FILE         its private key, PEM\n"
    "  --request-log FILE     a line for each request; \"-\" is standard "
    "output\n"
    "  --date-format FORMAT   of iat, exp and updated: rfc3339, epoch, number "
    "or\n"
    "                         python (rfc3339)\n"
    "  --page-on FIELD,...    what sessions can be paged by: id, created, "
    "updated\n"
    "                         (id)\n"
    "  --key-status CASE=STATUS,...\n"
    "                         statuses of API keys that are wrong, expired or "
    "disabled\n"
    "                         (404 each)\n"
    "  --disabled-user STATUS of introspection, for a token of a disabled "
    "user: 200,\n"
    "                         404 or 410 (404)\n"
    "\n"
    "  --issue KEY=VALUE,...  print a token and exit; may be given several "
    "times\n"
    "  --issue-count N        print N tokens of each, a line each\n"
    "\n"
    "  --rotate STEP          a step of a rotation of the signing key, and "
    "exit:\n"
    "                         publish a new one, use it, withdraw the others\n"
    "\n"
    "Keys of --issue:\n"
    "  sub, org               subject and organisation (required)\n"
    "  scopes=A+B             scopes (all that are permitted)\n"
    "  aud=A+B                audiences (gateway, users and applications)\n"
    "  roles=APP:ROLE+...     only these roles\n"
    "  hosts=FILE             only what this array of HostPermissions allows\n"
    "  duration=1h            validity (1h); units ms, s, m, h, d\n"
    "  iat, nbf, exp          dates, or offsets from now such as -10s or +5m\n"
    "  mfa                    the last multi-factor sign-in of the session, "
    "likewise\n"
    "  never=1                no expiry\n"
    "  jti, session           identifiers (random)\n"
    "  creator=SUB            created by somebody else\n"
    "  masquerading=1         created by a user masquerading as sub\n"
    "  refresh=1              a refresh token\n"
    "  revoked=1              revoked already\n"
    "  force=1                rights as stated, no permission asked\n"
    "\n"
    "Faults, for tests, on a loopback address only:\n"
    "  --delay TIME           answer that much later, such as 20ms\n"
    "  --fail-rate RATE       answer that part of requests with 500, such as "
    "10%\n"
    "  --hang                 read requests and never answer\n"
    "  --jwsk KIND            published keys: foreign, no-kid, many, empty, "
    "garbled,\n"
    "                         away or late=TIME\n"
    "\n"
    "  --help, --version\n";


int
ag_options_parse(int argc, char *const *argv, ag_options_t *options,
    ag_error_t *error)
{
    int  name;

    memset(options, 0, sizeof(ag_options_t));

    options->listen = "127.0.0.1:8089";
    options->db = "agilicus-authority.db";
    options->seed = "conf/organisation.json";
    options->issue_count = 1;
    options->disabled_user = 404;
    options->key_statuses = (ag_key_statuses_t) { 404, 404, 404 };
    options->session_fields = 1U << AG_SESSION_ID;

    options->issues = calloc((size_t) argc, sizeof(char *));
    if (options->issues == NULL) {
        return ag_error(error, "not enough memory");
    }

    opterr = 0;

    for ( ;; ) {
        name = getopt_long(argc, argv, ":", ag_long_options, NULL);

        if (name == -1) {
            break;
        }

        if (name == '?' || name == ':') {
            return ag_error(error, "%s \"%s\"", name == '?'
                            ? "unknown option" : "no value for",
                            argv[optind - 1]);
        }

        if (ag_options_one(options, name, optarg, error) != AG_OK) {
            return AG_MALFORMED;
        }
    }

    if (optind < argc) {
        return ag_error(error, "unexpected argument \"%s\"", argv[optind]);
    }

    return ag_options_check(options, error);
}


static int
ag_options_one(ag_options_t *options, int name, const char *value,
    ag_error_t *error)
{
    switch (name) {

    case AG_OPT_LISTEN:
        options->listen = value;
        return AG_OK;

    case AG_OPT_DB:
        options->db = value;
        return AG_OK;

    case AG_OPT_SEED:
        options->seed = value;
        return AG_OK;

    case AG_OPT_TLS_CERT:
        options->tls_cert = value;
        return AG_OK;

    case AG_OPT_TLS_KEY:
        options->tls_key = value;
        return AG_OK;

    case AG_OPT_ISSUE:
        options->issues[options->nissues++] = value;
        return AG_OK;

    case AG_OPT_ISSUE_COUNT:
        return ag_options_count(options, value, error);

    case AG_OPT_REQUEST_LOG:
        options->request_log = value;
        return AG_OK;

    case AG_OPT_DATE_FORMAT:
        return ag_options_dates(options, value, error);

    case AG_OPT_PAGE_ON:
        if (ag_sessions_fields(value, &options->session_fields) != AG_OK) {
            return ag_error(error, "--page-on \"%s\" is not of id, created "
                            "and updated", value);
        }

        return AG_OK;

    case AG_OPT_KEY_STATUS:
        if (ag_api_keys_statuses(value, &options->key_statuses) != AG_OK) {
            return ag_error(error, "--key-status \"%s\" is not of wrong, "
                            "expired and disabled with a status each", value);
        }

        return AG_OK;

    case AG_OPT_DISABLED_USER:
        options->disabled_user = atoi(value);

        if (strlen(value) != 3
            || (options->disabled_user != 200 && options->disabled_user != 404
                && options->disabled_user != 410))
        {
            return ag_error(error, "--disabled-user \"%s\" is none of 200, "
                            "404 and 410", value);
        }

        return AG_OK;

    case AG_OPT_ROTATE:
        return ag_options_rotate(options, value, error);

    case AG_OPT_JWSK:
        return ag_options_jwsk(options, value, error);

    case AG_OPT_DELAY:
        if (ag_date_duration(value, &options->faults.delay) != AG_OK) {
            return ag_error(error, "--delay \"%s\" is not a time", value);
        }

        return AG_OK;

    case AG_OPT_FAIL_RATE:
        return ag_options_rate(options, value, error);

    case AG_OPT_HANG:
        options->faults.hang = true;
        return AG_OK;

    case AG_OPT_HELP:
        options->help = true;
        return AG_OK;

    default: /* AG_OPT_VERSION */
        options->version = true;
        return AG_OK;
    }
}


static int
ag_options_count(ag_options_t *options, const char *value, ag_error_t *error)
{
    size_t  len;

    len = strlen(value);

    if (len > 0 && len < 10 && strspn(value, "0123456789") == len) {
        options->issue_count = atoi(value);

        if (options->issue_count >= 1
            && options->issue_count <= AG_ISSUE_COUNT_MAX)
        {
            return AG_OK;
        }
    }

    return ag_error(error, "--issue-count \"%s\" is not a number from 1 to %d",
                    value, AG_ISSUE_COUNT_MAX);
}


static int
ag_options_dates(ag_options_t *options, const char *value, ag_error_t *error)
{
    size_t                    i;
    static const char *const  names[] = {
        [AG_DATE_RFC3339] = "rfc3339",
        [AG_DATE_EPOCH] = "epoch",
        [AG_DATE_NUMBER] = "number",
        [AG_DATE_PYTHON] = "python"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            options->dates = (ag_date_format_e) i;
            return AG_OK;
        }
    }

    return ag_error(error, "--date-format \"%s\" is none of rfc3339, epoch, "
                    "number and python", value);
}


/* "10%" or "0.5%": hundredths of a percent, two digits after the point */

static int
ag_options_rate(ag_options_t *options, const char *value, ag_error_t *error)
{
    char      *end;
    double     rate;
    size_t     len;

    len = strspn(value, "0123456789.");

    if (len > 0 && len < 8 && strcmp(value + len, "%") == 0) {
        rate = strtod(value, &end);

        if (end == value + len && rate >= 0.01 && rate <= 100) {
            options->faults.fail = (unsigned) (rate * 100 + 0.5);
            return AG_OK;
        }
    }

    return ag_error(error, "--fail-rate \"%s\" is not a rate from 0.01%% to "
                    "100%%", value);
}


static int
ag_options_rotate(ag_options_t *options, const char *value, ag_error_t *error)
{
    size_t                    i;
    static const char *const  names[] = {
        [AG_ROTATE_PUBLISH] = "publish",
        [AG_ROTATE_USE] = "use",
        [AG_ROTATE_WITHDRAW] = "withdraw"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            options->rotates = true;
            options->rotate = (ag_rotate_e) i;
            return AG_OK;
        }
    }

    return ag_error(error, "--rotate \"%s\" is none of publish, use and "
                    "withdraw", value);
}


static int
ag_options_jwsk(ag_options_t *options, const char *value, ag_error_t *error)
{
    size_t                    i;
    static const char         late[] = "late=";
    static const char *const  names[] = {
        [AG_JWSK_OWN] = "own",
        [AG_JWSK_FOREIGN] = "foreign",
        [AG_JWSK_NO_KID] = "no-kid",
        [AG_JWSK_MANY] = "many",
        [AG_JWSK_EMPTY] = "empty",
        [AG_JWSK_GARBLED] = "garbled",
        [AG_JWSK_AWAY] = "away"
    };

    if (strncmp(value, late, sizeof(late) - 1) == 0
        && ag_date_duration(value + sizeof(late) - 1, &options->jwsk.delay)
           == AG_OK)
    {
        return AG_OK;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            options->jwsk.kind = (ag_jwsk_e) i;
            return AG_OK;
        }
    }

    return ag_error(error, "--jwsk \"%s\" is none of foreign, no-kid, many, "
                    "empty, garbled, away and late=TIME", value);
}


static int
ag_options_check(ag_options_t *options, ag_error_t *error)
{
    if (ag_listen_parse(options->listen, &options->address, error) != AG_OK) {
        return AG_MALFORMED;
    }

    if ((options->tls_cert == NULL) != (options->tls_key == NULL)) {
        return ag_error(error, "--tls-cert and --tls-key go together");
    }

    if (!options->address.loopback) {
        if (options->faults.delay || options->faults.fail
            || options->faults.hang || options->jwsk.kind
            || options->jwsk.delay)
        {
            return ag_error(error, "--delay, --fail-rate, --hang and --jwsk "
                            "are for a loopback address only");
        }

        if (options->tls_cert == NULL) {
            return ag_error(error, "plain HTTP is for a loopback address only: "
                            "give --tls-cert and --tls-key");
        }
    }

    if (options->issue_count > 1 && options->nissues == 0) {
        return ag_error(error, "--issue-count goes with --issue");
    }

    if (options->db[0] == '\0' || options->db[0] == ':') {
        return ag_error(error, "--db \"%s\" is not a file", options->db);
    }

    return AG_OK;
}
