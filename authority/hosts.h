/*
 * From roles to the host rules of a subject.
 */

#ifndef AG_HOSTS_H
#define AG_HOSTS_H


#include "directory.h"


/*
 * Renders roles (application to array of roles) of a subject in an
 * organisation as an array of HostPermissions: one for each host of each
 * application that the organisation uses, with the rules of all the roles.
 * Placeholders are filled in for the subject, which may be NULL: then a rule
 * with one is left out. New reference, or NULL when memory is short.
 */
json_t *ag_hosts_render(const ag_directory_t *directory,
    const ag_subject_t *subject, const ag_org_t *org, const json_t *roles);

/*
 * Reduces requested HostPermissions to those that the permitted ones cover:
 * wider rules are left out, and so are hosts that are not permitted. A
 * requested host without an allowed_list stands for all that is permitted on
 * it. New reference, or NULL when memory is short; *whole tells whether all
 * was kept.
 */
json_t *ag_hosts_narrow(const json_t *permitted, const json_t *requested,
    bool *whole);

/*
 * Whether the placeholders of a rule, {{sub}}, {{org}} and {{email}} in its
 * exact_match members, are ones that ag_hosts_render() fills in.
 */
bool ag_hosts_placeholders(const json_t *rule);


#endif /* AG_HOSTS_H */
