/*
 * API keys, as they are kept.
 */

#include "api_key.h"
#include "key.h"
#include "pool.h"
#include "statement.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>


#define AG_TAG_SIZE    16
#define AG_NONCE_SIZE  12


/* a list under way */

typedef struct {
    ag_api_key_pt   callback;
    void           *data;
} ag_api_key_list_t;


static int ag_api_key_cipher(const char *secret, bool seal,
    const unsigned char *in, size_t len, unsigned char *out,
    unsigned char *tag);
static int ag_api_key_select(ag_store_t *store, const char *id,
    const unsigned char *digest, int64_t now, ag_api_key_t *key);
static int ag_api_key_row(sqlite3_stmt *row, ag_api_key_t *key);
static void ag_api_key_list_build(ag_statement_t *statement,
    const ag_api_key_filter_t *filter);
static int ag_api_key_list_row(void *data, sqlite3_stmt *row);


void
ag_api_key_clear(ag_api_key_t *key)
{
    free(key->id);
    free(key->sub);
    free(key->org);
    free(key->name);
    free(key->label);
    free(key->scopes);
    free(key->token_id);
    free(key->oper_status);
    free(key->sealed);

    memset(key, 0, sizeof(ag_api_key_t));
}


/*
 * The database holds no token, so that of a key is encrypted with what only
 * the bearer of the key has.
 */

int
ag_api_key_seal(ag_api_key_t *key, const char *secret, const char *token)
{
    size_t  len;

    len = strlen(token);

    free(key->sealed);

    key->sealed = malloc(len + AG_TAG_SIZE);
    key->sealed_len = len + AG_TAG_SIZE;

    if (key->sealed == NULL
        || ag_key_digest(secret, strlen(secret), key->digest) != AG_OK)
    {
        return AG_ERROR;
    }

    return ag_api_key_cipher(secret, true, (const unsigned char *) token, len,
                             key->sealed, key->sealed + len);
}


char *
ag_api_key_open(const ag_api_key_t *key, const char *secret)
{
    char           *token;
    size_t          len;
    unsigned char   tag[AG_TAG_SIZE];

    if (key->sealed_len < AG_TAG_SIZE) {
        return NULL;
    }

    len = key->sealed_len - AG_TAG_SIZE;

    token = calloc(1, len + 1);
    if (token == NULL) {
        return NULL;
    }

    memcpy(tag, key->sealed + len, AG_TAG_SIZE);

    if (ag_api_key_cipher(secret, false, key->sealed, len,
                          (unsigned char *) token, tag) != AG_OK)
    {
        free(token);
        return NULL;
    }

    return token;
}


/*
 * AES-256-GCM. The nonce is always the same: a secret seals one token only.
 * Sets the tag, or compares it.
 */

static int
ag_api_key_cipher(const char *secret, bool seal, const unsigned char *in,
    size_t len, unsigned char *out, unsigned char *tag)
{
    int              n, rc;
    ag_text_t        text;
    EVP_CIPHER_CTX  *ctx;
    unsigned char    key[AG_DIGEST_SIZE];

    static const unsigned char  nonce[AG_NONCE_SIZE];

    rc = AG_ERROR;

    memset(&text, 0, sizeof(ag_text_t));

    ag_text_raw(&text, "token of an API key: ");
    ag_text_raw(&text, secret);

    ctx = EVP_CIPHER_CTX_new();

    if (ctx && !text.failed
        && ag_key_digest(text.data, text.len, key) == AG_OK
        && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seal)
        && EVP_CipherUpdate(ctx, out, &n, in, (int) len)
        && (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, AG_TAG_SIZE,
                                        tag))
        && EVP_CipherFinal_ex(ctx, out + n, &n)
        && (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG,
                                         AG_TAG_SIZE, tag)))
    {
        rc = AG_OK;
    }

    if (text.data) {
        OPENSSL_cleanse(text.data, text.len);
    }

    OPENSSL_cleanse(key, AG_DIGEST_SIZE);
    EVP_CIPHER_CTX_free(ctx);
    ag_text_free(&text);

    return rc;
}


