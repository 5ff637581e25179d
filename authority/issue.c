/*
 * --issue: tokens for scripts and tests.
 */

#include "issue.h"
#include "base64.h"
#include "jwt.h"
#include "rights.h"
#include "rule.h"
#include "scope.h"
#include "shape.h"

#include <stdlib.h>
#include <string.h>


/* tokens of one transaction */

#define AG_BATCH  1000

#define AG_DEFAULT_DURATION  3600


/* the argument of --issue */

typedef struct {
    char         *text;         /* a copy that the strings live in */
    const char   *sub;
    const char   *org;
    const char   *jti;
    const char   *session;
    const char   *creator;
    json_t       *scopes;       /* arrays; NULL where not given */
    json_t       *aud;          /* never NULL */
    json_t       *roles;
    json_t       *hosts;
    int64_t       iat;          /* seconds since the epoch */
    int64_t       nbf;
    int64_t       exp;
    int64_t       duration;     /* seconds */
    int64_t       mfa;          /* 0: never */
    bool          masquerading;
    bool          refresh;
    bool          never;
    bool          revoked;
    bool          force;
} ag_issue_spec_t;


typedef int (*ag_issue_set_pt)(void *field, const char *value, int64_t now);


typedef struct {
    const char       *name;
    ag_issue_set_pt   set;
    size_t            offset;
} ag_issue_key_t;


static int ag_issue_template(const ag_authority_t *authority,
    const ag_issue_spec_t *spec, ag_token_t *token, ag_error_t *error);
static int ag_issue_known(const ag_directory_t *directory,
    const ag_issue_spec_t *spec, ag_error_t *error);
static int ag_issue_rights(const ag_authority_t *authority,
    const ag_issue_spec_t *spec, ag_token_t *token, ag_error_t *error);
static int ag_issue_creator(const ag_directory_t *directory,
    const ag_issue_spec_t *spec, ag_token_t *token, ag_error_t *error);
static int ag_issue_batch(const ag_authority_t *authority,
    const ag_token_t *template, bool refresh, size_t n, FILE *out);
static int ag_issue_copy(ag_token_t *token, const ag_token_t *template,
    bool refresh);
static int ag_issue_parse(const char *text, int64_t now, ag_issue_spec_t *spec,
    ag_error_t *error);
static void ag_issue_free(ag_issue_spec_t *spec);
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


/* the position of a key is its bit in "seen" */

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
    { "mfa", ag_issue_date, ag_issue_field(mfa) },
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
ag_issue(const ag_authority_t *authority, const char *specification,
    int64_t count, FILE *out, ag_error_t *error)
{
    int              rc;
    size_t           n;
    ag_token_t       template;
    ag_issue_spec_t  spec;

    memset(&template, 0, sizeof(ag_token_t));

    rc = ag_issue_parse(specification, ag_date_now(), &spec, error);

    if (rc == AG_OK && spec.jti && count > 1) {
        rc = ag_error(error, "jti is for one token");
    }

    if (rc == AG_OK) {
        rc = ag_issue_template(authority, &spec, &template, error);
    }

    while (rc == AG_OK && count > 0) {
        n = count > AG_BATCH ? AG_BATCH : (size_t) count;
        count -= (int64_t) n;

        rc = ag_issue_batch(authority, &template, spec.refresh, n, out);

        if (rc == AG_DECLINED) {
            ag_error(error, "there is a token with this jti already");

        } else if (rc != AG_OK) {
            ag_error(error, "the token cannot be stored or printed");
        }
    }

    ag_token_clear(&template);
    ag_issue_free(&spec);

    return rc;
}


/* fills in the members that all tokens of a specification share */

static int
ag_issue_template(const ag_authority_t *authority, const ag_issue_spec_t *spec,
    ag_token_t *token, ag_error_t *error)
{
    token->iat = spec->iat;
    token->nbf = spec->nbf;
    token->exp = spec->exp;
    token->last_mfa = spec->mfa;
    token->masquerading = spec->masquerading;
    token->revoked = spec->revoked;

    if (ag_issue_known(authority->directory, spec, error) != AG_OK) {
        return AG_MALFORMED;
    }

    if (ag_token_set(&token->jti, spec->jti) != AG_OK
        || ag_token_set(&token->session, spec->session) != AG_OK)
    {
        return ag_error(error, "not enough memory");
    }

    if (ag_issue_creator(authority->directory, spec, token, error) != AG_OK
        || ag_issue_rights(authority, spec, token, error) != AG_OK)
    {
        return AG_MALFORMED;
    }

    token->aud = ag_json_dump(spec->aud);

    return token->aud ? AG_OK : ag_error(error, "not enough memory");
}


/* the error names the subject: the user of --issue can read the seed anyway */

