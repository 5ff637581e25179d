
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/reply.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>


/* the length of an array, as the reader gives it */

#if (HIREDIS_MAJOR >= 1)
typedef size_t  ngx_agt_fleet_length_t;
#else
typedef int     ngx_agt_fleet_length_t;
#endif


struct ngx_agt_fleet_reader_s {
    redisReader  *reader;
    ngx_log_t    *log;
    size_t        max;
    size_t        fed;       /* bytes since the last whole reply */
    ngx_uint_t    values;    /* of the reply that is being read */
};


static void *ngx_agt_fleet_create_string(const redisReadTask *task,
    char *text, size_t len);
static void *ngx_agt_fleet_create_list(const redisReadTask *task,
    ngx_agt_fleet_length_t n);
static void *ngx_agt_fleet_create_integer(const redisReadTask *task,
    long long value);
static void *ngx_agt_fleet_create_nil(const redisReadTask *task);
static void ngx_agt_fleet_free(void *data);
#if (HIREDIS_MAJOR >= 1)
static void *ngx_agt_fleet_create_double(const redisReadTask *task,
    double value, char *text, size_t len);
static void *ngx_agt_fleet_create_bool(const redisReadTask *task, int value);
#endif
static ngx_agt_fleet_reply_t *ngx_agt_fleet_create(const redisReadTask *task,
    ngx_agt_fleet_reply_e type, size_t size);
static ngx_uint_t ngx_agt_fleet_text_is(const ngx_str_t *text,
    const char *other);
static ngx_uint_t ngx_agt_fleet_is_text(const ngx_agt_fleet_reply_t *reply);
static ngx_int_t ngx_agt_fleet_id_number(const u_char *p, const u_char *last,
    uint64_t *number);


/* the protocol of RESP2 has no other types */

static redisReplyObjectFunctions  ngx_agt_fleet_functions = {
    ngx_agt_fleet_create_string,
    ngx_agt_fleet_create_list,
    ngx_agt_fleet_create_integer,
#if (HIREDIS_MAJOR >= 1)
    ngx_agt_fleet_create_double,
#endif
    ngx_agt_fleet_create_nil,
#if (HIREDIS_MAJOR >= 1)
    ngx_agt_fleet_create_bool,
#endif
    ngx_agt_fleet_free
};


ngx_agt_fleet_reader_t *
ngx_agt_fleet_reader_new(size_t max, ngx_log_t *log)
{
    ngx_agt_fleet_reader_t  *reader;

    reader = ngx_calloc(sizeof(ngx_agt_fleet_reader_t), log);
    if (reader == NULL) {
        return NULL;
    }

    reader->log = log;
    reader->max = max;
    reader->reader = redisReaderCreateWithFunctions(&ngx_agt_fleet_functions);

    if (reader->reader == NULL) {
        ngx_free(reader);
        return NULL;
    }

    reader->reader->privdata = reader;

    return reader;
}


void
ngx_agt_fleet_reader_free(ngx_agt_fleet_reader_t *reader)
{
    if (reader == NULL) {
        return;
    }

    redisReaderFree(reader->reader);
    ngx_free(reader);
}


ngx_int_t
ngx_agt_fleet_reader_feed(ngx_agt_fleet_reader_t *reader, const u_char *data,
    size_t len)
{
    if (len > reader->max - reader->fed) {
        return NGX_ERROR;
    }

    reader->fed += len;

    return redisReaderFeed(reader->reader, (const char *) data, len)
           == REDIS_OK ? NGX_OK : NGX_ERROR;
}


/* bytes of the next reply may already lie behind a whole one */

ngx_int_t
ngx_agt_fleet_reader_reply(ngx_agt_fleet_reader_t *reader,
    ngx_agt_fleet_reply_t **reply)
{
    void  *data;

    data = NULL;

    if (redisReaderGetReply(reader->reader, &data) != REDIS_OK) {
        return NGX_ERROR;
    }

    if (data == NULL) {
        return NGX_AGAIN;
    }

    reader->fed = reader->reader->len - reader->reader->pos;
    reader->values = 0;

    *reply = data;

    return NGX_OK;
}


void
ngx_agt_fleet_reply_free(ngx_agt_fleet_reply_t *reply)
{
    ngx_uint_t  i;

    if (reply == NULL) {
        return;
    }

    for (i = 0; i < reply->n; i++) {
        ngx_agt_fleet_reply_free(reply->elements[i]);
    }

    ngx_free(reply);
}


static void
ngx_agt_fleet_free(void *data)
{
    ngx_agt_fleet_reply_free(data);
}


static void *
ngx_agt_fleet_create_string(const redisReadTask *task, char *text, size_t len)
{
    ngx_agt_fleet_reply_t  *reply;
    ngx_agt_fleet_reply_e   type;

    switch (task->type) {

    case REDIS_REPLY_STRING:
        type = NGX_AGT_FLEET_REPLY_STRING;
        break;

    case REDIS_REPLY_STATUS:
        type = NGX_AGT_FLEET_REPLY_STATUS;
        break;

    case REDIS_REPLY_ERROR:
        type = NGX_AGT_FLEET_REPLY_ERROR;
        break;

    default:
        return NULL;
    }

    reply = ngx_agt_fleet_create(task, type, len);

    if (reply) {
        reply->text.data = (u_char *) &reply[1];
        reply->text.len = len;
        ngx_memcpy(reply->text.data, text, len);
    }

    return reply;
}


