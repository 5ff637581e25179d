/*
 * The argument of --issue.
 */

#ifndef AG_ISSUE_SPEC_H
#define AG_ISSUE_SPEC_H


#include "json.h"


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
    bool          masquerading;
    bool          refresh;
    bool          never;
    bool          revoked;
    bool          force;
} ag_issue_spec_t;


/*
 * Reads a specification; now is in seconds. AG_OK, or AG_MALFORMED with the
 * error set; the caller frees *spec in any case.
 */
int ag_issue_spec_parse(const char *text, int64_t now, ag_issue_spec_t *spec,
    ag_error_t *error);

/* Frees what a specification holds. */
void ag_issue_spec_free(ag_issue_spec_t *spec);


#endif /* AG_ISSUE_SPEC_H */
