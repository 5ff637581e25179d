
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/children.h"
#include "zone/seal.h"


#define TOKEN    NGX_AGT_DENIAL_TOKEN
#define JTI      NGX_AGT_DENIAL_JTI
#define SESSION  NGX_AGT_DENIAL_SESSION
#define SUBJECT  NGX_AGT_DENIAL_SUBJECT


static void test_add(void);
static void test_kinds(void);
static void test_late(void);
static void test_chain(void);
static void test_replace(void);
static void test_note(void);
static void test_young(void);
static void test_end(void);
static void test_compare(void);
static void test_raw(void);
static void test_full(void);
static void test_long(void);
static void test_crowded(void);
static void test_no_digest(void);
static void start(void);
static ngx_int_t add(const char *child, const char *parent,
    const char *purpose);
static void deny(ngx_agt_denial_kind_e kind, const char *value);
static void note(const char *child, const char *jti, int64_t exp);
static ngx_uint_t count(const char *child, uint32_t state);
static ngx_uint_t due(const char *child);
static ngx_uint_t live(const char *child);
static ngx_uint_t denied(const char *child, const char *jti);
static ngx_agt_ledger_record_t *record(const char *child);
static void digest(u_char *out, const char *name);


static ngx_agt_denials_t  *denials;
static ngx_agt_clock_t     now;
static ngx_agt_facts_t     facts;
static const u_char                   api[32] = "an API";
static const u_char                   elsewhere[32] = "another API";
static const char                    *iat;
static size_t                         padding;
static const char                    *raw;


int
main(void)
{
    test_no_digest();

    if (ngx_agt_seal_init(&stub_log) != NGX_OK) {
        return 1;
    }

    test_add();
    test_kinds();
    test_late();
    test_chain();
    test_replace();
    test_note();
    test_young();
    test_end();
    test_compare();
    test_raw();
    test_full();
    test_long();
    test_crowded();

    stub_denials_free(denials);

    return unit_done();
}


static void
test_add(void)
{
    u_char                    own[32], plain[64];
    ngx_str_t                 sealed, bound;
    ngx_agt_ledger_use_t      use;
    ngx_agt_ledger_record_t  *r;

    unit_test("a child has a record before it is handed out");

    start();

    unit_check(add("child", "parent", "p") == NGX_OK);
    unit_check(live("child") == 1 && due("child") == 0);
    unit_check(!denied("child", NULL));

    unit_test("its token is sealed, and bound to its record");

    r = record("child");
    sealed.data = r->token;
    sealed.len = r->len;
    bound.data = r->key;
    bound.len = sizeof(r->key);

    unit_check(ngx_agt_seal_decrypt(&sealed, &bound, plain) == NGX_OK);
    unit_check(memcmp(plain, "token child", 11) == 0);
    unit_check(memmem(denials->ledger, denials->sh->ledger_size,
                      "token child", 11) == NULL);

    digest(own, "another");
    bound.data = own;
    unit_check(ngx_agt_seal_decrypt(&sealed, &bound, plain) != NGX_OK);

    unit_test("the same child of the same parent has one record");

    unit_check(add("child", "parent", "p") == NGX_OK);
    unit_check(live("child") == 1);
    unit_check(add("child", "other parent", "p") == NGX_OK);
    unit_check(live("child") == 2);

    raw = "raw";
    unit_check(add("child", "parent", "p") == NGX_OK);
    unit_check(live("child") == 3);
    raw = NULL;

    unit_test("a token is no child of its own");

    ngx_agt_ledger_use(denials->ledger, &use);
    unit_check(add("parent", "parent", "p") == NGX_ABORT);
    unit_check(live("parent") == 0);

    unit_test("a created token has no parent");

    unit_check(add("made", NULL, "c") == NGX_OK);
    unit_check(live("made") == 1);
}


