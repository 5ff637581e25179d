
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include <dlfcn.h>
#include <openssl/evp.h>

#include "fleet/entry.h"


static void test_bytes(void);
static void test_bounds(void);
static void test_lengths(void);
static void test_marks(void);
static void test_random(void);
static void test_sealed(void);
static void test_versions(void);
static void make_denial(void);
static void make_mark(ngx_uint_t n);
static void make_poll(void);
static ngx_uint_t is_good(void);
static ngx_int_t decode(ngx_agt_fleet_kind_e kind, const u_char *p,
    size_t len);
static ngx_uint_t is_same(void);


static ngx_agt_fleet_entry_t  entry;
static ngx_agt_fleet_entry_t  read_back;
static ngx_agt_fleet_line_t   lines[NGX_AGT_FLEET_WRITERS + 1];
static ngx_agt_fleet_line_t   lines_back[NGX_AGT_FLEET_WRITERS + 1];
static u_char                 out[NGX_AGT_FLEET_ENTRY_MAX + 100];
static ngx_agt_fleet_seal_t  *seal;
static u_char                 version = NGX_AGT_FLEET_VERSION;


/* what is sealed is bound to "version", as a later version would do it */

int
EVP_CipherUpdate(EVP_CIPHER_CTX *ctx, unsigned char *o, int *outl,
    const unsigned char *in, int inl)
{
    u_char  bound[100];

    if (o == NULL && in[0] == NGX_AGT_FLEET_VERSION) {
        memcpy(bound, in, (size_t) inl);
        bound[0] = version;
        in = bound;
    }

    return ((__typeof__(&EVP_CipherUpdate))
            dlsym(RTLD_NEXT, "EVP_CipherUpdate"))(ctx, o, outl, in, inl);
}


int
main(int argc, char **argv)
{
    ngx_str_t             name = ngx_string("edge");
    ngx_agt_fleet_keys_t  keys;

    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 815);

    memset(&keys, 'k', sizeof(keys));
    keys.n = 1;

    seal = ngx_agt_fleet_seal_new(&keys, &name, &stub_log);
    if (seal == NULL) {
        return 1;
    }

    test_bytes();
    test_bounds();
    test_lengths();
    test_marks();
    test_random();
    test_sealed();
    test_versions();

    ngx_agt_fleet_seal_free(seal);

    return unit_done();
}


/* other versions have to read them, so they are written out here */

static void
test_bytes(void)
{
    u_char  expected[200], *p;

    unit_test("a denial has these bytes");

    make_denial();

    p = expected;
    memset(p, 'w', 16);
    memcpy(p + 16, "\x01\x02\x03\x04\x05\x06\x07\x08" "\0\x01\x51\x80"
           "\x03\x04\x01", 15);
    memset(p + 31, 'A', 32);
    memset(p + 63, 'K', 32);
    memcpy(p + 95, "\0\0\x01\x8b\xcf\xe5\x68\0", 8);
    memcpy(p + 103, "\0\0\0\0\x65\x53\xf1\0", 8);
    memcpy(p + 111, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8);

    unit_check(ngx_agt_fleet_entry_encode(&entry, out) == 119);
    unit_check(NGX_AGT_FLEET_DENIAL_LEN == 119);
    unit_check(memcmp(out, expected, 119) == 0);

    unit_test("a mark has these bytes");

    make_mark(2);

    memcpy(p + 28, "\0\0\x01\x8b\xcf\xe5\x68\0" "\0\0\0\0\0\0\x01\x02"
           "\0\x02", 18);
    memset(p + 46, 0, 16);
    memcpy(p + 62, "\0\0\0\0\0\0\0\x01" "\0\0\0\0\0\0\0\0", 16);
    memset(p + 78, 1, 16);
    memcpy(p + 94, "\0\0\0\0\0\0\0\x02" "\0\0\0\0\0\0\0\x09", 16);

    unit_check(ngx_agt_fleet_entry_encode(&entry, out) == 110);
    unit_check(memcmp(out, expected, 110) == 0);

    unit_test("a poll has these bytes");

    make_poll();

    memset(p + 28, 'F', 32);
    memcpy(p + 60, "\0\0\x01\x8b\xcf\xe5\x68\0" "\0\0\0\0\0\0\x01\x02"
           "\x01", 17);

    unit_check(ngx_agt_fleet_entry_encode(&entry, out) == 77);
    unit_check(NGX_AGT_FLEET_POLL_LEN == 77);
    unit_check(memcmp(out, expected, 77) == 0);

    unit_test("two kinds are their writer, number and leeway alone");

    entry.kind = NGX_AGT_FLEET_RESEND;
    unit_check(ngx_agt_fleet_entry_encode(&entry, out) == 28);
    unit_check(memcmp(out, expected, 28) == 0);

    entry.kind = NGX_AGT_FLEET_EMPTY;
    unit_check(ngx_agt_fleet_entry_encode(&entry, out) == 28);
    unit_check(memcmp(out, expected, 28) == 0);
}


