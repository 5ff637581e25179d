/*
 * agilicus-authority: results and limits that every file shares.
 */

#ifndef AG_COMMON_H
#define AG_COMMON_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define AG_VERSION        "0.1.0"

/* results: everything that returns int returns one of these */

#define AG_OK             0
#define AG_ERROR         -1    /* our fault: memory, storage, a library */
#define AG_DECLINED      -2    /* not there, or not permitted */
#define AG_MALFORMED     -3    /* the caller's fault */

#define AG_DIGEST_SIZE    32   /* SHA-256 */

#define AG_ID_MAX         64   /* characters of sub, org, jti and session */
#define AG_SCOPE_MAX      511  /* characters of a scope, as the API has it */
#define AG_TOKEN_MAX      8192 /* characters of a token that is looked at */
#define AG_LIST_MAX       100  /* rows of GET /v1/tokens */
#define AG_PAGE_MAX       500  /* rows of the other lists */
#define AG_STRINGS_MAX    16   /* values of a parameter of a query */

/* audiences of a token for which none were asked for, as JSON */

#define AG_AUDIENCES                                                          \
    "[\"urn:api:agilicus:gateway\",\"urn:api:agilicus:users\","               \
    "\"urn:api:agilicus:applications\"]"

#define AG_NEVER          INT64_MAX  /* expiry of a token that has none */

/* longest validity that may be asked for, in seconds: ten years */

#define AG_DURATION_MAX   (10 * 366 * 86400)


/* the values of a parameter that may be repeated, borrowed */

typedef struct {
    const char  *items[AG_STRINGS_MAX];
    size_t       n;
} ag_strings_t;


#endif /* AG_COMMON_H */
