/*
 * The shape of a JSON object, as a table: which members, of which type.
 */

#ifndef AG_SHAPE_H
#define AG_SHAPE_H


#include "json.h"


typedef enum {
    AG_ANY = 0,
    AG_STRING,      /* min and max: characters (bytes of UTF-8) */
    AG_IDENTIFIER,  /* string of A-Z a-z 0-9 . _ ~ - , AG_ID_MAX at most */
    AG_BOOL,
    AG_INTEGER,     /* min and max: value */
    AG_OBJECT,
    AG_STRINGS,     /* array; min and max: number; non-empty, 1023 at most */
    AG_ARRAY        /* min and max: number; check: called for each item */
} ag_kind_e;


#define AG_REQUIRED  1

#define AG_ITEM_MAX  1023  /* bytes of a string in an AG_STRINGS array */


/*
 * Looks further into a value than its type; sets the error and returns
 * AG_MALFORMED where it finds something.
 */
typedef int (*ag_check_pt)(json_t *value, const ag_path_t *path,
    ag_error_t *error);


typedef struct {
    const char   *name;    /* NULL ends the table */
    ag_kind_e     kind;
    unsigned      flags;
    int64_t       min;
    int64_t       max;
    ag_check_pt   check;   /* may be NULL */
} ag_member_t;


/*
 * Checks an object against a table. A member that is absent or null passes
 * unless AG_REQUIRED. A member that the table does not have passes only where
 * the table is open (closed is false). The path is that of the object, NULL
 * for a whole body. AG_OK, or AG_MALFORMED with the error set.
 */
int ag_shape_check(json_t *object, const ag_member_t *table, bool closed,
    const ag_path_t *path, ag_error_t *error);

/* An ag_check_pt for a string that is a date, see ag_date_parse(). */
int ag_shape_date(json_t *value, const ag_path_t *path, ag_error_t *error);

/* Whether text has only characters that AG_IDENTIFIER allows. */
bool ag_shape_is_identifier(const char *text);


#endif /* AG_SHAPE_H */
