
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_CHILDREN_H_INCLUDED_
#define _NGX_AGT_ZONE_CHILDREN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/denials.h"
#include "zone/ledger.h"


/*
 * Children: tokens that were reissued or created by this edge.  Each one that
 * is handed out has a record in the ledger, until it has expired or the API
 * has been told to revoke it, even if its entry in the cache is evicted.
 *
 * A child ends when its parent is denied, when the API refuses it, when it
 * allows more than its parent, and when a newer one has taken its place.  A
 * child that ends is denied here first; its record is then due, and a worker
 * tells the API.
 */

/* milliseconds after which a child whose place was taken ends */
#define NGX_AGT_CHILDREN_GRACE  60000

/* milliseconds in which the API may not know a child yet */
#define NGX_AGT_CHILDREN_YOUNG  10000

/* milliseconds between the first two tries to tell the API */
#define NGX_AGT_CHILDREN_PAUSE  1000


/* a child that is about to be handed out */

typedef struct {
    const u_char                   *api;      /* digest of its URL */
    const u_char                   *digest;   /* of the token */
    const u_char                   *key;      /* see denials_token() */
    ngx_str_t                       token;

    /*
     * Has the parent's keys, if any, purpose, via, ttl and leeway of the child.
     */
    const ngx_agt_ledger_record_t  *record;
} ngx_agt_child_t;


/*
 * Sets the keys of a parent in "record": of the parent token itself, and of its
 * jti, session and subject if it has them.  "key" is a key of
 * ngx_agt_denials_token(), here and below; "raw" is the one of the raw token of
 * a parent that is an API key, else NULL; "asked" is the time that
 * ngx_agt_denials_check() takes.  Returns NGX_OK, or NGX_ERROR where a digest
 * failed.
 */
ngx_int_t ngx_agt_children_of(ngx_agt_ledger_record_t *record,
    const u_char *api, const u_char *key, const u_char *raw,
    const ngx_agt_facts_t *facts, uint64_t asked);

/*
 * Records a child before it is handed out.  The same child of the same parent
 * has one record; other children for the same purpose end after a while.
 *
 * NGX_OK        it may be handed out
 * NGX_DECLINED  its parent is denied: the child is denied and due
 * NGX_BUSY      there is no room for a record
 * NGX_ABORT     the token is its own parent, or is denied itself: there is no
 *               new record of it
 * NGX_ERROR     it could not be sealed
 */
ngx_int_t ngx_agt_children_add(ngx_agt_denials_t *denials,
    const ngx_agt_child_t *child, const ngx_agt_clock_t *now);

/*
 * Returns 1 if a child of the usual size could be recorded, else 0.
 */
ngx_uint_t ngx_agt_children_room(ngx_agt_denials_t *denials);

/*
 * Notes the jti of a child, and its exp if it has one, as the API gave them.
 */
void ngx_agt_children_note(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *key, const ngx_agt_facts_t *facts,
    const ngx_agt_clock_t *now);

/*
 * Returns 1 if the token is a child that was made so lately that the API may
 * not know it yet, else 0.
 */
ngx_uint_t ngx_agt_children_young(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *key, const ngx_agt_clock_t *now);

/*
 * Ends a child, or all children for a purpose.
 */
void ngx_agt_children_end(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *key, const ngx_agt_clock_t *now);
void ngx_agt_children_end_all(ngx_agt_denials_t *denials,
    const u_char *purpose, const ngx_agt_clock_t *now);

/*
 * With the mutex of the denials held: ends one child, and its own children.
 * Returns NGX_OK, or NGX_ERROR where a denial found no room; the record is made
 * due in both cases.
 */
ngx_int_t ngx_agt_children_end_locked(ngx_agt_denials_t *denials,
    ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now);

/*
 * With the mutex held: ends the children whose parent "denial" refuses; for the
 * function that makes a denial.  Returns as ngx_agt_children_end_locked().
 */
ngx_int_t ngx_agt_children_denied_locked(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *denial, const ngx_agt_clock_t *now);

/*
 * With the mutex held: ends all children whose parents are denied.  This is
 * needed where a process died after it made a denial and before it ended the
 * children.
 */
void ngx_agt_children_compare_locked(ngx_agt_denials_t *denials,
    const ngx_agt_clock_t *now);


#endif /* _NGX_AGT_ZONE_CHILDREN_H_INCLUDED_ */