static void
test_bounds(void)
{
    ngx_uint_t  i;

    unit_test("members out of their bounds are not written, and not read");

    for (i = 0; i < 4; i++) {
        make_denial();
        entry.u.denial.kind = i;
        unit_check(is_good());
    }

    make_denial();
    entry.u.denial.kind = 4;
    unit_check(!is_good());

    for (i = 1; i <= NGX_AGT_DENIED_BY_HOOK; i++) {
        make_denial();
        entry.u.denial.source = i;
        unit_check(is_good());
    }

    make_denial();
    entry.u.denial.source = NGX_AGT_ASKED_ABOUT;
    unit_check(!is_good());

    entry.u.denial.source = NGX_AGT_DENIED_BY_HOOK + 1;
    unit_check(!is_good());

    make_denial();
    entry.u.denial.unknown = 2;
    unit_check(!is_good());

    make_denial();
    entry.u.denial.made = 0x7fffffffffffffff;
    unit_check(is_good());
    entry.u.denial.made = 0x8000000000000000;
    unit_check(!is_good());

    make_denial();
    entry.u.denial.exp = (int64_t) 0x8000000000000000;
    entry.u.denial.before = 0x7fffffffffffffff;
    unit_check(is_good());

    make_denial();
    entry.number = 0;
    unit_check(!is_good());
    entry.number = 1;
    unit_check(is_good());
    entry.number = 0x7fffffffffffffff;
    unit_check(is_good());
    entry.number = 0x8000000000000000;
    unit_check(!is_good());

    make_denial();
    entry.leeway = 0;
    unit_check(is_good());
    entry.leeway = NGX_AGT_FLEET_LEEWAY + 1;
    unit_check(!is_good());

    make_denial();
    entry.kind = 0;
    unit_check(ngx_agt_fleet_entry_encode(&entry, out) == 0);
    entry.kind = NGX_AGT_FLEET_POLL + 1;
    unit_check(ngx_agt_fleet_entry_encode(&entry, out) == 0);

    make_mark(1);
    entry.u.mark.start = 0x7fffffffffffffff;
    entry.u.mark.gone = 0xffffffffff;
    unit_check(is_good());
    entry.u.mark.start++;
    unit_check(!is_good());
    entry.u.mark.start--;
    entry.u.mark.gone++;
    unit_check(!is_good());

    make_poll();
    entry.u.poll.start = 0x7fffffffffffffff;
    entry.u.poll.duration = 0x7fffffffffffffff;
    entry.u.poll.incomplete = 0;
    unit_check(is_good());
    entry.u.poll.start++;
    unit_check(!is_good());
    entry.u.poll.start--;
    entry.u.poll.duration++;
    unit_check(!is_good());
    entry.u.poll.duration--;
    entry.u.poll.incomplete = 2;
    unit_check(!is_good());

    make_mark(1);
    lines[0].first = 0;
    unit_check(!is_good());
    lines[0].first = 10;
    lines[0].last = 9;
    unit_check(is_good());
    lines[0].first = 11;
    unit_check(!is_good());
    lines[0].first = 0x8000000000000000;
    lines[0].last = 0x7fffffffffffffff;
    unit_check(is_good());
    lines[0].last = 0x8000000000000000;
    unit_check(!is_good());
    lines[0].last = 0xffffffffffffffff;
    unit_check(!is_good());
}


