/*
 * The argument of --issue.
 */

#include "issue_spec.h"
#include "date.h"
#include "rule.h"
#include "scope.h"
#include "shape.h"

#include <stdlib.h>
#include <string.h>


#define AG_DEFAULT_DURATION  3600


typedef int (*ag_issue_set_pt)(void *field, const char *value, int64_t now);


typedef struct {
    const char       *name;
    ag_issue_set_pt   set;
    size_t            offset;
} ag_issue_key_t;


static int ag_issue_pair(ag_issue_spec_t *spec, char *pair, int64_t now,
    unsigned *seen, ag_error_t *error);
static int ag_issue_finish(ag_issue_spec_t *spec, int64_t now, unsigned seen,
    ag_error_t *error);
static int ag_issue_string(void *field, const char *value, int64_t now);
static int ag_issue_list(void *field, const char *value, int64_t now);
static int ag_issue_scopes(void *field, const char *value, int64_t now);
static int ag_issue_roles(void *field, const char *value, int64_t now);
static int ag_issue_role(json_t *roles, char *pair);
static int ag_issue_hosts(void *field, const char *value, int64_t now);
static int ag_issue_flag(void *field, const char *value, int64_t now);
static int ag_issue_duration(void *field, const char *value, int64_t now);
static int ag_issue_date(void *field, const char *value, int64_t now);


#define ag_issue_field(name)  offsetof(ag_issue_spec_t, name)


/* the position of a key is its bit in what was seen */

enum {
    AG_KEY_SUB = 0,
    AG_KEY_ORG,
    AG_KEY_IAT,
    AG_KEY_NBF,
    AG_KEY_EXP,
    AG_KEY_DURATION
};


static const ag_issue_key_t  ag_issue_keys[] = {
    [AG_KEY_SUB] = { "sub", ag_issue_string, ag_issue_field(sub) },
    [AG_KEY_ORG] = { "org", ag_issue_string, ag_issue_field(org) },
    [AG_KEY_IAT] = { "iat", ag_issue_date, ag_issue_field(iat) },
    [AG_KEY_NBF] = { "nbf", ag_issue_date, ag_issue_field(nbf) },
    [AG_KEY_EXP] = { "exp", ag_issue_date, ag_issue_field(exp) },
    [AG_KEY_DURATION] = { "duration", ag_issue_duration,
                          ag_issue_field(duration) },
    { "jti", ag_issue_string, ag_issue_field(jti) },
    { "session", ag_issue_string, ag_issue_field(session) },
    { "creator", ag_issue_string, ag_issue_field(creator) },
    { "scopes", ag_issue_scopes, ag_issue_field(scopes) },
    { "aud", ag_issue_list, ag_issue_field(aud) },
    { "roles", ag_issue_roles, ag_issue_field(roles) },
    { "hosts", ag_issue_hosts, ag_issue_field(hosts) },
    { "masquerading", ag_issue_flag, ag_issue_field(masquerading) },
    { "refresh", ag_issue_flag, ag_issue_field(refresh) },
    { "never", ag_issue_flag, ag_issue_field(never) },
    { "revoked", ag_issue_flag, ag_issue_field(revoked) },
    { "force", ag_issue_flag, ag_issue_field(force) },
    { NULL, NULL, 0 }
};


int
ag_issue_spec_parse(const char *text, int64_t now, ag_issue_spec_t *spec,
    ag_error_t *error)
{
    char      *rest, *pair;
    unsigned   seen;

    memset(spec, 0, sizeof(ag_issue_spec_t));

    spec->text = strdup(text);
    if (spec->text == NULL) {
        return ag_error(error, "not enough memory");
    }

    seen = 0;
    rest = spec->text;

    while (rest) {
        pair = strsep(&rest, ",");

        if (ag_issue_pair(spec, pair, now, &seen, error) != AG_OK) {
            return AG_MALFORMED;
        }
    }

    return ag_issue_finish(spec, now, seen, error);
}


void
ag_issue_spec_free(ag_issue_spec_t *spec)
{
    free(spec->text);

    json_decref(spec->scopes);
    json_decref(spec->aud);
    json_decref(spec->roles);
    json_decref(spec->hosts);
}


static int
ag_issue_pair(ag_issue_spec_t *spec, char *pair, int64_t now, unsigned *seen,
    ag_error_t *error)
{
    size_t                 i;
    const char            *name;
    const ag_issue_key_t  *key;

    name = strsep(&pair, "=");

    for (i = 0; ag_issue_keys[i].name; i++) {
        key = &ag_issue_keys[i];

        if (strcmp(key->name, name) != 0) {
            continue;
        }

        if (*seen & 1U << i) {
            return ag_error(error, "key \"%s\" is there twice", name);
        }

        *seen |= 1U << i;

        if (pair == NULL
            || key->set((char *) spec + key->offset, pair, now) != AG_OK)
        {
            return ag_error(error, "the value of key \"%s\" is not right",
                            name);
        }

        return AG_OK;
    }

    return ag_error(error, "unknown key \"%s\"", name);
}


