/*
 * base64url without padding.
 */

#include "base64.h"

#include <openssl/rand.h>


static int ag_base64_value(char c);


size_t
ag_base64_encode(char *out, const unsigned char *data, size_t len)
{
    char      *p;
    size_t     i;
    unsigned   bits, have;

    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    p = out;
    bits = 0;
    have = 0;

    for (i = 0; i < len; i++) {
        bits = (bits << 8 | data[i]) & 0xffff;

        for (have += 8; have >= 6; /* void */ ) {
            have -= 6;
            *p++ = alphabet[bits >> have & 0x3f];
        }
    }

    if (have) {
        *p++ = alphabet[bits << (6 - have) & 0x3f];
    }

    *p = '\0';

    return (size_t) (p - out);
}


int
ag_base64_decode(unsigned char *out, size_t *out_len, const char *text,
    size_t len)
{
    int        value;
    size_t     i, n;
    unsigned   bits, have;

    n = 0;
    bits = 0;
    have = 0;

    for (i = 0; i < len; i++) {
        value = ag_base64_value(text[i]);
        if (value < 0) {
            return AG_MALFORMED;
        }

        bits = (bits << 6 | (unsigned) value) & 0xffff;
        have += 6;

        if (have >= 8) {
            have -= 8;
            out[n++] = (unsigned char) (bits >> have & 0xff);
        }
    }

    /* six bits left over are a character too many; the rest must be zero */

    if (have == 6 || (bits & ((1U << have) - 1)) != 0) {
        return AG_MALFORMED;
    }

    *out_len = n;

    return AG_OK;
}


static int
ag_base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    if (c == '-') {
        return 62;
    }

    return c == '_' ? 63 : -1;
}


int
ag_base64_random_id(char id[23])
{
    unsigned char  bytes[16];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return AG_ERROR;
    }

    ag_base64_encode(id, bytes, sizeof(bytes));

    return AG_OK;
}
