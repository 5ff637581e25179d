/*
 * The state of a token that was presented: active, revoked, expired, or not one
 * of ours.
 */

#ifndef AG_STATE_H
#define AG_STATE_H


#include "authority.h"


typedef enum {
    AG_ACTIVE = 0,
    AG_REVOKED,       /* counts before all that follows */
    AG_EXPIRED,
    AG_DISABLED,      /* its subject is */
    AG_INACTIVE,      /* not yet valid, or of a subject that is not there */
    AG_UNKNOWN,       /* not issued here, or not as it was issued */
    AG_NOT_A_TOKEN,   /* not even by syntax */
    AG_FAILED         /* our fault */
} ag_state_e;


/*
 * Verifies a token of len characters and looks it up. For the states up to
 * and including AG_INACTIVE, fills *token; the caller clears it in any case.
 * now is in seconds.
 */
ag_state_e ag_state_find(const ag_authority_t *authority, const char *text,
    size_t len, int64_t now, ag_token_t *token);


#endif /* AG_STATE_H */