int
ag_api_key_set(ag_store_t *store, const ag_api_key_t *key)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = store->durable;

    rc = ag_pool_begin(store, database);

    if (rc == AG_OK) {
        statement = ag_database_sql(database, AG_SQL_SET_API_KEY);

        ag_database_bind_text(statement, 1, key->id);
        ag_database_bind_text(statement, 2, key->sub);
        ag_database_bind_text(statement, 3, key->org);
        ag_database_bind_text(statement, 4, key->name);
        ag_database_bind_text(statement, 5, key->label);
        ag_database_bind_text(statement, 6, key->scopes);
        ag_database_bind_text(statement, 7, key->token_id);
        (void) sqlite3_bind_int64(statement, 8, key->created);
        (void) sqlite3_bind_int64(statement, 9, key->updated);
        (void) sqlite3_bind_int64(statement, 10, key->expiry);
        (void) sqlite3_bind_int(statement, 11, key->disabled);
        (void) sqlite3_bind_blob(statement, 12, key->digest, AG_DIGEST_SIZE,
                                 SQLITE_STATIC);
        (void) sqlite3_bind_blob(statement, 13, key->sealed,
                                 (int) key->sealed_len, SQLITE_STATIC);

        rc = ag_database_done(statement);
    }

    return ag_pool_end(store, database, rc);
}


int
ag_api_key_find(ag_store_t *store, const char *id, int64_t now,
    ag_api_key_t *key)
{
    return ag_api_key_select(store, id, NULL, now, key);
}


int
ag_api_key_find_secret(ag_store_t *store, const char *secret, int64_t now,
    ag_api_key_t *key)
{
    unsigned char  digest[AG_DIGEST_SIZE];

    memset(key, 0, sizeof(ag_api_key_t));

    if (ag_key_digest(secret, strlen(secret), digest) != AG_OK) {
        return AG_ERROR;
    }

    return ag_api_key_select(store, NULL, digest, now, key);
}


static int
ag_api_key_select(ag_store_t *store, const char *id,
    const unsigned char *digest, int64_t now, ag_api_key_t *key)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    memset(key, 0, sizeof(ag_api_key_t));

    database = ag_pool_take(store);
    if (database == NULL) {
        return AG_ERROR;
    }

    statement = ag_database_sql(database, AG_SQL_FIND_API_KEY);

    (void) sqlite3_bind_int64(statement, 1, now);
    ag_database_bind_text(statement, 2, id);

    if (digest) {
        (void) sqlite3_bind_blob(statement, 3, digest, AG_DIGEST_SIZE,
                                 SQLITE_STATIC);
    }

    rc = sqlite3_step(statement);

    if (rc == SQLITE_ROW) {
        rc = ag_api_key_row(statement, key);

    } else {
        rc = (rc == SQLITE_DONE) ? AG_DECLINED : AG_ERROR;
    }

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);

    ag_pool_give(store, database);

    return rc;
}


/* reads the columns AG_API_KEY_SELECTED of a row */

static int
ag_api_key_row(sqlite3_stmt *row, ag_api_key_t *key)
{
    size_t  i;
    char  **fields[] = {
        &key->id, &key->sub, &key->org, &key->name, &key->label, &key->scopes,
        &key->token_id
    };

    memset(key, 0, sizeof(ag_api_key_t));

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (ag_database_text(row, (int) i, fields[i]) != AG_OK) {
            ag_api_key_clear(key);
            return AG_ERROR;
        }
    }

    key->created = sqlite3_column_int64(row, 7);
    key->updated = sqlite3_column_int64(row, 8);
    key->expiry = sqlite3_column_int64(row, 9);
    key->disabled = sqlite3_column_int(row, 10) != 0;

    if (sqlite3_column_bytes(row, 11) == AG_DIGEST_SIZE) {
        memcpy(key->digest, sqlite3_column_blob(row, 11), AG_DIGEST_SIZE);
    }

    key->sealed_len = (size_t) sqlite3_column_bytes(row, 12);
    key->sealed = malloc(key->sealed_len + 1);

    if (key->sealed == NULL
        || ag_database_text(row, 13, &key->oper_status) != AG_OK)
    {
        ag_api_key_clear(key);
        return AG_ERROR;
    }

    if (key->sealed_len) {
        memcpy(key->sealed, sqlite3_column_blob(row, 12), key->sealed_len);
    }

    return AG_OK;
}


