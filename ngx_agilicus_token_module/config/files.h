
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_FILES_H_INCLUDED_
#define _NGX_AGT_CONFIG_FILES_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/* a certificate, key or credential, read by the master */

typedef struct {
    ngx_str_t                          name;
    ngx_str_t                          content;
    ngx_uint_t                         exposed;    /* all users can read it */
} ngx_agt_file_t;


/*
 * The files that the master reads at start: certificates, keys and credentials.
 * A file that several locations name is read once in a cycle.  Its content lies
 * on pages of its own, which are left out of cores, are zeroed at the end of
 * the cycle, and belong to the cycle's pool.
 */

/*
 * Reads the file of certificates that a setting names, or of a private key if
 * "key" is set, which only the owner and the group of the file may read.
 * Sets "content" and returns NGX_OK.  Returns NGX_ERROR, with the cause logged
 * at the place of the setting, for a file that cannot be read, is no regular
 * file, is empty or too large, or holds no such thing in PEM.
 */
ngx_int_t ngx_agt_file_read_pem(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_uint_t key, ngx_str_t *content);

/*
 * Reads the credential of this edge, likewise.  The file must not be readable
 * by every user.  It has one bearer token (RFC 6750, section 2.1), and line
 * breaks behind it at most.
 */
ngx_int_t ngx_agt_file_read_credential(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_str_t *content);

/*
 * Reads a password, likewise.  The file must not be readable by every user.  It
 * has one line of text.
 */
ngx_int_t ngx_agt_file_read_password(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_str_t *content);

/*
 * Reads a file of public keys on P-256 in PEM, likewise.  Every user may read
 * it.  "keys" has places for NGX_AGT_ES256_KEYS; "*n" is set to their number.
 */
ngx_int_t ngx_agt_file_read_keys(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_agt_key_t *keys, ngx_uint_t *n);


#endif /* _NGX_AGT_CONFIG_FILES_H_INCLUDED_ */
