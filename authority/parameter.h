/*
 * The parameters of a query, as a table.
 */

#ifndef AG_PARAMETER_H
#define AG_PARAMETER_H


#include "operation.h"


/*
 * Reads a value into the field of a parameter. AG_OK, or AG_MALFORMED if the
 * value is not right.
 */
typedef int (*ag_parameter_pt)(void *field, const char *value);


typedef struct {
    const char       *name;      /* NULL ends the table */
    ag_parameter_pt   set;
    size_t            offset;    /* of the field */
    bool              repeated;  /* may be there more than once */
} ag_parameter_t;


/*
 * Reads the query of a call into the fields of a structure, which borrow its
 * strings. Fields without a parameter are left alone, and so are parameters
 * that the table does not have: clients may be newer. AG_OK, or AG_MALFORMED
 * with 400 in the reply.
 */
int ag_parameter_read(const ag_call_t *call, const ag_parameter_t *table,
    void *fields, ag_reply_t *reply);

/* A const char *. */
int ag_parameter_string(void *field, const char *value);

/* An ag_strings_t: an array, for which the parameter is repeated. */
int ag_parameter_strings(void *field, const char *value);

/* An int64_t, in seconds since the epoch. */
int ag_parameter_date(void *field, const char *value);

/* An int: 1 for true and 0 for false, in any case. */
int ag_parameter_bool(void *field, const char *value);

/* An int, the number of rows: from 1 to what the field holds before. */
int ag_parameter_limit(void *field, const char *value);


#endif /* AG_PARAMETER_H */