static void *
ngx_agt_fleet_create_list(const redisReadTask *task, ngx_agt_fleet_length_t n)
{
    ngx_uint_t              depth;
    const redisReadTask    *outer;
    ngx_agt_fleet_reply_t  *reply;

    /* later versions of the reader have no bound of their own */

    depth = 1;

    for (outer = task->parent; outer; outer = outer->parent) {
        depth++;
    }

    /* a negative length is a large one */

    if (task->type != REDIS_REPLY_ARRAY || depth > NGX_AGT_FLEET_REPLY_DEPTH
        || (size_t) n > NGX_AGT_FLEET_REPLY_ARRAY)
    {
        return NULL;
    }

    reply = ngx_agt_fleet_create(task, NGX_AGT_FLEET_REPLY_LIST,
                                 (size_t) n * sizeof(void *));

    if (reply) {
        reply->n = (ngx_uint_t) n;
        reply->elements = (ngx_agt_fleet_reply_t **) &reply[1];
    }

    return reply;
}


static void *
ngx_agt_fleet_create_integer(const redisReadTask *task, long long value)
{
    ngx_agt_fleet_reply_t  *reply;

    reply = ngx_agt_fleet_create(task, NGX_AGT_FLEET_REPLY_INTEGER, 0);

    if (reply) {
        reply->integer = value;
    }

    return reply;
}


static void *
ngx_agt_fleet_create_nil(const redisReadTask *task)
{
    return ngx_agt_fleet_create(task, NGX_AGT_FLEET_REPLY_NIL, 0);
}


#if (HIREDIS_MAJOR >= 1)

static void *
ngx_agt_fleet_create_double(const redisReadTask *task, double value,
    char *text, size_t len)
{
    return NULL;
}


static void *
ngx_agt_fleet_create_bool(const redisReadTask *task, int value)
{
    return NULL;
}

#endif


/* puts a new reply into its place in the list that it is of */

static ngx_agt_fleet_reply_t *
ngx_agt_fleet_create(const redisReadTask *task, ngx_agt_fleet_reply_e type,
    size_t size)
{
    ngx_agt_fleet_reply_t   *reply, *list;
    ngx_agt_fleet_reader_t  *reader;

    reader = task->privdata;

    if (reader->values == NGX_AGT_FLEET_REPLY_VALUES) {
        return NULL;
    }

    reply = ngx_calloc(sizeof(ngx_agt_fleet_reply_t) + size, reader->log);
    if (reply == NULL) {
        return NULL;
    }

    reader->values++;
    reply->type = type;

    if (task->parent) {
        list = task->parent->obj;
        list->elements[task->idx] = reply;
    }

    return reply;
}


ngx_int_t
ngx_agt_fleet_command(const ngx_str_t *args, ngx_uint_t n, ngx_str_t *out)
{
    char        *text;
    size_t       lens[NGX_AGT_FLEET_ARGUMENTS];
    long long    len;
    ngx_uint_t   i;
    const char  *argv[NGX_AGT_FLEET_ARGUMENTS];

    if (n == 0 || n > NGX_AGT_FLEET_ARGUMENTS) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        argv[i] = (const char *) args[i].data;
        lens[i] = args[i].len;
    }

    len = redisFormatCommandArgv(&text, (int) n, argv, lens);

    if (len < 0) {
        return NGX_ERROR;
    }

    out->data = (u_char *) text;
    out->len = (size_t) len;

    return NGX_OK;
}


void
ngx_agt_fleet_command_free(ngx_str_t *out)
{
    if (out->data) {
        ngx_explicit_memzero(out->data, out->len);
        redisFreeCommand((char *) out->data);
        ngx_str_null(out);
    }
}


static ngx_uint_t
ngx_agt_fleet_text_is(const ngx_str_t *text, const char *other)
{
    return text->len == ngx_strlen(other)
           && ngx_memcmp(text->data, other, text->len) == 0;
}


static ngx_uint_t
ngx_agt_fleet_is_text(const ngx_agt_fleet_reply_t *reply)
{
    return reply->type == NGX_AGT_FLEET_REPLY_STRING
           || reply->type == NGX_AGT_FLEET_REPLY_STATUS;
}


ngx_uint_t
ngx_agt_fleet_reply_is(const ngx_agt_fleet_reply_t *reply, const char *text)
{
    return ngx_agt_fleet_is_text(reply)
           && ngx_agt_fleet_text_is(&reply->text, text);
}


