
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_MEMBERS_H_INCLUDED_
#define _NGX_AGT_JSON_MEMBERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The members of a Token that the API documents, and what becomes of each:
 *
 * ENFORCED   a decision depends on it, always or where a location requires it
 * EXPOSED    no decision depends on it, but it has a variable
 * IGNORED    it is not kept
 *
 * The variable is the end of $agilicus_token_..., "claim" where that is
 * $agilicus_token_claim_<name>, or "" where there is none.  The last column
 * says how old facts may be when a change of the member is noticed: WATCHED,
 * which a healthy feed makes longer; RIGHTS, where a location judges it; NEVER.
 *
 * docs/security.md and docs/revocation.md have a row for each member.
 */

#define NGX_AGT_JSON_TOKEN_MEMBERS(row)                                       \
    row("sub", ENFORCED, "sub", WATCHED)                                      \
    row("sub_email", EXPOSED, "email", WATCHED)                               \
    row("org", ENFORCED, "org", WATCHED)                                      \
    row("root_org", EXPOSED, "root_org", WATCHED)                             \
    row("roles", ENFORCED, "roles", RIGHTS)                                   \
    row("jti", ENFORCED, "jti", WATCHED)                                      \
    row("iat", ENFORCED, "iat", WATCHED)                                      \
    row("exp", ENFORCED, "exp", WATCHED)                                      \
    row("hosts", ENFORCED, "", RIGHTS)                                        \
    row("aud", ENFORCED, "aud", WATCHED)                                      \
    row("session", ENFORCED, "session", WATCHED)                              \
    row("scopes", ENFORCED, "scopes", WATCHED)                                \
    row("creating_sub", EXPOSED, "claim", WATCHED)                            \
    row("creating_org", EXPOSED, "claim", WATCHED)                            \
    row("masquerading", ENFORCED, "claim", WATCHED)                           \
    row("resource_permissions", ENFORCED, "", RIGHTS)                         \
    row("user", ENFORCED, "", WATCHED)                                        \
    row("last_mfa_time", ENFORCED, "mfa_time", WATCHED)                       \
    row("refresh_token_jti", ENFORCED, "", WATCHED)


/* the members of its "user", likewise; none has a variable */

#define NGX_AGT_JSON_USER_MEMBERS(row)                                        \
    row("enabled", ENFORCED, "", WATCHED)                                     \
    row("status", ENFORCED, "", WATCHED)                                      \
    row("disabled_at_time", ENFORCED, "", WATCHED)                            \
    row("type", IGNORED, "", NEVER)                                           \
    row("id", IGNORED, "", NEVER)                                             \
    row("external_id", IGNORED, "", NEVER)                                    \
    row("org_id", IGNORED, "", NEVER)                                         \
    row("provider", IGNORED, "", NEVER)                                       \
    row("email", IGNORED, "", NEVER)                                          \
    row("first_name", IGNORED, "", NEVER)                                     \
    row("last_name", IGNORED, "", NEVER)                                      \
    row("full_name", IGNORED, "", NEVER)                                      \
    row("display_name", IGNORED, "", NEVER)                                   \
    row("member_of", IGNORED, "", NEVER)                                      \
    row("attributes", IGNORED, "", NEVER)                                     \
    row("configured_attributes", IGNORED, "", NEVER)                          \
    row("upstream_user_identities", IGNORED, "", NEVER)                       \
    row("roles", IGNORED, "", NEVER)                                          \
    row("created", IGNORED, "", NEVER)                                        \
    row("updated", IGNORED, "", NEVER)                                        \
    row("auto_created", IGNORED, "", NEVER)                                   \
    row("is_system_user", IGNORED, "", NEVER)                                 \
    row("cascade", IGNORED, "", NEVER)                                        \
    row("inheritable_config", IGNORED, "", NEVER)                             \
    row("inheritable_status", IGNORED, "", NEVER)


/*
 * Returns the variable of a member of a Token, as in the table; "claim" for a
 * member that the API does not document.  The result is a constant.
 */
const char *ngx_agt_json_member_variable(const u_char *name, size_t len);


#endif /* _NGX_AGT_JSON_MEMBERS_H_INCLUDED_ */
