
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_fleet.h"
#include "config/files.h"
#include "config/parameters.h"
#include "config/place.h"
#include "fleet/seal.h"


#define NGX_AGT_FLEET_PORT  6379


/* what the parameters give beside the conf itself */

typedef struct {
    ngx_agt_fleet_conf_t  *fleet;
    ngx_agt_setting_t      password;
    ngx_agt_setting_t      ca;
    unsigned               plaintext:1;
} ngx_agt_fleet_args_t;


static char *ngx_agt_fleet_argument(ngx_conf_t *cf, ngx_agt_fleet_args_t *args,
    ngx_str_t *value);
static ngx_uint_t ngx_agt_fleet_is(ngx_str_t *value, const char *name,
    ngx_str_t *text);
static char *ngx_agt_fleet_add_server(ngx_conf_t *cf,
    ngx_agt_fleet_args_t *args, ngx_str_t *value, ngx_uint_t tls,
    ngx_str_t *text);
static ngx_int_t ngx_agt_fleet_split_db(ngx_str_t *text, ngx_str_t *db);
static char *ngx_agt_fleet_key(ngx_conf_t *cf, ngx_agt_fleet_args_t *args,
    ngx_str_t *value, ngx_str_t *text);
static void ngx_agt_fleet_free_keys(void *data);
static ngx_uint_t ngx_agt_fleet_is_name(const ngx_str_t *name);
static char *ngx_agt_fleet_file(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_agt_setting_t *setting);
static char *ngx_agt_fleet_finish(ngx_conf_t *cf, ngx_agt_fleet_args_t *args);
static ngx_uint_t ngx_agt_fleet_is_loopback(
    const ngx_agt_fleet_server_t *server);
static char *ngx_agt_fleet_tls(ngx_conf_t *cf, ngx_agt_fleet_args_t *args);
static ngx_int_t ngx_agt_fleet_names(ngx_conf_t *cf,
    ngx_agt_fleet_conf_t *fleet);


