
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_SEAL_H_INCLUDED_
#define _NGX_AGT_FLEET_SEAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "fleet/key.h"
#include "zone/denials.h"


/*
 * Seals entries of the fleet, and opens them: AES-256-GCM with a key that each
 * process derives for itself, HKDF-SHA256 of the file's key with 32 random
 * bytes as the salt.  A sealed text is
 *
 *     version, kind      a byte each
 *     salt               32 bytes, the same in all that a process seals
 *     nonce              12 bytes, a counter
 *     sealed bytes       as many as the text has
 *     tag                16 bytes
 *
 * Version, kind, the name of the fleet and the epoch are authenticated with it.
 * A later version keeps this frame, so that a text of a version that is not
 * known is told from one that was not sealed with a key of the fleet.
 */

#define NGX_AGT_FLEET_VERSION    1

/* bytes by which a sealed text is longer than the text */
#define NGX_AGT_FLEET_SEAL_LEN   (1 + 1 + 32 + 12 + 16)

/* bytes of the name of a fleet, at most */
#define NGX_AGT_FLEET_NAME_MAX   64


typedef struct ngx_agt_fleet_seal_s  ngx_agt_fleet_seal_t;


/*
 * Makes what a process needs to seal and to open for the fleet "name" (at most
 * NGX_AGT_FLEET_NAME_MAX bytes, copied) with the keys, which are copied to
 * locked pages of the process.  To be called after the fork, for two processes
 * must not seal with one derived key.  Returns NULL, with the cause logged.
 */
ngx_agt_fleet_seal_t *ngx_agt_fleet_seal_new(const ngx_agt_fleet_keys_t *keys,
    const ngx_str_t *name, ngx_log_t *log);

/*
 * From now on, seals for this epoch, and opens only texts that are sealed for
 * it: NGX_AGT_FLEET_EPOCH_LEN bytes, copied.  Until then, it is all zeros.
 */
void ngx_agt_fleet_seal_epoch(ngx_agt_fleet_seal_t *seal, const u_char *epoch);

/*
 * Zeroes and frees it; NULL is no error.
 */
void ngx_agt_fleet_seal_free(ngx_agt_fleet_seal_t *seal);

/*
 * Seals "plain" as a text of a kind (1 to 255) and writes plain->len +
 * NGX_AGT_FLEET_SEAL_LEN bytes to "out".  Returns NGX_OK, or NGX_ERROR where
 * libcrypto failed or all nonces are used up: "out" must not be sent then.
 */
ngx_int_t ngx_agt_fleet_seal_close(ngx_agt_fleet_seal_t *seal,
    ngx_uint_t kind, const ngx_str_t *plain, u_char *out);

/*
 * Opens a sealed text with any of the keys and writes sealed->len -
 * NGX_AGT_FLEET_SEAL_LEN bytes to "out", whose size is "max" bytes.  Sets
 * "*version" and "*kind" as the writer has sealed them.  Returns NGX_OK; or
 * NGX_DECLINED where the text was not sealed with a key of this fleet, under
 * its name, for its epoch, with that version and that kind, is too short, or
 * does not fit: it counts as missing, and "out" holds nothing of it.
 */
ngx_int_t ngx_agt_fleet_seal_open(ngx_agt_fleet_seal_t *seal,
    const ngx_str_t *sealed, u_char *out, size_t max, ngx_uint_t *version,
    ngx_uint_t *kind);

/*
 * Writes a name for what has the digest "digest" to "out"; both are of
 * NGX_AGT_DIGEST_LEN bytes.  The name is the same on all edges with the same
 * first key.  Without that key, a user of Redis who guesses the digest cannot
 * see that the guess is right.  Returns NGX_OK, or NGX_DECLINED where libcrypto
 * failed.
 */
ngx_int_t ngx_agt_fleet_seal_name(ngx_agt_fleet_seal_t *seal,
    const u_char *digest, u_char *out);


#endif /* _NGX_AGT_FLEET_SEAL_H_INCLUDED_ */