static int
ag_issue_known(const ag_directory_t *directory, const ag_issue_spec_t *spec,
    ag_error_t *error)
{
    const ag_subject_t  *subject;

    if (spec->force) {
        return AG_OK;
    }

    subject = ag_directory_subject(directory, spec->sub);

    if (subject == NULL) {
        return ag_error(error, "there is no subject \"%s\"", spec->sub);
    }

    if (!ag_subject_enabled(subject)) {
        return ag_error(error, "subject \"%s\" is disabled", spec->sub);
    }

    if (ag_directory_org(directory, spec->org) == NULL) {
        return ag_error(error, "there is no organisation \"%s\"", spec->org);
    }

    return AG_OK;
}


static int
ag_issue_rights(const ag_authority_t *authority, const ag_issue_spec_t *spec,
    ag_token_t *token, ag_error_t *error)
{
    int                     rc;
    ag_wish_t               wish;
    const ag_directory_t   *directory;
    const ag_permission_t  *permission;

    directory = authority->directory;

    wish.sub = spec->sub;
    wish.org = spec->org;
    wish.scopes = spec->scopes;
    wish.roles = spec->roles;
    wish.hosts = spec->hosts;

    permission = ag_subject_permission(ag_directory_subject(directory,
                                                            spec->sub),
                                       ag_directory_org(directory, spec->org));

    if (wish.scopes == NULL && permission) {
        wish.scopes = permission->scopes;
    }

    rc = spec->force ? ag_rights_as_stated(&wish, token)
                     : ag_rights_grant(directory, &wish, token, error);

    return rc == AG_ERROR ? ag_error(error, "not enough memory") : rc;
}


static int
ag_issue_creator(const ag_directory_t *directory, const ag_issue_spec_t *spec,
    ag_token_t *token, ag_error_t *error)
{
    const ag_subject_t  *creator;

    if (spec->creator == NULL) {
        return AG_OK;
    }

    creator = ag_directory_subject(directory, spec->creator);

    if (creator == NULL) {
        return ag_error(error, "there is no subject \"%s\"", spec->creator);
    }

    if (ag_token_set(&token->creating_sub, creator->id) != AG_OK
        || (strcmp(creator->org->id, spec->org) != 0
            && ag_token_set(&token->creating_org, creator->org->id) != AG_OK))
    {
        return ag_error(error, "not enough memory");
    }

    return AG_OK;
}


/* nothing is printed before it is stored */

static int
ag_issue_batch(const ag_authority_t *authority, const ag_token_t *template,
    bool refresh, size_t n, FILE *out)
{
    int           rc;
    char        **texts;
    size_t        i;
    ag_token_t   *tokens;

    tokens = calloc(n, sizeof(ag_token_t));
    texts = calloc(n, sizeof(char *));

    rc = tokens && texts ? AG_OK : AG_ERROR;

    for (i = 0; i < n && rc == AG_OK; i++) {
        rc = ag_issue_copy(&tokens[i], template, refresh);

        if (rc == AG_OK) {
            rc = ag_jwt_make(authority, &tokens[i], &texts[i]);
        }
    }

    if (rc == AG_OK) {
        rc = ag_store_add(authority->store, tokens, n, NULL);
    }

    for (i = 0; i < n && tokens && texts; i++) {
        if (rc == AG_OK && fprintf(out, "%s\n", texts[i]) < 0) {
            rc = AG_ERROR;
        }

        ag_jwt_free(texts[i]);
        ag_token_clear(&tokens[i]);
    }

    free(tokens);
    free(texts);

    return rc;
}


static int
ag_issue_copy(ag_token_t *token, const ag_token_t *template, bool refresh)
{
    char  id[23];

    token->iat = template->iat;
    token->nbf = template->nbf;
    token->exp = template->exp;
    token->last_mfa = template->last_mfa;
    token->masquerading = template->masquerading;
    token->stated = template->stated;
    token->revoked = template->revoked;

    if (ag_token_set(&token->jti, template->jti) != AG_OK
        || ag_token_inherit(token, template) != AG_OK)
    {
        return AG_ERROR;
    }

    if (!refresh) {
        return AG_OK;
    }

    return ag_base64_random_id(id) == AG_OK
           ? ag_token_set(&token->refresh_of, id) : AG_ERROR;
}


/*
 * Reads a specification; now is in seconds. AG_OK, or AG_MALFORMED with the
 * error set; the caller frees *spec in any case.
 */

static int
ag_issue_parse(const char *text, int64_t now, ag_issue_spec_t *spec,
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


static void
ag_issue_free(ag_issue_spec_t *spec)
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
        spec->aud = json_loads(AG_AUDIENCES, 0, NULL);
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