char *
ngx_agt_set_fleet(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    ngx_int_t              rc;
    ngx_str_t             *value;
    ngx_uint_t             i;
    ngx_agt_fleet_args_t   args;

    if (mcf->fleet_set) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    mcf->fleet_set = 1;
    ngx_agt_place_set(cf, &mcf->fleet_place);

    rc = ngx_agt_parameters_off(cf);

    if (rc != NGX_DECLINED) {
        return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    ngx_memzero(&args, sizeof(ngx_agt_fleet_args_t));

    args.fleet = &mcf->fleet;

    if (ngx_array_init(&mcf->fleet.servers, cf->pool, 2,
                       sizeof(ngx_agt_fleet_server_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_agt_fleet_argument(cf, &args, &value[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_agt_fleet_finish(cf, &args);
}


static char *
ngx_agt_fleet_argument(ngx_conf_t *cf, ngx_agt_fleet_args_t *args,
    ngx_str_t *value)
{
    ngx_int_t              ms;
    ngx_str_t              text;
    ngx_agt_fleet_conf_t  *fleet;

    fleet = args->fleet;

    if (ngx_agt_fleet_is(value, "redis://", &text)) {
        return ngx_agt_fleet_add_server(cf, args, value, 0, &text);
    }

    if (ngx_agt_fleet_is(value, "rediss://", &text)) {
        return ngx_agt_fleet_add_server(cf, args, value, 1, &text);
    }

    if (ngx_agt_fleet_is(value, "unix:", &text)) {
        return ngx_agt_fleet_add_server(cf, args, value, 0, value);
    }

    if (ngx_agt_fleet_is(value, "key=", &text)) {
        return ngx_agt_fleet_key(cf, args, value, &text);
    }

    if (ngx_agt_fleet_is(value, "name=", &text)) {

        if (fleet->name.len) {
            return ngx_agt_parameter_repeated(cf, value);
        }

        fleet->name = text;

        return ngx_agt_fleet_is_name(&text) ? NGX_CONF_OK
               : ngx_agt_parameter_refuse(cf, value, "like \"name=agilicus\" "
                     "(letters, digits, \".\", \"_\" and \"-\", 64 at most)");
    }

    if (ngx_agt_fleet_is(value, "timeout=", &text)) {

        if (fleet->timeout) {
            return ngx_agt_parameter_repeated(cf, value);
        }

        ms = ngx_parse_time(&text, 0);

        if (ms == NGX_ERROR || ms < 100 || ms > 60000) {
            return ngx_agt_parameter_refuse(cf, value, "like \"timeout=1s\" "
                                            "(between 100ms and 1m)");
        }

        fleet->timeout = (ngx_msec_t) ms;

        return NGX_CONF_OK;
    }

    if (ngx_agt_fleet_is(value, "user=", &text)) {

        if (fleet->user.len) {
            return ngx_agt_parameter_repeated(cf, value);
        }

        fleet->user = text;

        return text.len ? NGX_CONF_OK
               : ngx_agt_parameter_refuse(cf, value, "like \"user=edge\"");
    }

    if (ngx_agt_fleet_is(value, "password=", &text)) {
        return ngx_agt_fleet_file(cf, value, &text, &args->password);
    }

    if (ngx_agt_fleet_is(value, "ca=", &text)) {
        return ngx_agt_fleet_file(cf, value, &text, &args->ca);
    }

    if (value->len == sizeof("plaintext") - 1
        && ngx_strncmp(value->data, "plaintext", value->len) == 0)
    {
        if (args->plaintext) {
            return ngx_agt_parameter_repeated(cf, value);
        }

        args->plaintext = 1;

        return NGX_CONF_OK;
    }

    return ngx_agt_parameter_refuse(cf, value, "a URL (\"redis://host:port\", "
               "\"rediss://host:port\" or \"unix:path\"), \"key=\", \"name=\", "
               "\"timeout=\", \"user=\", \"password=\", \"ca=\" or "
               "\"plaintext\"");
}


/* 1 with what follows "name" in "value" */

static ngx_uint_t
ngx_agt_fleet_is(ngx_str_t *value, const char *name, ngx_str_t *text)
{
    size_t  len;

    len = ngx_strlen(name);

    if (value->len < len || ngx_strncmp(value->data, name, len) != 0) {
        return 0;
    }

    text->data = value->data + len;
    text->len = value->len - len;

    return 1;
}


static char *
ngx_agt_fleet_add_server(ngx_conf_t *cf, ngx_agt_fleet_args_t *args,
    ngx_str_t *value, ngx_uint_t tls, ngx_str_t *text)
{
    size_t                   i;
    ngx_url_t                u;
    struct in6_addr          addr6;
    ngx_agt_fleet_server_t  *server;

    static const char  form[] = "like \"redis://127.0.0.1:6379/0\", without "
        "options";

#if !(NGX_SSL)

    if (tls) {
        return ngx_agt_directive_refuse(cf, "cannot use \"rediss://\", for "
                                        "this nginx was built without TLS");
    }

#endif

    server = ngx_array_push(&args->fleet->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_agt_fleet_server_t));

    server->url = *value;
    server->tls = (tls != 0);

    if (text != value) {

        /* a message with the URL would have the password in it */

        if (ngx_strlchr(text->data, text->data + text->len, '@')) {
            return ngx_agt_directive_refuse(cf, "takes a URL without a user "
                                            "and a password: write \"user=\" "
                                            "and \"password=\"");
        }

        if (ngx_agt_fleet_split_db(text, &server->db) != NGX_OK) {
            return ngx_agt_parameter_refuse(cf, value, form);
        }

        for (i = 0; i < text->len; i++) {
            if (text->data[i] == '?' || text->data[i] == '#'
                || text->data[i] <= ' ')
            {
                return ngx_agt_parameter_refuse(cf, value, form);
            }
        }
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *text;
    u.default_port = NGX_AGT_FLEET_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_fleet\" names \"%V\": %s", value,
                           u.err ? u.err : "it cannot be resolved");
        return NGX_CONF_ERROR;
    }

    if (u.naddrs == 0) {
        return ngx_agt_parameter_refuse(cf, value, form);
    }

    server->addrs = u.addrs;
    server->naddrs = u.naddrs;
    server->port = u.port;

    server->host.data = ngx_pnalloc(cf->pool, u.host.len + 1);
    if (server->host.data == NULL) {
        return NGX_CONF_ERROR;
    }

    /* without brackets, and terminated, as OpenSSL takes it */

    server->host.len = u.host.len;

    if (u.host.len > 2 && u.host.data[0] == '[') {
        server->host.len -= 2;
        u.host.data++;
    }

    ngx_cpystrn(server->host.data, u.host.data, server->host.len + 1);

    server->literal =
        text == value
        || ngx_inet_addr(server->host.data, server->host.len) != INADDR_NONE
        || ngx_inet6_addr(server->host.data, server->host.len,
                          (u_char *) &addr6)
           == NGX_OK;

    return NGX_CONF_OK;
}


/* cuts the number of a database from "text" */

static ngx_int_t
ngx_agt_fleet_split_db(ngx_str_t *text, ngx_str_t *db)
{
    u_char     *slash;
    ngx_int_t   n;

    slash = ngx_strlchr(text->data, text->data + text->len, '/');

    if (slash == NULL) {
        return text->len ? NGX_OK : NGX_ERROR;
    }

    db->data = slash + 1;
    db->len = (size_t) (text->data + text->len - db->data);
    text->len = (size_t) (slash - text->data);

    if (db->len == 0) {
        return text->len ? NGX_OK : NGX_ERROR;
    }

    n = ngx_atoi(db->data, db->len);

    return (n != NGX_ERROR && n < 65536 && text->len) ? NGX_OK : NGX_ERROR;
}


static char *
ngx_agt_fleet_key(ngx_conf_t *cf, ngx_agt_fleet_args_t *args,
    ngx_str_t *value, ngx_str_t *text)
{
    const char             *why;
    ngx_err_t               err;
    ngx_pool_cleanup_t     *cln;
    ngx_agt_fleet_conf_t   *fleet;

    fleet = args->fleet;

    if (text->len == 0 || ngx_conf_full_name(cf->cycle, text, 1) != NGX_OK) {
        return ngx_agt_parameter_refuse(cf, value, "like \"key=fleet.key\"");
    }

    if (fleet->keys == NULL) {
        cln = ngx_pool_cleanup_add(cf->pool, 0);
        if (cln == NULL) {
            return NGX_CONF_ERROR;
        }

        fleet->keys = ngx_agt_fleet_keys_new(cf->log);
        if (fleet->keys == NULL) {
            return NGX_CONF_ERROR;
        }

        cln->handler = ngx_agt_fleet_free_keys;
        cln->data = fleet->keys;
    }

    if (fleet->keys->n == NGX_AGT_FLEET_KEYS) {
        return ngx_agt_directive_refuse(cf, "takes two keys at most: the "
                                        "first seals, and both open");
    }

    why = ngx_agt_fleet_keys_read(fleet->keys, (char *) text->data, &err);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "\"agilicus_token_fleet\" names the key \"%V\", "
                           "which %s", text, why);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_agt_fleet_free_keys(void *data)
{
    ngx_agt_fleet_keys_free(data);
}


static ngx_uint_t
ngx_agt_fleet_is_name(const ngx_str_t *name)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')
            && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
        {
            return 0;
        }
    }

    return name->len > 0 && name->len <= NGX_AGT_FLEET_NAME_MAX;
}


static char *
ngx_agt_fleet_file(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *text,
    ngx_agt_setting_t *setting)
{
    if (setting->value.data) {
        return ngx_agt_parameter_repeated(cf, value);
    }

    if (text->len == 0 || ngx_conf_full_name(cf->cycle, text, 1) != NGX_OK) {
        return ngx_agt_parameter_refuse(cf, value, "the name of a file");
    }

    setting->value = *text;
    ngx_agt_place_set(cf, &setting->place);

    return NGX_CONF_OK;
}


static char *
ngx_agt_fleet_finish(ngx_conf_t *cf, ngx_agt_fleet_args_t *args)
{
    char                    *rv;
    ngx_uint_t               i, tls;
    ngx_agt_fleet_conf_t    *fleet;
    ngx_agt_fleet_server_t  *servers;

    fleet = args->fleet;
    servers = fleet->servers.elts;

    if (fleet->servers.nelts == 0) {
        return ngx_agt_directive_refuse(cf, "needs a URL, like "
                                        "\"rediss://redis.example.com:6379\"");
    }

    if (fleet->keys == NULL) {
        return ngx_agt_directive_refuse(cf, "needs a \"key\", like "
                   "\"key=fleet.key\"; \"(umask 077; openssl rand -hex 32 "
                   ">fleet.key)\" makes one, which all edges share");
    }

    tls = 0;

    for (i = 0; i < fleet->servers.nelts; i++) {

        if (servers[i].tls) {
            tls = 1;

            continue;
        }

        servers[i].loopback = !args->plaintext;

        if (servers[i].loopback && !ngx_agt_fleet_is_loopback(&servers[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"agilicus_token_fleet\" names \"%V\", which is not "
                       "on this machine: use \"rediss://\", or add "
                       "\"plaintext\" where the network in between is yours",
                       &servers[i].url);
            return NGX_CONF_ERROR;
        }
    }

    if (args->ca.value.len && !tls) {
        return ngx_agt_directive_refuse(cf, "has a \"ca\" and no "
                                        "\"rediss://\" to verify with it");
    }

    if (fleet->user.len && args->password.value.len == 0) {
        return ngx_agt_directive_refuse(cf, "has a \"user\" and needs a "
                                        "\"password\" for it");
    }

    if (args->password.value.len
        && ngx_agt_file_read_password(cf, &args->password, &fleet->password)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (tls) {
        rv = ngx_agt_fleet_tls(cf, args);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (fleet->timeout == 0) {
        fleet->timeout = 1000;
    }

    if (ngx_agt_fleet_names(cf, fleet) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fleet->on = 1;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_agt_fleet_is_loopback(const ngx_agt_fleet_server_t *server)
{
    ngx_uint_t  i;

    for (i = 0; i < server->naddrs; i++) {
        if (!ngx_agt_fleet_names_is_loopback(server->addrs[i].sockaddr)) {
            return 0;
        }
    }

    return 1;
}


static char *
ngx_agt_fleet_tls(ngx_conf_t *cf, ngx_agt_fleet_args_t *args)
{
#if (NGX_SSL)

    ngx_ssl_t           *ssl;
    ngx_str_t            pem;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    ssl->log = cf->log;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (args->ca.value.len) {

        if (ngx_agt_file_read_pem(cf, &args->ca, 0, &pem) != NGX_OK
            || ngx_ssl_trusted_certificate(cf, ssl, &args->ca.value, 10)
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

    } else if (SSL_CTX_set_default_verify_paths(ssl->ctx) != 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the system's certificate authorities cannot be "
                           "used");
        return NGX_CONF_ERROR;
    }

    /* not nginx's callback, by which every certificate passes */

    SSL_CTX_set_verify(ssl->ctx, SSL_VERIFY_PEER, NULL);

    /* bytes that wait to be sent are moved where more are added */

    SSL_CTX_set_mode(ssl->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    args->fleet->ssl = ssl;

#endif

    return NGX_CONF_OK;
}


/* the keys in Redis */

static ngx_int_t
ngx_agt_fleet_names(ngx_conf_t *cf, ngx_agt_fleet_conf_t *fleet)
{
    ngx_uint_t  i;

    static const char  *words[] = { ":stream", ":epoch", ":lease" };

    ngx_str_t  *names[3];

    if (fleet->name.len == 0) {
        ngx_str_set(&fleet->name, "agilicus");
    }

    names[0] = &fleet->stream;
    names[1] = &fleet->epoch;
    names[2] = &fleet->lease;

    for (i = 0; i < 3; i++) {
        names[i]->len = fleet->name.len + ngx_strlen(words[i]);

        names[i]->data = ngx_pnalloc(cf->pool, names[i]->len);
        if (names[i]->data == NULL) {
            return NGX_ERROR;
        }

        ngx_sprintf(names[i]->data, "%V%s", &fleet->name, words[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_check_fleet(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    mcf->fleet.resolver = clcf->resolver;

    if (!mcf->fleet.on || mcf->denials_size >= NGX_AGT_FLEET_DENIALS_MIN) {
        return NGX_OK;
    }

    return ngx_agt_place_refuse(cf, &mcf->fleet_place, 0,
                   "\"agilicus_token_fleet\" needs "
                   "\"agilicus_token_denials\" of 256k at least");
}