int
ag_api_key_delete(ag_store_t *store, const ag_api_key_t *key, int64_t now)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = store->durable;

    rc = ag_pool_begin(store, database);

    if (rc == AG_OK) {
        statement = ag_database_sql(database, AG_SQL_REVOKE);

        ag_database_bind_text(statement, 1, key->token_id);
        (void) sqlite3_bind_int64(statement, 2, now);
        rc = ag_database_done(statement);
    }

    if (rc == AG_OK) {
        statement = ag_database_sql(database, AG_SQL_DELETE_API_KEY);

        ag_database_bind_text(statement, 1, key->id);
        rc = ag_database_done(statement);
    }

    return ag_pool_end(store, database, rc);
}


int
ag_api_key_list(ag_store_t *store, const ag_api_key_filter_t *filter,
    ag_api_key_pt callback, void *data)
{
    ag_statement_t      statement;
    ag_api_key_list_t   list;

    memset(&statement, 0, sizeof(ag_statement_t));

    list.callback = callback;
    list.data = data;

    ag_api_key_list_build(&statement, filter);

    return ag_statement_run(store, &statement, ag_api_key_list_row, &list);
}


static void
ag_api_key_list_build(ag_statement_t *statement,
    const ag_api_key_filter_t *filter)
{
    size_t  i;

    ag_statement_number(statement, "SELECT " AG_API_KEY_SELECTED
                        " FROM api_key WHERE ", filter->now, INT64_MIN);
    ag_statement_text(statement, "org IN (SELECT value FROM json_each(?))",
                      filter->orgs);

    ag_statement_text(statement, " AND sub = ?", filter->user_id);
    ag_statement_text(statement, " AND org = ?", filter->org_id);
    ag_statement_text(statement, " AND name = ?", filter->name);
    ag_statement_text(statement, " AND label = ?", filter->label);
    ag_statement_text(statement, " AND oper_status = ?", filter->oper_status);
    ag_statement_text(statement, " AND oper_status <> ?",
                      filter->not_oper_status);
    ag_statement_number(statement, " AND expiry > ?", filter->valid_at,
                        INT64_MIN);
    ag_statement_number(statement, filter->descending ? " AND created <= ?"
                                                      : " AND created >= ?",
                        filter->page_at, INT64_MIN);

    if (filter->patterns.n) {
        ag_statement_sql(statement, " AND EXISTS (SELECT 1 "
                         "FROM json_each(scopes) WHERE 0");

        for (i = 0; i < filter->patterns.n; i++) {
            ag_statement_text(statement, " OR scope_like(?, value)",
                              filter->patterns.items[i]);
        }

        ag_statement_sql(statement, ")");
    }

    ag_statement_sql(statement, filter->descending
                                ? " ORDER BY created DESC, id"
                                : " ORDER BY created, id");
    ag_statement_number(statement, " LIMIT ?", filter->limit, INT64_MIN);
}


static int
ag_api_key_list_row(void *data, sqlite3_stmt *row)
{
    ag_api_key_list_t *list = data;

    int           rc;
    ag_api_key_t  key;

    rc = ag_api_key_row(row, &key);

    if (rc == AG_OK) {
        rc = list->callback(list->data, &key);
        ag_api_key_clear(&key);
    }

    return rc;
}
