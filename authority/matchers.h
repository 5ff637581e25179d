/*
 * Rules with matchers, for a reader that does not know matchers: the same as
 * lists of exact matches.
 */

#ifndef AG_MATCHERS_H
#define AG_MATCHERS_H


#include "json.h"


/*
 * Rewrites HostPermissions without matchers. A matcher that asks a piece of a
 * path template to be equal to a text, or one of several, becomes templates
 * with that text in place. A rule whose matchers ask for anything else is
 * left out: a reader that ignores them would allow too much. New reference,
 * or NULL when memory is short.
 */
json_t *ag_matchers_exact(const json_t *hosts);


#endif /* AG_MATCHERS_H */
