/*
 * --issue: tokens for scripts and tests.
 */

#ifndef AG_ISSUE_H
#define AG_ISSUE_H


#include "authority.h"

#include <stdio.h>


/*
 * Makes and stores count tokens as a specification (key=value,...) says, and
 * prints them to out, a line each. AG_OK, or else with the error set; then
 * the tokens printed so far are good.
 */
int ag_issue(const ag_authority_t *authority, const char *specification,
    int64_t count, FILE *out, ag_error_t *error);


#endif /* AG_ISSUE_H */
