/*
 * base64url without padding (RFC 4648 section 5, RFC 7515).
 */

#ifndef AG_BASE64_H
#define AG_BASE64_H


#include "common.h"


/* Characters that len bytes make, without the closing NUL. */
#define ag_base64_length(len)  (((len) * 4 + 2) / 3)


/*
 * Writes ag_base64_length(len) characters and a NUL to out. Returns the
 * number of characters.
 */
size_t ag_base64_encode(char *out, const unsigned char *data, size_t len);

/*
 * Decodes len characters into out, which has room for len bytes. Strict: no
 * padding, no foreign character, and the unused bits of the last character
 * are zero, so that one value has one spelling. AG_OK or AG_MALFORMED.
 */
int ag_base64_decode(unsigned char *out, size_t *out_len, const char *text,
    size_t len);

/*
 * Writes a fresh identifier of 128 random bits to id: 22 characters and a
 * NUL. AG_OK, or AG_ERROR when the system has no randomness.
 */
int ag_base64_random_id(char id[23]);


#endif /* AG_BASE64_H */
