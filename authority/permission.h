/*
 * The permission of a subject in each organisation.
 */

#ifndef AG_PERMISSION_H
#define AG_PERMISSION_H


#include "directory.h"


/*
 * Works out the permissions of one subject from its grants, in every
 * organisation that one of them reaches. AG_OK or AG_ERROR.
 */
int ag_permission_resolve(const ag_directory_t *directory,
    ag_subject_t *subject);

/*
 * Replaces the roles that a subject has by one of its permissions, and the
 * host rules with them. AG_OK, or AG_ERROR with the permission as it was.
 */
int ag_permission_set_roles(const ag_directory_t *directory,
    const ag_subject_t *subject, ag_permission_t *permission,
    const json_t *roles);

/*
 * The roles that a restriction (application to array of roles, or NULL for
 * none) leaves of permitted ones. New reference, or NULL when memory is
 * short; *whole tells whether all of the restriction was permitted.
 */
json_t *ag_permission_roles(const json_t *permitted, const json_t *restricted,
    bool *whole);


#endif /* AG_PERMISSION_H */
