
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/document.h"
#include "json/read.h"


/* digits of an index: more than that is more than a document can hold */
#define NGX_AGT_JSON_INDEX  6

/* FNV-1a of 64 bits */
#define NGX_AGT_JSON_BASIS  0xcbf29ce484222325ULL
#define NGX_AGT_JSON_PRIME  0x100000001b3ULL


/* a member of an object anywhere in a document */

typedef struct {
    const json_t                       *object;
    uint64_t                            hash;    /* of the name, folded */
    const char                         *name;
    json_t                             *value;
} ngx_agt_json_member_t;


/* members are in the order of their objects' addresses and of their hashes */

struct ngx_agt_json_document_s {
    json_t                *root;
    size_t                 n;
    ngx_agt_json_member_t  members[1];
};


static size_t ngx_agt_json_gather(json_t *value,
    ngx_agt_json_member_t *members);
static uint64_t ngx_agt_json_hash(const u_char *p,
    const u_char *end, ngx_uint_t is_pointer);
static int ngx_agt_json_order(const void *one, const void *two);
static json_t *ngx_agt_json_step(const ngx_agt_json_document_t *document,
    json_t *value, const ngx_str_t *name);
static json_t *ngx_agt_json_member(const ngx_agt_json_document_t *document,
    const json_t *object, const ngx_str_t *name);
static json_t *ngx_agt_json_item(json_t *array, const ngx_str_t *name);
static ngx_uint_t ngx_agt_json_same(const ngx_str_t *name, const char *key);
static ngx_uint_t ngx_agt_json_unescape(const u_char **p, const u_char *end);
static ngx_uint_t ngx_agt_json_fold(ngx_uint_t c,
    const u_char **p, const u_char *end);


ngx_agt_json_document_t *
ngx_agt_json_document(const u_char *body, size_t len)
{
    size_t                    n;
    json_t                   *root;
    json_malloc_t             alloc;
    ngx_agt_json_document_t  *document;

    root = ngx_agt_json_load_any(body, len, NGX_AGT_JSON_MAX_BODY,
                                        NGX_AGT_JSON_MAX_DOCUMENT);
    if (root == NULL) {
        return NULL;
    }

    json_get_alloc_funcs(&alloc, NULL);

    n = ngx_agt_json_gather(root, NULL);

    document = alloc(sizeof(ngx_agt_json_document_t)
                     + n * sizeof(ngx_agt_json_member_t));
    if (document == NULL) {
        json_decref(root);
        return NULL;
    }

    document->root = root;
    document->n = ngx_agt_json_gather(root, document->members);

    qsort(document->members, n, sizeof(ngx_agt_json_member_t),
          ngx_agt_json_order);

    return document;
}


void
ngx_agt_json_release(ngx_agt_json_document_t **document)
{
    json_free_t  release;

    if (*document == NULL) {
        return;
    }

    json_get_alloc_funcs(NULL, &release);

    json_decref((*document)->root);
    release(*document);

    *document = NULL;
}


/* returns how many there are; fills "members" in, unless it is NULL */

static size_t
ngx_agt_json_gather(json_t *value, ngx_agt_json_member_t *members)
{
    size_t         i, n;
    json_t        *item;
    const char    *name;
    const u_char  *p;

    n = 0;

    json_array_foreach(value, i, item) {
        n += ngx_agt_json_gather(item, members ? members + n : NULL);
    }

    json_object_foreach(value, name, item) {

        if (members) {
            p = (const u_char *) name;

            members[n].object = value;
            members[n].hash = ngx_agt_json_hash(p, p + ngx_strlen(name), 0);
            members[n].name = name;
            members[n].value = item;
        }

        n++;

        n += ngx_agt_json_gather(item, members ? members + n : NULL);
    }

    return n;
}


/*
 * Names that differ only in case have the same hash.  Other names may have the
 * same hash too, and then count as the same name: this finds fewer strings,
 * never more.
 */

static uint64_t
ngx_agt_json_hash(const u_char *p, const u_char *end, ngx_uint_t is_pointer)
{
    uint64_t    hash;
    ngx_uint_t  c;

    hash = NGX_AGT_JSON_BASIS;

    while (p < end) {

        if (is_pointer) {
            c = ngx_agt_json_unescape(&p, end);

        } else {
            c = *p++;
        }

        hash ^= ngx_agt_json_fold(c, &p, end);
        hash *= NGX_AGT_JSON_PRIME;
    }

    return hash;
}


