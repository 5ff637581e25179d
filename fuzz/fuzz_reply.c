
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fuzz.h"

#include "fleet/reply.h"


/*
 * The first byte says in pieces of which size the others reach the reader.
 * What it makes of them does not depend on it, and each reply can be read as
 * any reply that is waited for.
 */

#define FUZZ_MAX  65536


static uint64_t fuzz_replies(const uint8_t *data, size_t size, size_t piece,
    int *rc);
static uint64_t fuzz_walk(const ngx_agt_fleet_reply_t *reply);
static void fuzz_read(const ngx_agt_fleet_reply_t *reply);


static ngx_log_t  fuzz_log;


void
fuzz_target(const uint8_t *data, size_t size)
{
    int       rc, again;
    uint64_t  sum;

    if (size == 0) {
        return;
    }

    sum = fuzz_replies(data + 1, size - 1, size, &rc);

    fuzz_check(fuzz_replies(data + 1, size - 1, 1 + data[0], &again) == sum
               || rc == NGX_ERROR || again == NGX_ERROR);
    fuzz_check(again == rc);
}


static uint64_t
fuzz_replies(const uint8_t *data, size_t size, size_t piece, int *rc)
{
    size_t                   n;
    uint64_t                 sum;
    ngx_agt_fleet_reply_t   *reply;
    ngx_agt_fleet_reader_t  *reader;

    reader = ngx_agt_fleet_reader_new(FUZZ_MAX, &fuzz_log);
    sum = 0;
    *rc = NGX_AGAIN;

    while (size && *rc == NGX_AGAIN) {
        n = ngx_min(piece, size);

        fuzz_check(ngx_agt_fleet_reader_feed(reader, data, n) == NGX_OK);

        data += n;
        size -= n;

        while ((*rc = (int) ngx_agt_fleet_reader_reply(reader, &reply))
               == NGX_OK)
        {
            sum = sum * 31 + fuzz_walk(reply);
            fuzz_read(reply);
            fuzz_accepted++;

            ngx_agt_fleet_reply_free(reply);
        }
    }

    ngx_agt_fleet_reader_free(reader);

    return sum;
}


static uint64_t
fuzz_walk(const ngx_agt_fleet_reply_t *reply)
{
    size_t      i;
    uint64_t    sum;
    ngx_uint_t  n;

    sum = reply->type;

    switch (reply->type) {

    case NGX_AGT_FLEET_REPLY_STRING:
    case NGX_AGT_FLEET_REPLY_STATUS:
    case NGX_AGT_FLEET_REPLY_ERROR:

        for (i = 0; i < reply->text.len; i++) {
            sum = sum * 31 + reply->text.data[i];
        }

        break;

    case NGX_AGT_FLEET_REPLY_LIST:
        fuzz_check(reply->n <= NGX_AGT_FLEET_REPLY_ARRAY);

        for (n = 0; n < reply->n; n++) {
            sum = sum * 31 + fuzz_walk(reply->elements[n]);
        }

        break;

    case NGX_AGT_FLEET_REPLY_INTEGER:
        sum += (uint64_t) reply->integer;
        break;

    case NGX_AGT_FLEET_REPLY_NIL:
        break;

    default:
        fuzz_check(0);
    }

    return sum;
}


static void
fuzz_read(const ngx_agt_fleet_reply_t *reply)
{
    u_char                        out[NGX_AGT_FLEET_ID_LEN];
    ngx_str_t                     value, name = ngx_string("edge:stream");
    ngx_uint_t                    i;
    ngx_agt_fleet_id_t            id, again;
    ngx_agt_fleet_stream_t        stream;
    const ngx_agt_fleet_reply_t  *entries;

    (void) ngx_agt_fleet_reply_is(reply, "PONG");
    (void) ngx_agt_fleet_reply_role(reply);
    (void) ngx_agt_fleet_reply_info(reply, &stream);

    if (ngx_agt_fleet_reply_read(reply, &name, &entries) != NGX_OK) {
        entries = reply;
    }

    for (i = 0; i <= entries->n; i++) {

        switch (ngx_agt_fleet_reply_entry(entries, i, &id, &value)) {

        case NGX_OK:
            fuzz_check(value.len <= FUZZ_MAX);

            /* fall through */

        case NGX_DECLINED:
            value.data = out;
            value.len = (size_t) (ngx_agt_fleet_id_write(out, &id) - out);

            fuzz_check(ngx_agt_fleet_id_read(&value, &again) == NGX_OK);
            fuzz_check(ngx_agt_fleet_id_compare(&id, &again) == 0);
        }
    }
}
