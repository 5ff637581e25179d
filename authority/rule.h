/*
 * HostPermissions and their RenderedRules: shape, and which is narrower.
 */

#ifndef AG_RULE_H
#define AG_RULE_H


#include "json.h"


/*
 * An ag_check_pt for one RenderedRule. Closed: an unknown member is refused,
 * since a constraint that is not understood would be a constraint lost.
 */
int ag_rule_check(json_t *rule, const ag_path_t *path, ag_error_t *error);

/*
 * An ag_check_pt for one HostPermissions: upstream_host is required here, the
 * rest is optional.
 */
int ag_rule_check_host(json_t *host, const ag_path_t *path, ag_error_t *error);

/*
 * Whether a rule lets through nothing that the permitted one does not. A rule
 * that cannot be compared counts as wider: methods, paths and templates may be
 * fewer, constraints may be more, all else must be equal.
 */
bool ag_rule_covers(const json_t *permitted, const json_t *rule);


#endif /* AG_RULE_H */