static void
test_lengths(void)
{
    size_t  len, good;

    unit_test("an entry has no byte too few, and none too many");

    make_denial();
    good = ngx_agt_fleet_entry_encode(&entry, out);

    for (len = 0; len < good + 50; len++) {
        unit_check((decode(NGX_AGT_FLEET_DENIAL, out, len) == NGX_OK)
                   == (len == good));
        unit_check((decode(NGX_AGT_FLEET_RESEND, out, len) == NGX_OK)
                   == (len == 28));
        unit_check((decode(NGX_AGT_FLEET_EMPTY, out, len) == NGX_OK)
                   == (len == 28));
        unit_check(decode(0, out, len) == NGX_DECLINED);
        unit_check(decode(NGX_AGT_FLEET_POLL + 1, out, len) == NGX_DECLINED);
    }

    make_poll();
    good = ngx_agt_fleet_entry_encode(&entry, out);

    for (len = 0; len < good + 50; len++) {
        unit_check((decode(NGX_AGT_FLEET_POLL, out, len) == NGX_OK)
                   == (len == good));
    }

    make_mark(3);
    good = ngx_agt_fleet_entry_encode(&entry, out);

    for (len = 0; len < good + 50; len++) {
        unit_check((decode(NGX_AGT_FLEET_MARK, out, len) == NGX_OK)
                   == (len == good));
    }
}


static void
test_marks(void)
{
    size_t  len;

    unit_test("a mark has at most as many lines as there may be writers");

    make_mark(0);
    unit_check(is_good());

    make_mark(NGX_AGT_FLEET_WRITERS);
    unit_check(is_good());
    unit_check(ngx_agt_fleet_entry_encode(&entry, out)
               == NGX_AGT_FLEET_PLAIN_MAX);

    make_mark(NGX_AGT_FLEET_WRITERS + 1);
    unit_check(ngx_agt_fleet_entry_encode(&entry, out) == 0);

    /* one line too many, as another version might write it */

    make_mark(NGX_AGT_FLEET_WRITERS);
    len = ngx_agt_fleet_entry_encode(&entry, out);
    out[28 + 16 + 1]++;
    memcpy(out + len, out + len - 32, 32);

    lines_back[NGX_AGT_FLEET_WRITERS].last = 0x5a5a;
    unit_check(decode(NGX_AGT_FLEET_MARK, out, len + 32) == NGX_DECLINED);
    unit_check(lines_back[NGX_AGT_FLEET_WRITERS].last == 0x5a5a);
}


static void
test_random(void)
{
    size_t      len, i;
    u_char      bytes[300];
    ngx_uint_t  n, kind, good;

    unit_test("what is read is written again in the same bytes");

    good = 0;

    for (n = 0; n < 200000; n++) {
        make_denial();

        if (n % 2) {
            make_mark(n % 8);

        } else if (n % 4 == 0) {
            make_poll();
        }

        len = ngx_agt_fleet_entry_encode(&entry, bytes);
        kind = entry.kind;

        for (i = stub_below(4); i; i--) {
            bytes[stub_below(len)] = (u_char) stub_random();
        }

        if (decode(kind, bytes, len) == NGX_OK) {
            entry = read_back;
            good++;

            unit_check(ngx_agt_fleet_entry_encode(&entry, out) == len);
            unit_check(memcmp(out, bytes, len) == 0);
        }
    }

    unit_check(good > 1000 && good < 199000);
}


static void
test_sealed(void)
{
    size_t     len, i;
    ngx_str_t  sealed;

    unit_test("an entry is sealed and opened");

    make_denial();
    len = ngx_agt_fleet_entry_seal(seal, &entry, out, sizeof(out));
    unit_check(len == NGX_AGT_FLEET_DENIAL_LEN + NGX_AGT_FLEET_SEAL_LEN);

    /* of the writer, the API and the denial nothing can be read */

    unit_check(memmem(out, len, "www", 3) == NULL);
    unit_check(memmem(out, len, "AAA", 3) == NULL);
    unit_check(memmem(out, len, "KKK", 3) == NULL);

    sealed.data = out;
    sealed.len = len;

    unit_check(ngx_agt_fleet_entry_open(seal, &sealed, &read_back, lines_back)
               == NGX_OK);
    unit_check(is_same());

    unit_check(ngx_agt_fleet_entry_seal(seal, &entry, out, len - 1) == 0);
    unit_check(ngx_agt_fleet_entry_seal(seal, &entry, out, len) == len);

    make_mark(NGX_AGT_FLEET_WRITERS);
    sealed.len = ngx_agt_fleet_entry_seal(seal, &entry, out, sizeof(out));
    unit_check(sealed.len == NGX_AGT_FLEET_ENTRY_MAX);
    unit_check(ngx_agt_fleet_entry_open(seal, &sealed, &read_back, lines_back)
               == NGX_OK);
    unit_check(is_same());

    make_poll();
    sealed.len = ngx_agt_fleet_entry_seal(seal, &entry, out, sizeof(out));
    unit_check(memmem(out, sealed.len, "FFF", 3) == NULL);
    unit_check(ngx_agt_fleet_entry_open(seal, &sealed, &read_back, lines_back)
               == NGX_OK);
    unit_check(is_same());

    unit_test("an entry that breaks the bounds is not sealed");

    entry.number = 0;
    unit_check(ngx_agt_fleet_entry_seal(seal, &entry, out, sizeof(out)) == 0);

    unit_test("a sealed entry of another kind, or that was changed, is none");

    make_denial();
    sealed.len = ngx_agt_fleet_entry_seal(seal, &entry, out, sizeof(out));

    for (i = 0; i < sealed.len; i++) {
        out[i] ^= 1;
        unit_check(ngx_agt_fleet_entry_open(seal, &sealed, &read_back,
                                            lines_back) == NGX_DECLINED);
        out[i] ^= 1;
    }

    out[1] = NGX_AGT_FLEET_RESEND;
    unit_check(ngx_agt_fleet_entry_open(seal, &sealed, &read_back, lines_back)
               == NGX_DECLINED);
}


