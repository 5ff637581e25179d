
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_path.h"
#include "ngx_agilicus_token_pattern.h"
#include "ngx_agilicus_token_query.h"
#include "ngx_agilicus_token_rules.h"
#include "ngx_agilicus_token_rules_matcher.h"
#include "ngx_agilicus_token_ruleset.h"
#include "ngx_agilicus_token_template.h"


/* reckoned, in nanoseconds: a rule, a query constraint, a value of a body */
#define NGX_AGILICUS_TOKEN_RULES_RULE   20
#define NGX_AGILICUS_TOKEN_RULES_QUERY  50
#define NGX_AGILICUS_TOKEN_RULES_BODY   50000


/* how far a rule went */

typedef enum {
    NGX_AGILICUS_TOKEN_RULES_HOST = 0,
    NGX_AGILICUS_TOKEN_RULES_METHOD,
    NGX_AGILICUS_TOKEN_RULES_PATH,
    NGX_AGILICUS_TOKEN_RULES_PARAMETER,
    NGX_AGILICUS_TOKEN_RULES_BODY_VALUE,
    NGX_AGILICUS_TOKEN_RULES_MATCHER,
    NGX_AGILICUS_TOKEN_RULES_STAGES
} ngx_agilicus_token_rules_stage_e;


struct ngx_agilicus_token_rules_s {
    ngx_agilicus_token_patterns_t           *patterns;

    u_char                                  *buf;
    size_t                                   size;
};


/* one decision */

typedef struct {
    ngx_agilicus_token_rules_t              *rules;
    const ngx_agilicus_token_rules_view_t   *view;

    uint32_t                                 method;
    ngx_str_t                                subject;  /* with the query */
    ngx_agilicus_token_rules_stage_e         stage;    /* the furthest */
} ngx_agilicus_token_rules_decision_t;