static int
ag_issue_finish(ag_issue_spec_t *spec, int64_t now, unsigned seen,
    ag_error_t *error)
{
    if (spec->sub == NULL || spec->org == NULL) {
        return ag_error(error, "sub and org are needed");
    }

    if (!(seen & 1U << AG_KEY_IAT)) {
        spec->iat = now;
    }

    if (!(seen & 1U << AG_KEY_NBF)) {
        spec->nbf = spec->iat;
    }

    if (!(seen & 1U << AG_KEY_DURATION)) {
        spec->duration = AG_DEFAULT_DURATION;
    }

    if (!(seen & 1U << AG_KEY_EXP)) {
        spec->exp = spec->never ? AG_NEVER : spec->iat + spec->duration;
    }

    if (spec->aud == NULL) {
        spec->aud = json_pack("[s, s, s]", "urn:api:agilicus:gateway",
                              "urn:api:agilicus:users",
                              "urn:api:agilicus:applications");
    }

    return spec->aud ? AG_OK : ag_error(error, "not enough memory");
}


/* all of them are identifiers */

static int
ag_issue_string(void *field, const char *value, int64_t now)
{
    const char **string = field;

    (void) now;

    *string = value;

    return ag_shape_is_identifier(value) ? AG_OK : AG_MALFORMED;
}


/* "a+b"; nothing is an empty list */

static int
ag_issue_list(void *field, const char *value, int64_t now)
{
    json_t **list = field;

    size_t  len;

    (void) now;

    *list = json_array();

    for (len = strcspn(value, "+"); *value; len = strcspn(value, "+")) {
        if (len == 0
            || json_array_append_new(*list, json_stringn(value, len)) != 0)
        {
            return AG_MALFORMED;
        }

        value += len;

        if (*value == '+' && *++value == '\0') {
            return AG_MALFORMED;
        }
    }

    return *list ? AG_OK : AG_MALFORMED;
}


static int
ag_issue_scopes(void *field, const char *value, int64_t now)
{
    json_t **list = field;

    size_t   i;
    json_t  *scope;

    if (ag_issue_list(field, value, now) != AG_OK) {
        return AG_MALFORMED;
    }

    json_array_foreach(*list, i, scope) {
        if (!ag_scope_is_valid(json_string_value(scope))) {
            return AG_MALFORMED;
        }
    }

    return AG_OK;
}


/* "app:role+app:role" */

static int
ag_issue_roles(void *field, const char *value, int64_t now)
{
    json_t **roles = field;

    int      rc;
    char    *copy, *rest;

    (void) now;

    *roles = json_object();
    copy = strdup(value);
    rest = copy;
    rc = (*roles && copy) ? AG_OK : AG_MALFORMED;

    while (rest && *rest && rc == AG_OK) {
        rc = ag_issue_role(*roles, strsep(&rest, "+"));
    }

    free(copy);

    return rc;
}


static int
ag_issue_role(json_t *roles, char *pair)
{
    json_t      *list;
    const char  *app;

    app = strsep(&pair, ":");

    if (pair == NULL || !ag_shape_is_identifier(app)
        || !ag_shape_is_identifier(pair))
    {
        return AG_MALFORMED;
    }

    list = json_object_get(roles, app);

    if (list == NULL) {
        list = json_array();

        if (json_object_set_new(roles, app, list) != 0) {
            return AG_MALFORMED;
        }
    }

    return json_array_append_new(list, json_string(pair)) == 0 ? AG_OK
                                                               : AG_MALFORMED;
}


static int
ag_issue_hosts(void *field, const char *value, int64_t now)
{
    json_t **hosts = field;

    size_t       i;
    json_t      *host;
    ag_error_t   error;

    (void) now;

    *hosts = json_load_file(value, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_array(*hosts)) {
        return AG_MALFORMED;
    }

    json_array_foreach(*hosts, i, host) {
        if (ag_rule_check_host(host, NULL, &error) != AG_OK) {
            return AG_MALFORMED;
        }
    }

    return AG_OK;
}


static int
ag_issue_flag(void *field, const char *value, int64_t now)
{
    bool *flag = field;

    (void) now;

    *flag = (strcmp(value, "1") == 0);

    return *flag || strcmp(value, "0") == 0 ? AG_OK : AG_MALFORMED;
}


static int
ag_issue_duration(void *field, const char *value, int64_t now)
{
    int64_t *seconds = field;

    int64_t  milliseconds;

    (void) now;

    if (ag_date_duration(value, &milliseconds) != AG_OK) {
        return AG_MALFORMED;
    }

    *seconds = (milliseconds + 999) / 1000;

    return AG_OK;
}


/* "-10s" and "+5m" count from now */

static int
ag_issue_date(void *field, const char *value, int64_t now)
{
    int64_t *seconds = field;

    int64_t  offset;

    if (*value != '-' && *value != '+') {
        return ag_date_parse(value, strlen(value), seconds);
    }

    if (ag_issue_duration(&offset, value + 1, now) != AG_OK) {
        return AG_MALFORMED;
    }

    *seconds = (*value == '-') ? now - offset : now + offset;

    return AG_OK;
}
