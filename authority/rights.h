/*
 * The rights of a token: those that it is given when it is made, and those that
 * it has now.
 */

#ifndef AG_RIGHTS_H
#define AG_RIGHTS_H


#include "authority.h"


/* everything is borrowed, and of a shape that was checked */

typedef struct {
    const char    *sub;
    const char    *org;
    const json_t  *scopes;   /* array of scopes; NULL is none */
    const json_t  *roles;    /* application to a role or an array of roles;
                                NULL is all that are permitted */
    const json_t  *hosts;    /* HostPermissions; NULL is no restriction */
} ag_wish_t;


/*
 * Fills in sub, org, scopes, roles and hosts of a token as far as the
 * directory permits. AG_OK; AG_DECLINED with the error set where something
 * that is not optional is not permitted; AG_ERROR.
 */
int ag_rights_grant(const ag_directory_t *directory, const ag_wish_t *wish,
    ag_token_t *token, ag_error_t *error);

/*
 * Fills them in without looking at the directory: the token gets all that is
 * asked for.
 * AG_OK or AG_ERROR.
 */
int ag_rights_as_stated(const ag_wish_t *wish, ag_token_t *token);

/*
 * The roles that a token has now: those of the subject's permission, which may
 * be NULL, within what the token is restricted to. New reference, or NULL when
 * memory is short.
 */
json_t *ag_rights_roles(const ag_permission_t *permission,
    const ag_token_t *token);

/*
 * The hosts that a token with these roles may reach now, as HostPermissions.
 * subject and org may be NULL. New reference, or NULL when memory is short.
 */
json_t *ag_rights_hosts(const ag_directory_t *directory,
    const ag_subject_t *subject, const ag_org_t *org, const json_t *roles,
    const ag_token_t *token);


#endif /* AG_RIGHTS_H */
