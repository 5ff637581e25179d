
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_module.h"
#include "request/early.h"
#include "request/host_rules.h"
#include "request/recheck.h"
#include "request/variables.h"
#include "upstream/cache_control.h"
#include "upstream/upstream.h"
#include "config/directives_api.h"
#include "config/directives_cache.h"
#include "config/directives_endpoint.h"
#include "config/directives_fleet.h"
#include "config/directives_requirements.h"
#include "config/directives_revocation.h"
#include "config/directives_token.h"
#include "config/directives_upstream.h"
#include "config/merge.h"
#include "config/origin.h"
#include "config/parameters.h"
#include "config/register.h"
#include "config/values.h"
#include "api/credential.h"
#include "zone/seal.h"
#include "zone/worker_cache.h"


static ngx_int_t ngx_agt_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_agt_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_agt_init_process(ngx_cycle_t *cycle);
static void ngx_agt_exit_process(ngx_cycle_t *cycle);
static void ngx_agt_exit_master(ngx_cycle_t *cycle);


#define NGX_AGT_ANYWHERE                                                     \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LMT_CONF


static ngx_conf_enum_t  ngx_agt_enable_words[] = {
    { ngx_string("off"), NGX_AGT_OFF },
    { ngx_string("on"), NGX_AGT_ON },
    { ngx_string("optional"), NGX_AGT_OPTIONAL },
    { ngx_string("report"), NGX_AGT_REPORT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_agt_phase_words[] = {
    { ngx_string("access"), NGX_AGT_PHASE_ACCESS },
    { ngx_string("preaccess"), NGX_AGT_PHASE_PREACCESS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_agt_preflight_words[] = {
    { ngx_string("check"), NGX_AGT_PREFLIGHT_CHECK },
    { ngx_string("pass"), NGX_AGT_PREFLIGHT_PASS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_agt_error_body_words[] = {
    { ngx_string("html"), NGX_AGT_ERROR_BODY_HTML },
    { ngx_string("problem"), NGX_AGT_ERROR_BODY_PROBLEM },
    { ngx_null_string, 0 }
};


static ngx_agt_parameter_t  ngx_agt_enable = {
    ngx_string(""), ngx_agt_parameter_word, 0, 0, 0, ngx_agt_enable_words,
    "\"on\", \"optional\", \"off\" or \"report\""
};


static ngx_agt_parameter_t  ngx_agt_phase = {
    ngx_string(""), ngx_agt_parameter_word, 0, 0, 0, ngx_agt_phase_words,
    "\"access\" or \"preaccess\""
};


static ngx_agt_parameter_t  ngx_agt_preflight = {
    ngx_string(""), ngx_agt_parameter_word, 0, 0, 0, ngx_agt_preflight_words,
    "\"check\" or \"pass\""
};


static ngx_agt_parameter_t  ngx_agt_error_body = {
    ngx_string(""), ngx_agt_parameter_word, 0, 0, 0, ngx_agt_error_body_words,
    "\"html\" or \"problem\""
};


static ngx_agt_parameter_t  ngx_agt_max_size = {
    ngx_string(""), ngx_agt_parameter_size, 0, 0, NGX_MAX_SIZE_T_VALUE, NULL,
    "a size, like \"4k\""
};


/* no sum of one of these and the time of day overflows */

static ngx_agt_parameter_t  ngx_agt_leeway = {
    ngx_string(""), ngx_agt_parameter_seconds, 0, 0, 24 * 60 * 60, NULL,
    "a time, like \"5s\" (1d at most)"
};


static ngx_agt_parameter_t  ngx_agt_timeout = {
    ngx_string(""), ngx_agt_parameter_time, 0, 0, 24 * 60 * 60 * 1000, NULL,
    "a time, like \"3s\" (1d at most)"
};


static ngx_agt_parameter_t  ngx_agt_recheck = {
    ngx_string(""), ngx_agt_parameter_time_or_off, 0, 1000,
    24 * 60 * 60 * 1000, NULL,
    "a time, like \"5s\" (between 1s and 1d), or \"off\""
};


static ngx_agt_parameter_t  ngx_agt_ttl = {
    ngx_string(""), ngx_agt_parameter_seconds, 0, 1, 10 * 365 * 24 * 60 * 60,
    NULL,
    "a time, like \"24h\" (between 1s and 10y: with 0, a denial would end as "
    "it begins)"
};


static ngx_agt_parameter_t  ngx_agt_inflight = {
    ngx_string(""), ngx_agt_parameter_number, 0, 1, 65536, NULL,
    "a number, like \"64\" (between 1 and 65536)"
};


static ngx_agt_parameter_t  ngx_agt_organisation = {
    ngx_string(""), ngx_agt_parameter_value, 0, 0, 0, NULL,
    "an organisation, like \"riverton\""
};


static ngx_agt_parameter_t  ngx_agt_denials_size = {
    ngx_string(""), ngx_agt_parameter_size, 0, 0, NGX_MAX_SIZE_T_VALUE, NULL,
    "a size, like \"2m\""
};


static ngx_agt_parameter_t  ngx_agt_worker_cache = {
    ngx_string(""), ngx_agt_parameter_size, 0, NGX_AGT_WORKER_CACHE_MIN,
    NGX_MAX_SIZE_T_VALUE, NULL,
    "a size, like \"1m\" (64k at least)"
};


static ngx_conf_post_t  ngx_agt_api_keys = {
    ngx_agt_check_api_keys
};


static ngx_conf_post_t  ngx_agt_forward = {
    ngx_agt_check_forward
};


/* the directives of requirements: token/policy has their table */

#define NGX_AGT_REQUIRE_COMMAND(kind, form, directive, verdict, reason,       \
                                judged)                                       \
    { ngx_string(directive),                                                  \
      NGX_AGT_ANYWHERE|NGX_AGT_FORM_ARGS_##form,                              \
      ngx_agt_set_requirement,                                                \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      NGX_AGT_REQUIRE_##kind,                                                 \
      NULL },


static ngx_command_t  ngx_agt_commands[] = {

    { ngx_string("agilicus_token"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, enable),
      &ngx_agt_enable },

    { ngx_string("agilicus_token_phase"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, phase),
      &ngx_agt_phase },

    { ngx_string("agilicus_token_realm"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_realm,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_source"),
      NGX_AGT_ANYWHERE|NGX_CONF_1MORE,
      ngx_agt_set_source,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_max_size"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, max_size),
      &ngx_agt_max_size },

    { ngx_string("agilicus_token_leeway"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, leeway),
      &ngx_agt_leeway },

    NGX_AGT_REQUIREMENTS(NGX_AGT_REQUIRE_COMMAND)

    { ngx_string("agilicus_token_rules"),
      NGX_AGT_ANYWHERE|NGX_CONF_1MORE,
      ngx_agt_set_rules,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_preflight"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, preflight),
      &ngx_agt_preflight },

    { ngx_string("agilicus_token_resource_metadata"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_metadata,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_error_body"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, error_body),
      &ngx_agt_error_body },

    { ngx_string("agilicus_token_forward"),
      NGX_AGT_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, forward),
      &ngx_agt_forward },

    { ngx_string("agilicus_token_reissue"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_reissue,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, reissue),
      &ngx_agt_organisation },

    { ngx_string("agilicus_token_create"),
      NGX_AGT_ANYWHERE|NGX_CONF_1MORE,
      ngx_agt_set_create,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_identity_headers"),
      NGX_AGT_ANYWHERE|NGX_CONF_1MORE,
      ngx_agt_set_identity,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_api"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_url),
      NULL },

    { ngx_string("agilicus_token_api_credential"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE12,
      ngx_agt_set_credential,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_api_keys"),
      NGX_AGT_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_keys),
      &ngx_agt_api_keys },

    { ngx_string("agilicus_token_api_header"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE2,
      ngx_agt_set_api_header,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_api_connect_timeout"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_connect_timeout),
      &ngx_agt_timeout },

    { ngx_string("agilicus_token_api_timeout"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_timeout),
      &ngx_agt_timeout },

    { ngx_string("agilicus_token_api_proxy"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_proxy),
      NULL },

    { ngx_string("agilicus_token_api_ssl_verify"),
      NGX_AGT_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_ssl_verify),
      NULL },

    { ngx_string("agilicus_token_api_ssl_trusted_certificate"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_ssl_trusted_certificate),
      NULL },

    { ngx_string("agilicus_token_api_ssl_certificate"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_ssl_certificate),
      NULL },

    { ngx_string("agilicus_token_api_ssl_certificate_key"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, api_ssl_certificate_key),
      NULL },

    { ngx_string("agilicus_token_introspect_options"),
      NGX_AGT_ANYWHERE|NGX_CONF_1MORE,
      ngx_agt_set_introspect_options,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_api_max_inflight"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_agt_main_conf_t, max_inflight),
      &ngx_agt_inflight },

    { ngx_string("agilicus_token_api_rate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_agt_set_rate,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_signature"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_agt_set_signature,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_api_breaker"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_agt_set_breaker,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_agt_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_denials"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_agt_set_denials,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_agt_main_conf_t, denials_size),
      &ngx_agt_denials_size },

    { ngx_string("agilicus_token_cache"),
      NGX_AGT_ANYWHERE|NGX_CONF_TAKE1,
      ngx_agt_set_cache,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_worker_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_agt_main_conf_t, worker_cache),
      &ngx_agt_worker_cache },

    { ngx_string("agilicus_token_cache_valid"),
      NGX_AGT_ANYWHERE|NGX_CONF_1MORE,
      ngx_agt_set_cache_valid,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_cache_stale"),
      NGX_AGT_ANYWHERE|NGX_CONF_1MORE,
      ngx_agt_set_cache_stale,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_revocation_feed"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_ANY,
      ngx_agt_set_feed,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_fleet"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_agt_set_fleet,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_revocation_ttl"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_agt_main_conf_t, revocation_ttl),
      &ngx_agt_ttl },

    { ngx_string("agilicus_token_recheck"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_agt_parameter_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_agt_loc_conf_t, recheck),
      &ngx_agt_recheck },

    { ngx_string("agilicus_token_revoke"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_agt_set_revoke,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_revocation_hook"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_agt_set_hook,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("agilicus_token_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_agt_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_agt_module_ctx = {
    ngx_agt_add_variables,       /* preconfiguration */
    ngx_agt_postconfiguration,   /* postconfiguration */

    ngx_agt_create_main_conf,    /* create main configuration */
    ngx_agt_init_main_conf,      /* init main configuration */

    NULL,                                   /* create server configuration */
    NULL,                                   /* merge server configuration */

    ngx_agt_create_loc_conf,     /* create location configuration */
    ngx_agt_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_agilicus_token_module = {
    NGX_MODULE_V1,
    &ngx_agt_module_ctx,         /* module context */
    ngx_agt_commands,            /* module directives */
    NGX_HTTP_MODULE,                        /* module type */
    NULL,                                   /* init master */
    ngx_agt_init_module,         /* init module */
    ngx_agt_init_process,        /* init process */
    NULL,                                   /* init thread */
    NULL,                                   /* exit thread */
    ngx_agt_exit_process,        /* exit process */
    ngx_agt_exit_master,         /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_agt_add_variables(ngx_conf_t *cf)
{
    if (ngx_agt_variables_add(cf) != NGX_OK
        || ngx_agt_upstream_add_variables(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_agt_cache_control_add_variable(cf);
}


/* in the master, with zones made and the old cycle still there */

static ngx_int_t
ngx_agt_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t      *ccf;
    ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_agilicus_token_module);

    if (mcf == NULL || !mcf->used) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    mcf->api.cycle = ++mcf->api.denials->sh->cycles;

    if (ngx_agt_wake_create(&mcf->api.wake,
                            ngx_max(ccf->worker_processes, 1),
                            cycle)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    mcf->feed.leeway = mcf->api.max_leeway;

    ngx_agt_feed_configure(mcf->api.denials, &mcf->feed, mcf->api.cycle);

    ngx_agt_jwsk_configure(mcf->api.first, &mcf->jwsk, mcf->api.cycle);

    ngx_agt_fleet_configure(mcf->api.denials, &mcf->fleet, mcf->api.cycle,
                            mcf->api.max_leeway);

    if (ngx_agt_seal_init(cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_agt_early_init(cycle, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_agt_origins_init(mcf);
}


static ngx_int_t
ngx_agt_init_process(ngx_cycle_t *cycle)
{
    ngx_agt_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_agilicus_token_module);

    if (mcf == NULL || !mcf->used) {
        return NGX_OK;
    }

    ngx_agt_recheck_init(mcf->recheck, cycle->log);

    if (ngx_agt_worker_cache_init(mcf->worker_cache) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "agilicus token: mmap() of \"agilicus_token_worker_"
                      "cache\" failed");
    }

    if (ngx_agt_early_worker(mcf, cycle->log) != NGX_OK
        || ngx_agt_host_rules_init() != NGX_OK
        || ngx_agt_call_init(&mcf->api, cycle->log) != NGX_OK
        || ngx_agt_deliver_init(&mcf->deliver, cycle->log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_agt_credential_init(&mcf->api, cycle->log);
    ngx_agt_jwsk_init(&mcf->jwsk, cycle->log);

    if (ngx_agt_fleet_init(&mcf->fleet, mcf->api.denials, mcf->api.cycle,
                           mcf->api.max_leeway, cycle->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_agt_feed_init(&mcf->feed, cycle->log);
}


static void
ngx_agt_exit_process(ngx_cycle_t *cycle)
{
    ngx_agt_feed_exit();
    ngx_agt_credential_exit();
    ngx_agt_fleet_exit();
    ngx_agt_jwsk_exit();
    ngx_agt_deliver_exit();
    ngx_agt_call_exit();
    ngx_agt_early_exit();
    ngx_agt_host_rules_exit();
    ngx_agt_worker_cache_exit();
}


static void
ngx_agt_exit_master(ngx_cycle_t *cycle)
{
    ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_agilicus_token_module);

    if (mcf && mcf->used) {
        ngx_agt_deliver_end(&mcf->api, cycle->log);
    }
}
