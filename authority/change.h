/*
 * Changes of the directory: the status and the roles of a user, as they were
 * set while serving. They are kept, and count before the seed.
 */

#ifndef AG_CHANGE_H
#define AG_CHANGE_H


#include "directory.h"
#include "store.h"


/*
 * Makes the changes of a store in a directory that was just read. Those that
 * the seed no longer has a place for are left out. AG_OK, or else with the
 * error set.
 */
int ag_change_load(ag_store_t *store, ag_directory_t *directory,
    ag_error_t *error);

/*
 * Whether roles (application to array of roles) are ones that a subject can
 * have in an organisation: AG_OK, or AG_MALFORMED with the error set.
 */
int ag_change_check_roles(const ag_directory_t *directory,
    const ag_permission_t *permission, const json_t *roles,
    ag_error_t *error);

/*
 * Store a change and make it; it is on the disk when they return. The caller
 * holds the directory with ag_directory_own(). The roles have been checked.
 * AG_OK or AG_ERROR.
 */
int ag_change_status(ag_store_t *store, ag_directory_t *directory,
    const ag_subject_t *subject, ag_status_e status, int64_t disabled_at);
int ag_change_roles(ag_store_t *store, ag_directory_t *directory,
    const ag_subject_t *subject, const ag_permission_t *permission,
    const json_t *roles);


#endif /* AG_CHANGE_H */
