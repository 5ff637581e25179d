/*
 * The seed file: from JSON to a directory.
 */

#ifndef AG_SEED_BUILD_H
#define AG_SEED_BUILD_H


#include "directory.h"


/*
 * Builds a directory from a seed of the right shape, and keeps a reference to
 * it. NULL with the error set where something refers to what is not there, or
 * is there twice. The caller frees the directory.
 */
ag_directory_t *ag_seed_build(json_t *root, ag_error_t *error);


#endif /* AG_SEED_BUILD_H */
