/*
 * An SQL statement in the making, for lists.
 */

#ifndef AG_STATEMENT_H
#define AG_STATEMENT_H


#include "database.h"
#include "store.h"
#include "text.h"


#define AG_BOUND_MAX  48   /* parameters of a statement */


/*
 * Conditions that are not asked for are not in the statement, so that it uses
 * the index of one that is. Values are always bound. Starts as all zeros.
 */

typedef struct {
    ag_text_t    sql;
    int          n;
    struct {
        const char  *text;     /* borrowed; NULL: it is the number */
        int64_t      number;
    } bound[AG_BOUND_MAX];
} ag_statement_t;


/* Called for each row. AG_OK to go on; anything else ends the list. */
typedef int (*ag_row_pt)(void *data, sqlite3_stmt *row);


/* Appends SQL without parameters. */
void ag_statement_sql(ag_statement_t *statement, const char *sql);

/* Appends SQL with one parameter and its text; nothing for a text of NULL. */
void ag_statement_text(ag_statement_t *statement, const char *sql,
    const char *value);

/*
 * Appends SQL with one parameter and its number; nothing where the number is
 * "unbound".
 */
void ag_statement_number(ag_statement_t *statement, const char *sql,
    int64_t value, int64_t unbound);

/*
 * Runs it on one of the store's connections for reading, and frees it. AG_OK,
 * AG_ERROR, or what the callback returned.
 */
int ag_statement_run(ag_store_t *store, ag_statement_t *statement,
    ag_row_pt callback, void *data);


#endif /* AG_STATEMENT_H */