static void
test_kinds(void)
{
    ngx_uint_t  i;

    static const struct {
        ngx_agt_denial_kind_e  kind;
        const char          *value;
        const char          *other;
    } kinds[] = {
        { TOKEN, "parent", "parent2" },
        { JTI, "jti-parent", "session-parent" },
        { SESSION, "session-parent", "jti-parent" },
        { SUBJECT, "sub-parent", "sub-parent2" }
    };

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        unit_test("a child ends with its parent, by whatever that is denied");

        start();
        (void) add("child", "parent", "p");
        (void) add("stranger", "stranger's", "p2");
        note("child", "own jti", 0);

        deny(kinds[i].kind, kinds[i].other);
        unit_check_note(live("child") == 1, kinds[i].other);

        deny(kinds[i].kind, kinds[i].value);
        unit_check_note(due("child") == 1 && live("child") == 0,
                        kinds[i].value);
        unit_check_note(denied("child", NULL), kinds[i].value);
        unit_check_note(denied("unseen", "own jti"), kinds[i].value);
        unit_check_note(live("stranger") == 1 && !denied("stranger", NULL),
                        kinds[i].value);
        unit_check(denials->ledger->wake == 0);
    }
}


static void
test_late(void)
{
    unit_test("a child of a parent that is denied by now is not handed out");

    start();
    deny(TOKEN, "parent");

    unit_check(add("child", "parent", "p") == NGX_DECLINED);
    unit_check(due("child") == 1 && live("child") == 0);
    unit_check(denied("child", NULL));

    unit_test("a child that has ended is not handed out again");

    unit_check(add("child", "parent", "p") == NGX_ABORT);
    unit_check(add("child", "other", "p") == NGX_ABORT);
    unit_check(due("child") == 1 && live("child") == 0);

    unit_test("a parent that came after its subject was denied may have one");

    start();
    deny(SUBJECT, "sub-parent");

    iat = "later";
    now.mono += 1000;
    unit_check(add("child", "parent", "p") == NGX_OK);
    unit_check(live("child") == 1);

    unit_test("one that does not tell when it was issued may not");

    iat = "none";
    unit_check(add("other", "parent", "q") == NGX_DECLINED);
    unit_check(due("other") == 1);
}


static void
test_chain(void)
{
    char        child[16], parent[16];
    ngx_uint_t  i;

    unit_test("children of children end too, however many there are");

    start();

    for (i = 1; i < 40; i++) {
        (void) snprintf(child, sizeof(child), "c%u", (unsigned) (40 - i));
        (void) snprintf(parent, sizeof(parent), "c%u", (unsigned) (39 - i));

        unit_check(add(child, parent, child) == NGX_OK);
    }

    deny(TOKEN, "c10");

    for (i = 1; i < 40; i++) {
        (void) snprintf(child, sizeof(child), "c%u", (unsigned) i);
        unit_check_note(due(child) == (i > 10), child);
        unit_check_note(denied(child, NULL) == (i >= 10), child);
    }

    unit_test("children of a child that is denied by its jti");

    start();
    (void) add("child", "parent", "p");
    note("child", "own jti", 0);
    (void) add("grandchild", "child", "g");

    deny(TOKEN, "parent");
    unit_check(due("grandchild") == 1);
}


static void
test_replace(void)
{
    unit_test("a newer child for the same purpose takes the place of others");

    start();
    (void) add("first", "parent", "p");
    (void) add("elsewhere", "parent", "q");
    (void) add("second", "parent", "p");

    unit_check(record("first")->retire == now.mono + NGX_AGT_CHILDREN_GRACE);
    unit_check(record("second")->retire == 0);
    unit_check(record("elsewhere")->retire == 0);
    unit_check(live("first") == 1 && !denied("first", NULL));

    unit_test("one that comes back has its place again");

    (void) add("first", "parent", "p");
    unit_check(record("first")->retire == 0);
    unit_check(record("second")->retire != 0);

    unit_test("one whose place was taken ends with its parent at once");

    deny(SESSION, "session-parent");
    unit_check(due("first") == 1 && due("second") == 1);
    unit_check(due("elsewhere") == 1);
}


