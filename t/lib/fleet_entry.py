#!/usr/bin/env python3
"""Writes an entry of a fleet, sealed as the module seals it.

    fleet_entry.py KEY NAME EPOCH VERSION KIND PLAIN

EPOCH is as it stands in Redis, KEY and PLAIN are in hexadecimal digits.  What is written is binary, for
"redis-cli -x".
"""

import ctypes
import ctypes.util
import hashlib
import hmac
import os
import sys

AEAD_GET_TAG = 0x10


def check(result):
    if not result:
        raise SystemExit('libcrypto failed')

    return result


def gcm(key, nonce, bound, plain):
    c = ctypes.CDLL(ctypes.util.find_library('crypto'))

    c.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
    c.EVP_aes_256_gcm.restype = ctypes.c_void_p

    ctx = ctypes.c_void_p(check(c.EVP_CIPHER_CTX_new()))
    out = ctypes.create_string_buffer(len(plain) + 16)
    tag = ctypes.create_string_buffer(16)
    n = ctypes.c_int()

    check(c.EVP_EncryptInit_ex(ctx, ctypes.c_void_p(c.EVP_aes_256_gcm()),
                               None, key, nonce))
    check(c.EVP_EncryptUpdate(ctx, None, ctypes.byref(n), bound, len(bound)))
    check(c.EVP_EncryptUpdate(ctx, out, ctypes.byref(n), plain, len(plain)))
    check(c.EVP_EncryptFinal_ex(ctx, ctypes.byref(out, len(plain)),
                                ctypes.byref(n)))
    check(c.EVP_CIPHER_CTX_ctrl(ctx, AEAD_GET_TAG, 16, tag))

    return out.raw[:len(plain)] + tag.raw


def main():
    key, name, epoch, version, kind, plain = sys.argv[1:]

    salt, nonce = os.urandom(32), os.urandom(12)
    front = bytes([int(version), int(kind)])

    secret = hmac.new(salt, bytes.fromhex(key), hashlib.sha256).digest()
    secret = hmac.new(secret, b'agilicus fleet\1', hashlib.sha256).digest()

    bound = front + bytes([len(name)]) + name.encode() + epoch.encode()
    sealed = gcm(secret, nonce, bound, bytes.fromhex(plain))

    sys.stdout.buffer.write(front + salt + nonce + sealed)


if __name__ == '__main__':
    main()
