/*
 * --issue: tokens for scripts and tests.
 */

#include "issue.h"
#include "base64.h"
#include "issue_spec.h"
#include "mint.h"
#include "rights.h"

#include <stdlib.h>
#include <string.h>


/* tokens of one transaction */

#define AG_BATCH  1000


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


int
ag_issue(const ag_authority_t *authority, const char *specification,
    int64_t count, FILE *out, ag_error_t *error)
{
    int              rc;
    size_t           n;
    ag_token_t       template;
    ag_issue_spec_t  spec;

    memset(&template, 0, sizeof(ag_token_t));

    rc = ag_issue_spec_parse(specification, ag_date_now(), &spec, error);

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
    ag_issue_spec_free(&spec);

    return rc;
}


/* what all tokens of a specification have in common */

static int
ag_issue_template(const ag_authority_t *authority, const ag_issue_spec_t *spec,
    ag_token_t *token, ag_error_t *error)
{
    token->iat = spec->iat;
    token->nbf = spec->nbf;
    token->exp = spec->exp;
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


/* says which it was; whoever can run this can read the seed, too */

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

    if (!subject->enabled) {
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

    rc = spec->force ? ag_rights_state(&wish, token)
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
            rc = ag_mint(authority, &tokens[i], &texts[i]);
        }
    }

    if (rc == AG_OK) {
        rc = ag_store_add(authority->store, tokens, n, NULL);
    }

    for (i = 0; i < n && tokens && texts; i++) {
        if (rc == AG_OK && fprintf(out, "%s\n", texts[i]) < 0) {
            rc = AG_ERROR;
        }

        ag_mint_free(texts[i]);
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
    token->masquerading = template->masquerading;
    token->stated = template->stated;
    token->revoked = template->revoked;

    if (ag_token_set(&token->jti, template->jti) != AG_OK
        || ag_token_set(&token->sub, template->sub) != AG_OK
        || ag_token_set(&token->org, template->org) != AG_OK
        || ag_token_set(&token->session, template->session) != AG_OK
        || ag_token_set(&token->aud, template->aud) != AG_OK
        || ag_token_set(&token->scopes, template->scopes) != AG_OK
        || ag_token_set(&token->roles, template->roles) != AG_OK
        || ag_token_set(&token->hosts, template->hosts) != AG_OK
        || ag_token_set(&token->creating_sub, template->creating_sub) != AG_OK
        || ag_token_set(&token->creating_org, template->creating_org) != AG_OK)
    {
        return AG_ERROR;
    }

    if (!refresh) {
        return AG_OK;
    }

    return ag_base64_random_id(id) == AG_OK
           ? ag_token_set(&token->refresh_of, id) : AG_ERROR;
}
