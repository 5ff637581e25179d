/*
 * One token, as it is kept: everything but the token itself.
 */

#ifndef AG_TOKEN_H
#define AG_TOKEN_H


#include "common.h"


/*
 * Strings are owned; NULL where there is none. aud and scopes are JSON arrays
 * of strings, roles is a JSON object (application to array of roles), hosts
 * an array of HostPermissions. roles and hosts restrict the token; NULL is no
 * restriction beyond the permission of its subject.
 */

typedef struct {
    char           *jti;
    char           *sub;
    char           *org;
    char           *session;
    char           *aud;
    char           *scopes;
    char           *roles;
    char           *hosts;
    char           *creating_sub;
    char           *creating_org;
    char           *refresh_of;    /* jti that this refresh token is for */
    int64_t         iat;
    int64_t         nbf;           /* not valid before */
    int64_t         exp;           /* AG_NEVER if it has none */
    int64_t         updated;       /* when this record was last changed */
    bool            masquerading;
    bool            stated;        /* rights as stated at issue, never asked
                                      of the directory again */
    bool            revoked;
    bool            ended;         /* its session was revoked or deleted */
    int64_t         last_mfa;      /* of its session, in seconds; 0: never */
    unsigned char   digest[AG_DIGEST_SIZE];
} ag_token_t;


/* Frees the strings of a token and zeroes it. */
void ag_token_clear(ag_token_t *token);

/*
 * Replaces a string of a token by a copy of value, or by NULL. AG_OK or
 * AG_ERROR.
 */
int ag_token_set(char **field, const char *value);

/*
 * Copies the members that a token takes over from another: subject,
 * organisation, session, audience, scopes, restrictions and creator. AG_OK or
 * AG_ERROR.
 */
int ag_token_inherit(ag_token_t *token, const ag_token_t *from);


#endif /* AG_TOKEN_H */