ngx_int_t
ngx_agt_fleet_reply_read(const ngx_agt_fleet_reply_t *reply,
    const ngx_str_t *name, const ngx_agt_fleet_reply_t **entries)
{
    const ngx_agt_fleet_reply_t  *stream;

    if (reply->type == NGX_AGT_FLEET_REPLY_NIL) {
        return NGX_DECLINED;
    }

    if (reply->type != NGX_AGT_FLEET_REPLY_LIST || reply->n != 1) {
        return NGX_ERROR;
    }

    stream = reply->elements[0];

    if (stream->type != NGX_AGT_FLEET_REPLY_LIST || stream->n != 2
        || !ngx_agt_fleet_is_text(stream->elements[0])
        || stream->elements[0]->text.len != name->len
        || ngx_memcmp(stream->elements[0]->text.data, name->data, name->len)
           != 0
        || stream->elements[1]->type != NGX_AGT_FLEET_REPLY_LIST)
    {
        return NGX_ERROR;
    }

    *entries = stream->elements[1];

    return NGX_OK;
}


ngx_int_t
ngx_agt_fleet_reply_entry(const ngx_agt_fleet_reply_t *entries, ngx_uint_t i,
    ngx_agt_fleet_id_t *id, ngx_str_t *value)
{
    const ngx_agt_fleet_reply_t  *entry, *fields;

    if (entries->type != NGX_AGT_FLEET_REPLY_LIST || i >= entries->n) {
        return NGX_ERROR;
    }

    entry = entries->elements[i];

    if (entry->type != NGX_AGT_FLEET_REPLY_LIST || entry->n != 2
        || !ngx_agt_fleet_is_text(entry->elements[0])
        || ngx_agt_fleet_id_read(&entry->elements[0]->text, id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    fields = entry->elements[1];

    if (fields->type != NGX_AGT_FLEET_REPLY_LIST || fields->n != 2
        || !ngx_agt_fleet_reply_is(fields->elements[0], NGX_AGT_FLEET_FIELD)
        || !ngx_agt_fleet_is_text(fields->elements[1]))
    {
        return NGX_DECLINED;
    }

    *value = fields->elements[1]->text;

    return NGX_OK;
}


ngx_int_t
ngx_agt_fleet_reply_info(const ngx_agt_fleet_reply_t *reply,
    ngx_agt_fleet_stream_t *stream)
{
    if (reply->type != NGX_AGT_FLEET_REPLY_LIST || reply->n != 4
        || !ngx_agt_fleet_is_text(reply->elements[0])
        || reply->elements[1]->type != NGX_AGT_FLEET_REPLY_INTEGER
        || reply->elements[1]->integer < 0
        || !ngx_agt_fleet_is_text(reply->elements[2])
        || reply->elements[3]->type != NGX_AGT_FLEET_REPLY_INTEGER)
    {
        return NGX_ERROR;
    }

    stream->epoch = reply->elements[0]->text;
    stream->length = (uint64_t) reply->elements[1]->integer;
    stream->now = reply->elements[3]->integer;

    return ngx_agt_fleet_id_read(&reply->elements[2]->text, &stream->last);
}


ngx_int_t
ngx_agt_fleet_reply_role(const ngx_agt_fleet_reply_t *reply)
{
    if (reply->type != NGX_AGT_FLEET_REPLY_LIST || reply->n == 0
        || !ngx_agt_fleet_is_text(reply->elements[0]))
    {
        return NGX_ERROR;
    }

    return ngx_agt_fleet_text_is(&reply->elements[0]->text, "master")
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_agt_fleet_id_read(const ngx_str_t *text, ngx_agt_fleet_id_t *id)
{
    u_char  *dash, *last;

    last = text->data + text->len;

    for (dash = text->data; dash < last && *dash != '-'; dash++) {
        /* void */
    }

    if (dash == last
        || ngx_agt_fleet_id_number(text->data, dash, &id->ms) != NGX_OK
        || ngx_agt_fleet_id_number(dash + 1, last, &id->seq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_fleet_id_number(const u_char *p, const u_char *last, uint64_t *number)
{
    uint64_t  n, digit;

    if (p == last) {
        return NGX_ERROR;
    }

    for (n = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        digit = (uint64_t) (*p - '0');

        if (n > (0xffffffffffffffff - digit) / 10) {
            return NGX_ERROR;
        }

        n = n * 10 + digit;
    }

    *number = n;

    return NGX_OK;
}


u_char *
ngx_agt_fleet_id_write(u_char *out, const ngx_agt_fleet_id_t *id)
{
    char  text[NGX_AGT_FLEET_ID_LEN + 1];
    int   len;

    len = snprintf(text, sizeof(text), "%llu-%llu",
                   (unsigned long long) id->ms, (unsigned long long) id->seq);

    return ngx_cpymem(out, text, len);
}


ngx_int_t
ngx_agt_fleet_id_compare(const ngx_agt_fleet_id_t *a,
    const ngx_agt_fleet_id_t *b)
{
    if (a->ms != b->ms) {
        return (a->ms < b->ms) ? -1 : 1;
    }

    if (a->seq != b->seq) {
        return (a->seq < b->seq) ? -1 : 1;
    }

    return 0;
}
