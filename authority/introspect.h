/*
 * The options of an introspection.
 */

#ifndef AG_INTROSPECT_H
#define AG_INTROSPECT_H


#include "model.h"


/* An ag_check_pt for TokenIntrospectOptions. */
int ag_introspect_options(json_t *value, const ag_path_t *path,
    ag_error_t *error);

/*
 * What the introspect_options of a body say of the Token. no_cache needs
 * nothing done, since each answer is read anew. target_org_info fills in
 * nothing, since an answer is about one organisation.
 */
void ag_introspect_model(const json_t *body, ag_model_options_t *model);


#endif /* AG_INTROSPECT_H */