static void
test_note(void)
{
    ngx_agt_ledger_record_t  *r;

    unit_test("a record ends with its token, on both clocks");

    start();
    (void) add("child", "parent", "p");

    unit_check(record("child")->wall == now.wall + 86400);
    note("child", "jti", now.wall + 600);
    unit_check(record("child")->wall == now.wall + 600);
    unit_check(record("child")->mono == now.mono + 600000);

    unit_test("the end that the API has told stays when a child comes again");

    unit_check(add("child", "parent", "p") == NGX_OK);
    unit_check(record("child")->wall == now.wall + 600);

    unit_test("a child without a jti keeps what was known of it");

    note("child", "", 0);
    unit_check(record("child")->wall == now.wall + 600);
    unit_check(record("child")->flags & NGX_AGT_LEDGER_HAS_JTI);

    unit_test("the record of a sign-out is not a child's");

    r = record("child");
    r->flags &= ~(uint32_t) (NGX_AGT_LEDGER_CHILD | NGX_AGT_LEDGER_HAS_JTI);
    note("child", "jti", now.wall + 60);
    unit_check(record("child")->wall == now.wall + 600);
    unit_check(!(record("child")->flags & NGX_AGT_LEDGER_HAS_JTI));
    r->flags |= NGX_AGT_LEDGER_CHILD;

    unit_test("that of a token without an exp begins again when it ends");

    (void) add("endless", "parent", "e");
    note("endless", "jti2", 0);
    now.wall += 100;
    now.mono += 100000;
    deny(TOKEN, "parent");

    unit_check(record("child")->wall == now.wall + 500);
    unit_check(record("endless")->wall == now.wall + 86400);
}


static void
test_young(void)
{
    u_char  own[32];

    unit_test("an API may not know a child for ten seconds");

    start();
    digest(own, "child");
    unit_check(!ngx_agt_children_young(denials, api, own, &now));

    (void) add("child", "parent", "p");
    unit_check(ngx_agt_children_young(denials, api, own, &now));
    unit_check(!ngx_agt_children_young(denials, elsewhere, own, &now));

    now.mono += NGX_AGT_CHILDREN_YOUNG - 1;
    unit_check(ngx_agt_children_young(denials, api, own, &now));

    now.mono++;
    unit_check(!ngx_agt_children_young(denials, api, own, &now));

    digest(own, "other");
    (void) add("child2", "parent", "p2");
    unit_check(!ngx_agt_children_young(denials, api, own, &now));

    unit_test("the API has told of a child that has ended");

    digest(own, "child2");
    unit_check(ngx_agt_children_young(denials, api, own, &now));
    ngx_agt_children_end(denials, api, own, &now);
    unit_check(!ngx_agt_children_young(denials, api, own, &now));
}


static void
test_end(void)
{
    u_char  own[32], purpose[32];

    unit_test("a child that the API refuses ends");

    start();
    (void) add("one", "parent", "p");
    (void) add("two", "parent", "p");
    (void) add("three", "parent", "q");
    (void) add("four", "parent", "r");

    digest(own, "three");
    ngx_agt_children_end(denials, api, own, &now);

    unit_check(due("three") == 1 && denied("three", NULL));
    unit_check(live("one") == 1 && live("two") == 1);

    unit_test("one that is refused again is not due sooner");

    record("three")->next = now.mono + 5000;
    ngx_agt_children_end(denials, api, own, &now);
    unit_check(record("three")->next == now.mono + 5000);

    unit_test("all children end for a purpose that is refused by now");

    digest(purpose, "p");
    ngx_agt_children_end_all(denials, purpose, &now);

    unit_check(due("one") == 1 && due("two") == 1);
    unit_check(denied("one", NULL) && denied("two", NULL));
    unit_check(live("four") == 1 && !denied("four", NULL));
}


