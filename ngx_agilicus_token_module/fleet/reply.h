
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_REPLY_H_INCLUDED_
#define _NGX_AGT_FLEET_REPLY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The protocol of Redis (RESP2), by hiredis' reader and formatter.  This is the
 * only file that knows hiredis.
 */

/* elements of one list, lists within each other, values of a reply, at most */
#define NGX_AGT_FLEET_REPLY_ARRAY   4096
#define NGX_AGT_FLEET_REPLY_DEPTH   6
#define NGX_AGT_FLEET_REPLY_VALUES  32768

/* arguments of one command, at most */
#define NGX_AGT_FLEET_ARGUMENTS     16

/* the field of a stream's entry that holds the sealed entry */
#define NGX_AGT_FLEET_FIELD         "e"


typedef enum {
    NGX_AGT_FLEET_REPLY_STRING = 1,
    NGX_AGT_FLEET_REPLY_LIST,
    NGX_AGT_FLEET_REPLY_INTEGER,
    NGX_AGT_FLEET_REPLY_NIL,
    NGX_AGT_FLEET_REPLY_STATUS,
    NGX_AGT_FLEET_REPLY_ERROR
} ngx_agt_fleet_reply_e;


typedef struct ngx_agt_fleet_reply_s  ngx_agt_fleet_reply_t;

struct ngx_agt_fleet_reply_s {
    ngx_agt_fleet_reply_e    type;
    int64_t                  integer;   /* of INTEGER */
    ngx_str_t                text;      /* of STRING, STATUS, ERROR */
    ngx_uint_t               n;         /* of LIST */
    ngx_agt_fleet_reply_t  **elements;
};


/* the id of an entry of a stream: milliseconds of Redis' clock, and a number */

typedef struct {
    uint64_t  ms;
    uint64_t  seq;
} ngx_agt_fleet_id_t;

/* bytes of an id as text, at most */
#define NGX_AGT_FLEET_ID_LEN  (2 * NGX_INT64_LEN + 1)


/* of ngx_agt_fleet_read_ask() */

typedef struct {
    ngx_str_t           epoch;    /* within the reply */
    uint64_t            length;
    ngx_agt_fleet_id_t  last;     /* last-generated-id */
    int64_t             now;      /* Redis' clock: ms since the epoch */
} ngx_agt_fleet_stream_t;


typedef struct ngx_agt_fleet_reader_s  ngx_agt_fleet_reader_t;


/*
 * Makes a reader of replies of at most "max" bytes each.  Returns NULL where
 * there is no memory; ngx_agt_fleet_reader_free() frees it, and NULL is no
 * error.
 */
ngx_agt_fleet_reader_t *ngx_agt_fleet_reader_new(size_t max, ngx_log_t *log);
void ngx_agt_fleet_reader_free(ngx_agt_fleet_reader_t *reader);

/*
 * Gives the reader bytes that were received.  Returns NGX_OK, or NGX_ERROR
 * where a reply is larger than "max" or there is no memory: close the
 * connection.  All replies must be taken before more bytes are given.
 */
ngx_int_t ngx_agt_fleet_reader_feed(ngx_agt_fleet_reader_t *reader,
    const u_char *data, size_t len);

/*
 * Takes the next whole reply.  Returns NGX_OK, with "*reply" set, which the
 * caller frees; NGX_AGAIN where more bytes are needed; or NGX_ERROR where the
 * bytes are no reply, or one beyond the bounds: close the connection.
 */
ngx_int_t ngx_agt_fleet_reader_reply(ngx_agt_fleet_reader_t *reader,
    ngx_agt_fleet_reply_t **reply);

/*
 * Frees a reply with everything in it; NULL is no error.
 */
void ngx_agt_fleet_reply_free(ngx_agt_fleet_reply_t *reply);


/*
 * Formats a command of "n" arguments (1 to NGX_AGT_FLEET_ARGUMENTS).  Sets
 * "out" to memory of its own, and returns NGX_OK; NGX_ERROR where there is no
 * memory or there are too many arguments.  ngx_agt_fleet_command_free() zeroes
 * the memory, for it may hold a password, and frees it.
 */
ngx_int_t ngx_agt_fleet_command(const ngx_str_t *args, ngx_uint_t n,
    ngx_str_t *out);
void ngx_agt_fleet_command_free(ngx_str_t *out);


/*
 * Returns 1 if a reply is a STATUS or a STRING with this text, else 0.
 */
ngx_uint_t ngx_agt_fleet_reply_is(const ngx_agt_fleet_reply_t *reply,
    const char *text);

/*
 * Finds the entries of the stream "name" in a reply to XREAD.  Returns NGX_OK,
 * with "*entries" set to a list within the reply; NGX_DECLINED where nothing
 * came in time; or NGX_ERROR where it is no such reply.
 */
ngx_int_t ngx_agt_fleet_reply_read(const ngx_agt_fleet_reply_t *reply,
    const ngx_str_t *name, const ngx_agt_fleet_reply_t **entries);

/*
 * Reads entry "i" of a list of entries, of XREAD (see above) or XRANGE.  Sets
 * "*id", and "*value" to that of the field NGX_AGT_FLEET_FIELD, within the
 * reply.  Returns NGX_OK; NGX_DECLINED where the entry has not just this one
 * field, "*id" alone is set then; or NGX_ERROR where it is no entry.
 */
ngx_int_t ngx_agt_fleet_reply_entry(const ngx_agt_fleet_reply_t *entries,
    ngx_uint_t i, ngx_agt_fleet_id_t *id, ngx_str_t *value);

/*
 * Reads a list of the epoch, the length of the stream, its last-generated-id,
 * and the time.  Returns NGX_OK, or NGX_ERROR where it is no such reply.
 */
ngx_int_t ngx_agt_fleet_reply_info(const ngx_agt_fleet_reply_t *reply,
    ngx_agt_fleet_stream_t *stream);

/*
 * Reads a reply to ROLE: NGX_OK for a primary, NGX_DECLINED for any other role,
 * NGX_ERROR where it is no such reply.
 */
ngx_int_t ngx_agt_fleet_reply_role(const ngx_agt_fleet_reply_t *reply);

/*
 * Reads an id as text, "ms-seq".  Returns NGX_OK, or NGX_ERROR.
 */
ngx_int_t ngx_agt_fleet_id_read(const ngx_str_t *text, ngx_agt_fleet_id_t *id);

/*
 * Writes an id as text (NGX_AGT_FLEET_ID_LEN bytes suffice) and returns the end
 * of the text.
 */
u_char *ngx_agt_fleet_id_write(u_char *out, const ngx_agt_fleet_id_t *id);

/*
 * Compares two ids: less than, equal to or greater than 0 as "a" comes before,
 * with or after "b".
 */
ngx_int_t ngx_agt_fleet_id_compare(const ngx_agt_fleet_id_t *a,
    const ngx_agt_fleet_id_t *b);


#endif /* _NGX_AGT_FLEET_REPLY_H_INCLUDED_ */