static int
ngx_agt_json_order(const void *one, const void *two)
{
    const ngx_agt_json_member_t  *a, *b;

    a = one;
    b = two;

    if (a->object != b->object) {
        return ((uintptr_t) a->object < (uintptr_t) b->object) ? -1 : 1;
    }

    if (a->hash != b->hash) {
        return (a->hash < b->hash) ? -1 : 1;
    }

    return 0;
}


ngx_int_t
ngx_agt_json_pointer(void *document, const ngx_str_t *pointer,
    ngx_str_t *value)
{
    ngx_agt_json_document_t *doc = document;

    json_t     *found;
    u_char     *p, *end;
    ngx_str_t   name;

    found = doc->root;

    p = pointer->data;
    end = p + pointer->len;

    while (p < end && *p == '/' && found) {

        name.data = ++p;

        while (p < end && *p != '/') {
            p++;
        }

        name.len = (size_t) (p - name.data);

        found = ngx_agt_json_step(doc, found, &name);
    }

    if (p != end || !json_is_string(found)) {
        return NGX_DECLINED;
    }

    ngx_agt_json_text(found, value);

    return NGX_OK;
}


static json_t *
ngx_agt_json_step(const ngx_agt_json_document_t *document, json_t *value,
    const ngx_str_t *name)
{
    if (json_is_object(value)) {
        return ngx_agt_json_member(document, value, name);
    }

    if (json_is_array(value)) {
        return ngx_agt_json_item(value, name);
    }

    return NULL;
}


/* the first member that does not sort before the name must be the only match */

static json_t *
ngx_agt_json_member(const ngx_agt_json_document_t *document,
    const json_t *object, const ngx_str_t *name)
{
    size_t                        low, high, middle;
    ngx_agt_json_member_t         wanted;
    const ngx_agt_json_member_t  *m;

    wanted.object = object;
    wanted.hash = ngx_agt_json_hash(name->data, name->data + name->len, 1);
    low = 0;
    high = document->n;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (ngx_agt_json_order(&document->members[middle], &wanted) < 0) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    m = &document->members[low];

    if (low == document->n
        || ngx_agt_json_order(m, &wanted) != 0
        || (low + 1 < document->n && ngx_agt_json_order(m + 1, &wanted) == 0)
        || !ngx_agt_json_same(name, m->name))
    {
        return NULL;
    }

    return m->value;
}


static json_t *
ngx_agt_json_item(json_t *array, const ngx_str_t *name)
{
    size_t  i, index;

    if (name->len == 0
        || name->len > NGX_AGT_JSON_INDEX
        || (name->data[0] == '0' && name->len > 1))
    {
        return NULL;
    }

    index = 0;

    for (i = 0; i < name->len; i++) {

        if (name->data[i] < '0' || name->data[i] > '9') {
            return NULL;
        }

        index = index * 10 + (name->data[i] - '0');
    }

    return json_array_get(array, index);
}


/* a name of a pointer, "~0" and "~1" in it, and a key as it is */

static ngx_uint_t
ngx_agt_json_same(const ngx_str_t *name, const char *key)
{
    const u_char  *p, *q, *p_end, *q_end;

    p = name->data;
    p_end = p + name->len;

    q = (const u_char *) key;
    q_end = q + ngx_strlen(key);

    while (p < p_end && q < q_end) {
        if (ngx_agt_json_unescape(&p, p_end) != *q++) {
            return 0;
        }
    }

    return p == p_end && q == q_end;
}


/* "~" with any other byte behind it is no pointer, and equals no key */

static ngx_uint_t
ngx_agt_json_unescape(const u_char **p, const u_char *end)
{
    ngx_uint_t  c;

    c = *(*p)++;

    if (c != '~') {
        return c;
    }

    c = (*p < end) ? *(*p)++ : 0;

    return (c == '0') ? '~' : (c == '1') ? '/' : 0;
}


/*
 * Folds letters of ASCII to lower case, and the two other letters that fold to
 * ASCII: U+017F to "s" and U+212A to "k".  All other characters give one value,
 * since each of them could be the other case of another one.
 */

static ngx_uint_t
ngx_agt_json_fold(ngx_uint_t c, const u_char **p, const u_char *end)
{
    const u_char  *start;

    if (c < 0x80) {
        return (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
    }

    start = *p;

    while (*p < end && (**p & 0xc0) == 0x80) {
        (*p)++;
    }

    if (c == 0xc5 && *p - start == 1 && start[0] == 0xbf) {
        return 's';
    }

    if (c == 0xe2 && *p - start == 2 && start[0] == 0x84 && start[1] == 0xaa) {
        return 'k';
    }

    return 0x80;
}