static void
test_compare(void)
{
    unit_test("denials whose children were not looked for are compared");

    start();
    (void) add("child", "parent", "p");
    (void) add("grandchild", "child", "g");
    (void) add("brother", "parent", "b");
    (void) add("stranger", "stranger's", "s");

    unit_check(denials->ledger->compared == denials->sh->generation);

    /* as if the process had died before it got to the children */

    deny(JTI, "jti-parent");
    record("brother")->next = now.mono + 5000;
    record("child")->state = NGX_AGT_LEDGER_LIVE;
    record("grandchild")->state = NGX_AGT_LEDGER_LIVE;
    record("grandchild")->flags &= ~(uint32_t)
                                       NGX_AGT_LEDGER_SPREADS;

    ngx_agt_denials_lock(denials);
    ngx_agt_children_compare_locked(denials, &now);
    ngx_agt_denials_unlock(denials);

    unit_check(due("child") == 1 && due("grandchild") == 1);
    unit_check(live("stranger") == 1);
    unit_check(record("brother")->next == now.mono + 5000);

    unit_test("a denial leaves nothing to compare, a death does");

    deny(JTI, "another");
    unit_check(denials->ledger->compared == denials->sh->generation);

    denials->sh->changes++;
    deny(JTI, "one more");
    unit_check(denials->ledger->compared != denials->sh->generation);
}


static void
test_full(void)
{
    char        child[16];
    ngx_uint_t  n;

    unit_test("without room for a record, nothing is handed out");

    start();
    unit_check(ngx_agt_children_room(denials));

    for (n = 0; n < 10000; n++) {
        (void) snprintf(child, sizeof(child), "%u", (unsigned) n);

        if (add(child, "parent", child) != NGX_OK) {
            break;
        }
    }

    unit_check(n > 10 && n < 10000);
    unit_check(add("more", "parent", "m") == NGX_BUSY);
    unit_check(live("more") == 0 && !denied("more", NULL));
    unit_check(!ngx_agt_children_room(denials));
    unit_check(add("0", "parent", "0") == NGX_OK);
}


static void
test_long(void)
{
    unit_test("a token that is too long for a record is not handed out");

    start();

    padding = NGX_AGT_LEDGER_TOKEN - NGX_AGT_SEAL_LEN - strlen("token child");
    unit_check(add("child", "parent", "p") == NGX_OK);

    padding++;
    unit_check(add("other", "parent", "q") == NGX_BUSY);
    unit_check(live("other") == 0 && !denied("other", NULL));
}


static void
test_crowded(void)
{
    char              value[16];
    u_char            theirs[32];
    ngx_str_t         v;
    ngx_int_t         rc[2];
    ngx_uint_t        i;
    ngx_agt_denial_t  denial;

    unit_test("children end where their denials find no room, too");

    start();
    (void) add("child", "parent", "p");
    note("child", "own jti", 0);
    (void) add("grandchild", "child", "g");
    (void) add("other", "other parent", "o");
    (void) add("its child", "other", "i");

    stub_source = NGX_AGT_DENIED_UNTOLD;

    for (i = 0; i < 20000; i++) {
        (void) snprintf(value, sizeof(value), "%u", (unsigned) i);
        v.data = (u_char *) value;
        v.len = strlen(value);

        (void) stub_deny(denials, api, JTI, &v, now.wall + 600, 0, &now);
    }

    stub_source = NGX_AGT_DENIED_BY_FEED;

    memset(&denial, 0, sizeof(denial));
    digest(theirs, "other parent");
    (void) ngx_agt_denials_token_key(denial.key, api, TOKEN, theirs);
    denial.mark = ngx_agt_denial_mark(now.mono, NGX_AGT_DENIED_UNTOLD, TOKEN);

    ngx_agt_denials_lock(denials);
    rc[0] = ngx_agt_children_end_locked(denials, record("child"), &now);
    rc[1] = ngx_agt_children_denied_locked(denials, &denial, &now);
    ngx_agt_denials_unlock(denials);

    unit_check(rc[0] == NGX_ERROR && rc[1] == NGX_ERROR);
    unit_check(!denied("child", NULL) && !denied("unseen", "own jti"));
    unit_check(due("child") == 1 && due("grandchild") == 1);
    unit_check(due("other") == 1 && due("its child") == 1);
}


