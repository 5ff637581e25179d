/*
 * The seed file: a directory as JSON.
 */

#ifndef AG_SEED_H
#define AG_SEED_H


#include "directory.h"


/*
 * Reads a seed file. Each mistake in it is an error that names the
 * member, such as subjects[2].permissions[0].org: a member that is not known,
 * of another type, or refers to something that is not there. The caller frees
 * the directory. NULL with the error set.
 */
ag_directory_t *ag_seed_load(const char *path, ag_error_t *error);


#endif /* AG_SEED_H */