/* a later version of the module, which seals with the same key */

static void
test_versions(void)
{
    ngx_uint_t  kind;
    ngx_str_t   plain, sealed;

    unit_test("a kind that is not known is told from what is no entry");

    make_denial();
    plain.data = out + 1000;
    plain.len = ngx_agt_fleet_entry_encode(&entry, plain.data);

    sealed.data = out;
    sealed.len = plain.len + NGX_AGT_FLEET_SEAL_LEN;

    for (kind = 0; kind < 256; kind++) {
        unit_check(ngx_agt_fleet_seal_close(seal, kind, &plain, out)
                   == NGX_OK);
        unit_check(ngx_agt_fleet_entry_open(seal, &sealed, &read_back,
                                            lines_back)
                   == (kind == NGX_AGT_FLEET_DENIAL ? NGX_OK
                       : kind == 0 || kind > NGX_AGT_FLEET_POLL ? NGX_ABORT
                       : NGX_DECLINED));

        /* its version cannot be changed without the key */

        out[0]++;
        unit_check(ngx_agt_fleet_entry_open(seal, &sealed, &read_back,
                                            lines_back) == NGX_DECLINED);
    }

    unit_test("so is a version that is not known");

    for (version = 2; version; version++) {
        unit_check(ngx_agt_fleet_seal_close(seal, NGX_AGT_FLEET_DENIAL, &plain,
                                            out) == NGX_OK);

        out[0] = version;
        unit_check(ngx_agt_fleet_entry_open(seal, &sealed, &read_back,
                                            lines_back) == NGX_ABORT);
    }

    version = NGX_AGT_FLEET_VERSION;
}


static void
make_denial(void)
{
    memset(&entry, 0, sizeof(entry));

    entry.kind = NGX_AGT_FLEET_DENIAL;
    memset(entry.writer, 'w', sizeof(entry.writer));
    entry.number = 0x0102030405060708;
    entry.leeway = NGX_AGT_FLEET_LEEWAY;

    memset(entry.u.denial.api, 'A', NGX_AGT_DIGEST_LEN);
    memset(entry.u.denial.key, 'K', NGX_AGT_DIGEST_LEN);
    entry.u.denial.made = 1700000000000;
    entry.u.denial.exp = 1700000000;
    entry.u.denial.before = -2;
    entry.u.denial.kind = NGX_AGT_DENIAL_SUBJECT;
    entry.u.denial.source = NGX_AGT_DENIED_BY_HOOK;
    entry.u.denial.unknown = 1;
}


static void
make_mark(ngx_uint_t n)
{
    ngx_uint_t  i;

    make_denial();

    entry.kind = NGX_AGT_FLEET_MARK;
    memset(&entry.u, 0, sizeof(entry.u));
    entry.u.mark.start = 1700000000000;
    entry.u.mark.gone = 258;
    entry.u.mark.n = n;
    entry.u.mark.lines = lines;

    for (i = 0; i < n; i++) {
        memset(lines[i].writer, (int) i, NGX_AGT_FLEET_WRITER_LEN);
        lines[i].first = i + 1;
        lines[i].last = i * 9;
    }
}


static void
make_poll(void)
{
    make_denial();

    entry.kind = NGX_AGT_FLEET_POLL;
    memset(&entry.u, 0, sizeof(entry.u));
    memset(entry.u.poll.id, 'F', NGX_AGT_DIGEST_LEN);
    entry.u.poll.start = 1700000000000;
    entry.u.poll.duration = 258;
    entry.u.poll.incomplete = 1;
}