/* a digest that failed is all zeros, which must not be taken for a key */

static void
test_no_digest(void)
{
    u_char                    purpose[32];
    ngx_uint_t                young;
    ngx_agt_facts_t           f;
    ngx_agt_ledger_record_t   r, *zeros;

    unit_test("without digests there is no child");

    start();

    memset(&f, 0, sizeof(f));
    memset(&r, 0, sizeof(r));
    memset(purpose, 0, sizeof(purpose));

    unit_check(ngx_agt_children_of(&r, api, purpose, NULL, &f, now.mono)
               == NGX_ERROR);
    unit_check(add("child", NULL, "p") == NGX_ERROR);

    r.state = NGX_AGT_LEDGER_LIVE;
    r.flags = NGX_AGT_LEDGER_CHILD;
    r.made = now.mono;

    zeros = ngx_agt_ledger_add(denials->ledger, &r, purpose);

    f.has_exp = 1;
    f.exp = now.wall + 600;

    ngx_agt_children_note(denials, api, purpose, &f, &now);
    young = ngx_agt_children_young(denials, api, purpose, &now);
    ngx_agt_children_end(denials, api, purpose, &now);

    unit_check(!young);
    unit_check(zeros->state == NGX_AGT_LEDGER_LIVE);
    unit_check(zeros->flags == NGX_AGT_LEDGER_CHILD);

    unit_test("nor without a key that seals");

    unit_check(ngx_agt_digest_init() == NGX_OK);
    unit_check(add("child", NULL, "p") == NGX_ERROR);
    unit_check(live("child") == 0);
}


static void
test_raw(void)
{
    unit_test("a child of an API key ends with the key, and its raw token");

    start();

    raw = "raw";

    unit_check(add("of key", "key", "1") == NGX_OK);
    unit_check(add("of other", "other", "2") == NGX_OK);
    raw = "another";
    unit_check(add("of third", "third", "3") == NGX_OK);

    deny(TOKEN, "key");
    unit_check(due("of key") == 1 && live("of other") == 1);

    deny(TOKEN, "raw");
    unit_check(due("of other") == 1 && denied("of other", NULL));
    unit_check(live("of third") == 1);

    unit_test("a child of a raw token that is denied by now is not handed out");

    raw = "raw";
    unit_check(add("late", "fourth", "4") == NGX_DECLINED);
    unit_check(due("late") == 1);
}


static void
start(void)
{
    if (denials) {
        stub_denials_free(denials);
    }

    denials = stub_denials(256 * 1024);

    now.mono = 1000000;
    now.wall = 1700000000;
    stub_clock(now.mono, now.wall);

    denials->ledger->compared = denials->sh->generation;
    iat = NULL;
    raw = NULL;
    padding = 0;
}


