
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_REGEX_H_INCLUDED_
#define _NGX_AGT_RULES_REGEX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Regular expressions of rules; the only file that knows PCRE2.  They come
 * from the network, so all is bounded: what a pattern may be, how many are kept
 * compiled, and how much one decision may cost.
 *
 * The dialect is PCRE2 over UTF-8, "." for any character, "$" for the end only.
 * Not taken, and so matching nothing, is what is not needed for paths and hard
 * to bound: "(*...)", recursion, conditions, comments, callouts, Unicode
 * properties, \C; patterns longer or deeper than this:
 */

#define NGX_AGT_REGEX_MAX_LEN    2048
#define NGX_AGT_REGEX_MAX_DEPTH  32

/* the largest that a pattern may be compiled, in bytes, and all together */
#define NGX_AGT_REGEX_MAX_SIZE   32768
#define NGX_AGT_REGEX_MAX_KEPT   8388608

/* what one decision may cost, in nanoseconds of processor time */
#define NGX_AGT_REGEX_BUDGET     3000000


/* what a process keeps: compiled patterns, and the budget of a decision */

typedef struct ngx_agt_regex_s  ngx_agt_regex_t;


/*
 * Makes what a process needs, with room for so many patterns; the least
 * recently used make room for others.  Returns NULL where memory is short.
 */
ngx_agt_regex_t *ngx_agt_regex_create(ngx_uint_t slots);

void ngx_agt_regex_destroy(ngx_agt_regex_t *p);

/*
 * Starts a decision: of its budget, so many nanoseconds are spent already.
 */
void ngx_agt_regex_begin(ngx_agt_regex_t *p, uint64_t spent);

/*
 * What has been spent of the budget of a decision, in nanoseconds, without a
 * look at the clock.
 */
uint64_t ngx_agt_regex_spent(ngx_agt_regex_t *p);

/*
 * Takes what a step of about so many nanoseconds costs from the budget.
 * Returns NGX_OK, or NGX_ERROR once the budget is spent; the clock is read only
 * now and then.
 */
ngx_int_t ngx_agt_regex_spend(ngx_agt_regex_t *p, uint64_t ns);

/*
 * Whether "subject", which must be UTF-8, matches "pattern": as a whole or,
 * with "search", anywhere.  "hash" is that of the pattern, as rulesets have it.
 * NGX_OK or NGX_DECLINED; NGX_ERROR where it cannot be told: the pattern is not
 * taken, the budget is spent, or memory is short.
 */
ngx_int_t ngx_agt_regex_match(ngx_agt_regex_t *p,
    const ngx_str_t *pattern, uint32_t hash, ngx_uint_t search,
    const ngx_str_t *subject);

/*
 * Memory for all that rules keep, by malloc() and free() unless other functions
 * are set, once and before any is used.  Zeroed; NULL where memory is short.
 */
void ngx_agt_regex_set_alloc(void *(*alloc)(size_t size),
    void (*release)(void *p));
void *ngx_agt_regex_alloc(size_t size);
void ngx_agt_regex_free(void *p);


#endif /* _NGX_AGT_RULES_REGEX_H_INCLUDED_ */