/* written, and read back as it was; or neither */

static ngx_uint_t
is_good(void)
{
    size_t                 len;
    ngx_agt_fleet_entry_t  wrong;

    static u_char  bytes[NGX_AGT_FLEET_PLAIN_MAX];

    len = ngx_agt_fleet_entry_encode(&entry, bytes);

    if (len) {
        return decode(entry.kind, bytes, len) == NGX_OK && is_same();
    }

    /* the same bytes from a writer that knows no bounds */

    wrong = entry;

    if (entry.kind == NGX_AGT_FLEET_DENIAL) {
        make_denial();
        len = ngx_agt_fleet_entry_encode(&entry, bytes);
        bytes[28] = (u_char) wrong.u.denial.kind;
        bytes[29] = (u_char) wrong.u.denial.source;
        bytes[30] = (u_char) wrong.u.denial.unknown;
        bytes[95] = (u_char) (wrong.u.denial.made >> 56);

    } else if (entry.kind == NGX_AGT_FLEET_POLL) {
        make_poll();
        len = ngx_agt_fleet_entry_encode(&entry, bytes);
        bytes[60] = (u_char) (wrong.u.poll.start >> 56);
        bytes[68] = (u_char) (wrong.u.poll.duration >> 56);
        bytes[76] = (u_char) wrong.u.poll.incomplete;

    } else {
        ngx_agt_fleet_line_t  line;

        line = lines[0];
        make_mark(1);
        len = ngx_agt_fleet_entry_encode(&entry, bytes);
        lines[0] = line;

        bytes[28] = (u_char) (wrong.u.mark.start >> 56);
        bytes[38] = (u_char) (wrong.u.mark.gone >> 40);
        bytes[62] = (u_char) (line.first >> 56);
        bytes[69] = (u_char) line.first;
        bytes[70] = (u_char) (line.last >> 56);
        bytes[77] = (u_char) line.last;
    }

    bytes[16] = (u_char) (wrong.number >> 56);
    bytes[22] = (u_char) (wrong.number >> 8);
    bytes[23] = (u_char) wrong.number;
    memset(&bytes[17], 0, wrong.number ? 0 : 5);
    bytes[27] = (u_char) wrong.leeway;

    entry = wrong;

    unit_check(decode(entry.kind, bytes, len) == NGX_DECLINED);

    return 0;
}


static ngx_int_t
decode(ngx_agt_fleet_kind_e kind, const u_char *p, size_t len)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = unit_copy(p, len);
    memset(&read_back, 0, sizeof(read_back));

    rc = ngx_agt_fleet_entry_decode(kind, &copy, &read_back, lines_back);

    free(copy.data);

    return rc;
}


static ngx_uint_t
is_same(void)
{
    ngx_agt_feed_poll_t     *poll, *p;
    ngx_agt_fleet_mark_t    *mark, *m;
    ngx_agt_fleet_denial_t  *denial, *d;

    if (entry.kind != read_back.kind || entry.number != read_back.number
        || entry.leeway != read_back.leeway
        || memcmp(entry.writer, read_back.writer, sizeof(entry.writer)) != 0)
    {
        return 0;
    }

    if (entry.kind == NGX_AGT_FLEET_DENIAL) {
        denial = &entry.u.denial;
        d = &read_back.u.denial;

        return memcmp(denial->api, d->api, NGX_AGT_DIGEST_LEN) == 0
               && memcmp(denial->key, d->key, NGX_AGT_DIGEST_LEN) == 0
               && denial->made == d->made && denial->exp == d->exp
               && denial->before == d->before && denial->kind == d->kind
               && denial->source == d->source
               && denial->unknown == d->unknown;
    }

    if (entry.kind == NGX_AGT_FLEET_POLL) {
        poll = &entry.u.poll;
        p = &read_back.u.poll;

        return memcmp(poll->id, p->id, NGX_AGT_DIGEST_LEN) == 0
               && poll->start == p->start && poll->duration == p->duration
               && poll->incomplete == p->incomplete;
    }

    mark = &entry.u.mark;
    m = &read_back.u.mark;

    return mark->start == m->start && mark->gone == m->gone
           && mark->n == m->n && m->lines == lines_back
           && memcmp(mark->lines, m->lines,
                     mark->n * sizeof(ngx_agt_fleet_line_t)) == 0;
}