static ngx_int_t
add(const char *child, const char *parent, const char *purpose)
{
    char                     jti[64], session[64], sub[64];
    u_char                   own[32], theirs[32], keys[32];
    ngx_agt_child_t          c;
    ngx_agt_ledger_record_t  r;

    static char  text[NGX_AGT_LEDGER_TOKEN + 1];

    memset(&r, 0, sizeof(r));
    memset(&facts, 0, sizeof(facts));

    stub_clock(now.mono, now.wall);

    if (parent) {
        (void) snprintf(jti, sizeof(jti), "jti-%s", parent);
        (void) snprintf(session, sizeof(session), "session-%s", parent);
        (void) snprintf(sub, sizeof(sub), "sub-%s", parent);

        facts.jti.data = (u_char *) jti;
        facts.jti.len = strlen(jti);
        facts.session.data = (u_char *) session;
        facts.session.len = strlen(session);
        facts.sub.data = (u_char *) sub;
        facts.sub.len = strlen(sub);

        facts.has_iat = (iat == NULL || strcmp(iat, "none") != 0);
        facts.iat = iat ? now.wall + 10 : now.wall - 10;

        digest(theirs, parent);

        if (raw) {
            digest(keys, raw);
        }

        unit_check(ngx_agt_children_of(&r, api, theirs, raw ? keys : NULL,
                                       &facts, now.mono)
                   == NGX_OK);
    }

    digest(own, child);
    digest(r.purpose, purpose);

    r.ttl = 86400;
    r.leeway = 1;

    (void) snprintf(text, sizeof(text), "token %s", child);

    c.api = api;
    c.digest = own;
    c.key = own;
    c.token.data = (u_char *) text;
    c.token.len = strlen(text) + padding;
    c.record = &r;

    return ngx_agt_children_add(denials, &c, &now);
}


static void
deny(ngx_agt_denial_kind_e kind, const char *value)
{
    u_char     key[32];
    ngx_str_t  v;

    if (kind == TOKEN) {
        digest(key, value);
        v.data = key;
        v.len = sizeof(key);

    } else {
        v.data = (u_char *) value;
        v.len = strlen(value);
    }

    stub_clock(now.mono, now.wall);

    unit_check(stub_deny(denials, api, kind, &v, now.wall + 600, now.wall,
                         &now)
               != NGX_ERROR);
}


static void
note(const char *child, const char *jti, int64_t exp)
{
    u_char           own[32];
    ngx_agt_facts_t  f;

    memset(&f, 0, sizeof(f));

    f.jti.data = (u_char *) jti;
    f.jti.len = strlen(jti);
    f.has_exp = (exp != 0);
    f.exp = exp;

    digest(own, child);
    ngx_agt_children_note(denials, api, own, &f, &now);
}


static ngx_uint_t
count(const char *child, uint32_t state)
{
    u_char                    own[32], key[32];
    ngx_str_t                 v;
    ngx_uint_t                i, n;
    ngx_agt_ledger_record_t  *r;

    digest(own, child);
    v.data = own;
    v.len = sizeof(own);

    (void) ngx_agt_denials_key(key, api, TOKEN, &v);

    i = 0;
    n = 0;

    while ((r = ngx_agt_ledger_find(denials->ledger, key, &i)) != NULL)
    {
        n += (r->state == state);
    }

    return n;
}


static ngx_uint_t
due(const char *child)
{
    return count(child, NGX_AGT_LEDGER_DUE);
}


static ngx_uint_t
live(const char *child)
{
    return count(child, NGX_AGT_LEDGER_LIVE);
}


static ngx_uint_t
denied(const char *child, const char *jti)
{
    u_char           own[32];
    ngx_agt_facts_t  f;

    memset(&f, 0, sizeof(f));

    if (jti) {
        f.jti.data = (u_char *) jti;
        f.jti.len = strlen(jti);
    }

    digest(own, child);

    return ngx_agt_denials_check(denials, api, own, &f, NGX_AGT_NEVER_ASKED,
                                 &now)
           != NGX_AGT_REASON_NONE;
}


static ngx_agt_ledger_record_t *
record(const char *child)
{
    u_char      own[32], key[32];
    ngx_str_t   v;
    ngx_uint_t  i;

    digest(own, child);
    v.data = own;
    v.len = sizeof(own);

    (void) ngx_agt_denials_key(key, api, TOKEN, &v);

    i = 0;

    return ngx_agt_ledger_find(denials->ledger, key, &i);
}


static void
digest(u_char *out, const char *name)
{
    ngx_str_t  part;

    part.data = (u_char *) name;
    part.len = strlen(name);

    (void) ngx_agt_digest(out, &part, 1);
}
