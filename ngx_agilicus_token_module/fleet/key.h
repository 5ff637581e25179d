
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_KEY_H_INCLUDED_
#define _NGX_AGT_FLEET_KEY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The keys of a fleet.  A key is 32 random bytes, which stand in a file as 64
 * hexadecimal digits and a line break:
 *
 *     (umask 077; openssl rand -hex 32 > fleet.key)
 *
 * The first key seals, and every key opens.  The keys lie on pages of their
 * own, which are locked in memory, are left out of core dumps, and are zeroed
 * when they are freed.
 */

#define NGX_AGT_FLEET_KEY_LEN  32
#define NGX_AGT_FLEET_KEYS     2


typedef struct {
    ngx_uint_t  n;
    u_char      keys[NGX_AGT_FLEET_KEYS][NGX_AGT_FLEET_KEY_LEN];
} ngx_agt_fleet_keys_t;


/*
 * Makes room for the keys of a fleet, without any key as yet.  Returns NULL
 * where there is no memory, with the cause logged; the caller frees the keys
 * with ngx_agt_fleet_keys_free().
 */
ngx_agt_fleet_keys_t *ngx_agt_fleet_keys_new(ngx_log_t *log);

/*
 * Zeroes and frees the keys; NULL is no error.
 */
void ngx_agt_fleet_keys_free(ngx_agt_fleet_keys_t *keys);

/*
 * Reads a key from the file "name" (terminated by a zero byte) and puts it
 * behind those that are there.  Returns NULL, or the reason for which the file
 * is refused, as the end of a sentence that begins with the name of the file
 * and says how to mend it; "*err" is then the error of the system, or 0.  There
 * is no room for more than NGX_AGT_FLEET_KEYS keys.
 */
const char *ngx_agt_fleet_keys_read(ngx_agt_fleet_keys_t *keys,
    const char *name, ngx_err_t *err);

/*
 * Maps "size" bytes of pages for secrets, zeroed, locked in memory, and left
 * out of core dumps.  Where the system refuses the lock, this is logged as a
 * warning, and the pages are used all the same.  Returns NULL where there is no
 * memory, with the cause logged; ngx_agt_fleet_pages_free() zeroes the pages
 * and unmaps them.
 */
void *ngx_agt_fleet_pages(size_t size, ngx_log_t *log);
void ngx_agt_fleet_pages_free(void *pages, size_t size);


#endif /* _NGX_AGT_FLEET_KEY_H_INCLUDED_ */
