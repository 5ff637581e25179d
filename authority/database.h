/*
 * A connection to the database, its schema and its statements. One thread at
 * a time uses a connection.
 */

#ifndef AG_DATABASE_H
#define AG_DATABASE_H


#include "error.h"

#include <sqlite3.h>


#define AG_TOKEN_COLUMNS                                                      \
    "jti, sub, org, session, aud, scopes, roles, hosts, creating_sub, "       \
    "creating_org, refresh_of, iat, nbf, exp, updated, masquerading, "        \
    "stated, revoked, digest"

/* those columns, and what is read from the token's session */

#define AG_TOKEN_SELECTED                                                     \
    AG_TOKEN_COLUMNS ", "                                                     \
    "EXISTS (SELECT 1 FROM session "                                          \
    "WHERE id = token.session AND NOT session.revoked), "                     \
    "(SELECT last_mfa FROM session WHERE id = token.session)"

#define AG_SESSION_COLUMNS                                                    \
    "id, sub, org, details, created, updated, last_mfa, revoked"

#define AG_API_KEY_COLUMNS                                                    \
    "id, sub, org, name, label, scopes, token_id, created, updated, expiry, " \
    "disabled, digest, sealed"

/* those columns, and the status; its parameter is the first: the time */

#define AG_API_KEY_SELECTED                                                   \
    AG_API_KEY_COLUMNS ", "                                                   \
    "CASE WHEN NOT EXISTS (SELECT 1 FROM token WHERE jti = token_id "         \
    "AND NOT token.revoked AND EXISTS (SELECT 1 FROM session "                \
    "WHERE id = token.session AND NOT session.revoked)) THEN 'revoked' "      \
    "WHEN expiry <= ? THEN 'expired' WHEN disabled THEN 'disabled' "          \
    "ELSE 'active' END AS oper_status"


typedef enum {
    AG_SQL_FIND = 0,
    AG_SQL_ADD,
    AG_SQL_REVOKE,
    AG_SQL_REVOKE_SESSIONS,
    AG_SQL_SESSION_OF_OTHER,
    AG_SQL_PURGE,
    AG_SQL_PURGE_SESSIONS,
    AG_SQL_ADD_SESSION,
    AG_SQL_END_SESSIONS,
    AG_SQL_FIND_SESSION,
    AG_SQL_SET_SESSION,
    AG_SQL_REVOKE_TOKENS_OF,
    AG_SQL_TOUCH_SESSIONS,
    AG_SQL_REVOKE_SESSIONS_OF,
    AG_SQL_DELETE_SESSIONS_OF,
    AG_SQL_SET_API_KEY,
    AG_SQL_FIND_API_KEY,
    AG_SQL_DELETE_API_KEY,
    AG_SQL_PURGE_API_KEYS,
    AG_SQL_KEYS,
    AG_SQL_ADD_KEY,
    AG_SQL_USE_KEY,
    AG_SQL_WITHDRAW_KEYS,
    AG_SQL_STATUSES,
    AG_SQL_SET_STATUS,
    AG_SQL_ROLES,
    AG_SQL_SET_ROLES,
    AG_SQL_BEGIN,
    AG_SQL_COMMIT,
    AG_SQL_ROLLBACK,
    AG_SQL_COUNT
} ag_sql_e;


typedef struct ag_database_s  ag_database_t;

struct ag_database_s {
    sqlite3        *db;
    sqlite3_stmt   *statements[AG_SQL_COUNT];  /* prepared when first used */
    ag_database_t  *next;
};


/*
 * Opens a connection to a file that is there, and runs one pragma on it.
 * NULL if that fails.
 */
ag_database_t *ag_database_open(const char *path, const char *pragma);

/* Closes a connection; NULL is fine. */
void ag_database_close(ag_database_t *database);

/*
 * Makes the tables where there are none, and refuses those of another
 * version. AG_OK, or else with the error set.
 */
int ag_database_schema(ag_database_t *database, ag_error_t *error);

/*
 * A prepared statement, which belongs to the connection; NULL, which all
 * that follows takes for a failure, if it cannot be prepared.
 */
sqlite3_stmt *ag_database_sql(ag_database_t *database, ag_sql_e n);

/* Runs a statement without parameters and rows. AG_OK or AG_ERROR. */
int ag_database_run(ag_database_t *database, ag_sql_e n);

/* Runs a bound statement without rows, and resets it. AG_OK or AG_ERROR. */
int ag_database_done(sqlite3_stmt *statement);

/*
 * Binds the n-th parameter to text that outlives the statement's run; NULL
 * is SQL's NULL.
 */
void ag_database_bind_text(sqlite3_stmt *statement, int n, const char *text);

/*
 * A copy of the n-th column of a row, counted from 0, in *text; NULL for SQL's
 * NULL. The caller frees it. AG_OK, or AG_ERROR when memory is short.
 */
int ag_database_text(sqlite3_stmt *row, int n, char **text);


#endif /* AG_DATABASE_H */
