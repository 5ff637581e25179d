
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_REGEX_H_INCLUDED_
#define _NGX_AGT_RULES_REGEX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Regular expressions of rules; no other file uses PCRE2.  The expressions come
 * from the network, so everything is bounded: their syntax, the number of
 * compiled expressions that are kept, and the cost of one decision.
 *
 * The dialect is PCRE2 over UTF-8, "." for any character, "$" for the end only.
 * The module does not take constructs that paths do not need and that are hard
 * to bound; a pattern with one of them matches nothing.  These are "(*...)",
 * recursion, conditions, comments, callouts, Unicode properties and \C, and
 * patterns longer or deeper than this:
 */

#define NGX_AGT_REGEX_MAX_LEN    2048
#define NGX_AGT_REGEX_MAX_DEPTH  32

/* largest size of a compiled pattern, in bytes, and of all together */
#define NGX_AGT_REGEX_MAX_SIZE   32768
#define NGX_AGT_REGEX_MAX_KEPT   8388608

/* nanoseconds of processor time that one decision may cost */
#define NGX_AGT_REGEX_BUDGET     3000000


/* the state of a process: compiled patterns, and the budget of a decision */

typedef struct ngx_agt_regex_s  ngx_agt_regex_t;


/*
 * Makes the state of a process, with room for "slots" compiled patterns; a new
 * pattern replaces the least recently used one.  Returns NULL where memory is
 * short.
 */
ngx_agt_regex_t *ngx_agt_regex_create(ngx_uint_t slots);

void ngx_agt_regex_destroy(ngx_agt_regex_t *p);

/*
 * Starts a decision, with "spent" nanoseconds of its budget already spent.
 */
void ngx_agt_regex_begin(ngx_agt_regex_t *p, uint64_t spent);

/*
 * Returns how much of the budget of a decision has been spent, in nanoseconds,
 * without reading the clock.
 */
uint64_t ngx_agt_regex_spent(ngx_agt_regex_t *p);

/*
 * Takes the cost of a step, "ns" nanoseconds by estimate, from the budget.
 * Returns NGX_OK, or NGX_ERROR once the budget is spent.  The clock is read
 * only now and then.
 */
ngx_int_t ngx_agt_regex_spend(ngx_agt_regex_t *p, uint64_t ns);

/*
 * Tells whether "subject", which must be UTF-8, matches "pattern": as a whole
 * or, with "search", anywhere.  "hash" is the hash of the pattern that the
 * ruleset has.  Returns NGX_OK or NGX_DECLINED; or NGX_ERROR where the result
 * is unknown, since the pattern is not taken, the budget is spent, or memory is
 * short.
 */
ngx_int_t ngx_agt_regex_match(ngx_agt_regex_t *p, const ngx_str_t *pattern,
    uint32_t hash, ngx_uint_t search, const ngx_str_t *subject);

/*
 * Functions for the memory of this room: malloc() and free(), unless other
 * functions are set, once and before any is used.  The memory is zeroed; NULL
 * is returned where memory is short.
 */
void ngx_agt_regex_set_alloc(void *(*alloc)(size_t size),
    void (*release)(void *p));
void *ngx_agt_regex_alloc(size_t size);
void ngx_agt_regex_free(void *p);


#endif /* _NGX_AGT_RULES_REGEX_H_INCLUDED_ */
