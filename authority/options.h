/*
 * The command line.
 */

#ifndef AG_OPTIONS_H
#define AG_OPTIONS_H


#include "authority.h"
#include "faults.h"
#include "listen.h"


typedef struct {
    const char           *listen;
    ag_address_t          address;
    const char           *db;
    const char           *seed;
    const char           *tls_cert;      /* file; NULL for plain HTTP */
    const char           *tls_key;
    const char           *request_log;   /* file, "-", or NULL */
    const char          **issues;        /* specifications of tokens */
    size_t                nissues;
    int64_t               issue_count;   /* tokens of each */
    ag_date_format_e      dates;
    unsigned              session_fields;
    ag_key_statuses_t     key_statuses;
    bool                  rotates;       /* does a step of a rotation */
    ag_rotate_e           rotate;
    ag_jwsk_t             jwsk;
    int                   disabled_user;
    ag_fault_options_t    faults;
    bool                  help;
    bool                  version;
} ag_options_t;


/*
 * Reads a command line into options, which borrow its strings. AG_OK, or
 * AG_MALFORMED with the error set. The caller frees options->issues.
 */
int ag_options_parse(int argc, char *const *argv, ag_options_t *options,
    ag_error_t *error);

/* The text of --help. */
extern const char  ag_options_help[];


#endif /* AG_OPTIONS_H */
