
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/files.h"
#include "config/place.h"
#include "token/bearer.h"
#include "token/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/mman.h>


/* bytes of a file that is read at start, at most */
#define NGX_AGT_MAX_FILE  (4 * 1024 * 1024)


static ngx_int_t ngx_agt_file_read_line(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_str_t *content);
static ngx_int_t ngx_agt_file_read(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_uint_t secret, ngx_str_t *content);
static ngx_int_t ngx_agt_file_read_new(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_agt_file_t *f);
static ngx_int_t ngx_agt_file_read_open(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_file_t *file, ngx_agt_file_t *f);
static ngx_int_t ngx_agt_file_refuse(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_err_t err, const char *why);
static u_char *ngx_agt_file_pages(ngx_conf_t *cf, size_t size);
static void ngx_agt_file_free_pages(void *data);
static ngx_int_t ngx_agt_file_check_pem(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_str_t *pem, ngx_uint_t key);
static int ngx_agt_no_password(char *buf, int size, int rwflag, void *data);


ngx_int_t
ngx_agt_file_read_pem(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_uint_t key, ngx_str_t *content)
{
    if (ngx_agt_file_read(cf, setting, key, content) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_agt_file_check_pem(cf, setting, content, key);
}


ngx_int_t
ngx_agt_file_read_credential(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_str_t *content)
{
    if (ngx_agt_file_read_line(cf, setting, content) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_agt_bearer_is_token68(content)) {
        return ngx_agt_file_refuse(cf, setting, 0, "holds no bearer token: "
                                   "it must have one token, on one line, and "
                                   "nothing else");
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_file_read_password(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_str_t *content)
{
    size_t  i;

    if (ngx_agt_file_read_line(cf, setting, content) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < content->len && content->data[i] >= ' '; i++) {
        /* void */
    }

    if (content->len == 0 || i < content->len) {
        return ngx_agt_file_refuse(cf, setting, 0, "holds no password: it must "
                                   "have one line of text and nothing else");
    }

    return NGX_OK;
}


/* a secret, without what ends its line */

static ngx_int_t
ngx_agt_file_read_line(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_str_t *content)
{
    if (ngx_agt_file_read(cf, setting, 1, content) != NGX_OK) {
        return NGX_ERROR;
    }

    while (content->len && (content->data[content->len - 1] == '\n'
                            || content->data[content->len - 1] == '\r'))
    {
        content->len--;
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_file_read_keys(ngx_conf_t *cf, const ngx_agt_setting_t *setting,
    ngx_agt_key_t *keys, ngx_uint_t *n)
{
    ngx_str_t  content;

    if (ngx_agt_file_read(cf, setting, 0, &content) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_agt_digest_init() != NGX_OK
        || ngx_agt_es256_pem(&content, keys, n) != NGX_OK)
    {
        return ngx_agt_file_refuse(cf, setting, 0,
                                   "holds no public key on P-256 in PEM, or "
                                   "more than 32, or something else besides");
    }

    return NGX_OK;
}


/* a file that several locations name is read once */

static ngx_int_t
ngx_agt_file_read(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_uint_t secret, ngx_str_t *content)
{
    ngx_uint_t            i;
    ngx_agt_file_t       *f;
    ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    f = mcf->files.elts;

    for (i = 0; i < mcf->files.nelts; i++) {
        if (ngx_agt_text_equal(&f[i].name, &setting->value)) {
            f = &f[i];
            goto found;
        }
    }

    f = ngx_array_push(&mcf->files);
    if (f == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(f, sizeof(ngx_agt_file_t));

    f->name = setting->value;

    if (ngx_agt_file_read_new(cf, setting, f) != NGX_OK) {
        mcf->files.nelts--;
        return NGX_ERROR;
    }

found:

    if (secret && f->exposed) {
        return ngx_agt_file_refuse(cf, setting, 0,
                                   "holds a secret and everybody "
                                   "can read it, take the "
                                   "permission away with \"chmod o-r\"");
    }

    *content = f->content;

    return NGX_OK;
}


static ngx_int_t
ngx_agt_file_read_new(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_agt_file_t *f)
{
    ngx_int_t   rc;
    ngx_file_t  file;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = f->name;
    file.log = cf->log;

    /* a pipe must not hold nginx up; it is refused then */

    file.fd = ngx_open_file(f->name.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        return ngx_agt_file_refuse(cf, setting, ngx_errno, "cannot be opened");
    }

    rc = ngx_agt_file_read_open(cf, setting, &file, f);

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &f->name);
    }

    return rc;
}


static ngx_int_t
ngx_agt_file_read_open(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_file_t *file, ngx_agt_file_t *f)
{
    off_t    size;
    ssize_t  n;

    if (ngx_fd_info(file->fd, &file->info) == NGX_FILE_ERROR) {
        return ngx_agt_file_refuse(cf, setting, ngx_errno, "cannot be read");
    }

    if (!ngx_is_file(&file->info)) {
        return ngx_agt_file_refuse(cf, setting, 0, "is not a regular file");
    }

    f->exposed = (ngx_file_access(&file->info) & S_IROTH) != 0;

    size = ngx_file_size(&file->info);

    if (size <= 0 || size > NGX_AGT_MAX_FILE) {
        return ngx_agt_file_refuse(cf, setting, 0,
                                   size <= 0 ? "is empty" : "is too large");
    }

    f->content.data = ngx_agt_file_pages(cf, (size_t) size);
    if (f->content.data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_read_file(file, f->content.data, (size_t) size, 0);

    if (n != (ssize_t) size) {
        return ngx_agt_file_refuse(cf, setting, 0, "cannot be read as a whole");
    }

    f->content.len = (size_t) size;

    return NGX_OK;
}


/* the system's own file of authorities has no directive that names it */

static ngx_int_t
ngx_agt_file_refuse(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_err_t err, const char *why)
{
    if (setting->place.name.len) {
        return ngx_agt_place_refuse(cf, &setting->place, err,
                              "\"%V\" names \"%V\", which %s",
                              &setting->place.name, &setting->value, why);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                       "the system's certificate authorities are in \"%V\", "
                       "which %s", &setting->value, why);

    return NGX_ERROR;
}


/*
 * Each worker inherits the contents of the files.  They lie on pages of their
 * own, which are left out of core dumps.
 */

static u_char *
ngx_agt_file_pages(ngx_conf_t *cf, size_t size)
{
    u_char              *p;
    ngx_str_t           *pages;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NULL;
    }

    size = ngx_align(size, ngx_pagesize);

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1,
             0);

    if (p == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "agilicus token: mmap() failed");
        return NULL;
    }

#ifdef MADV_DONTDUMP
    (void) madvise(p, size, MADV_DONTDUMP);
#endif

    pages = cln->data;
    pages->data = p;
    pages->len = size;

    cln->handler = ngx_agt_file_free_pages;

    return p;
}


static void
ngx_agt_file_free_pages(void *data)
{
    ngx_str_t *pages = data;

    ngx_explicit_memzero(pages->data, pages->len);

    (void) munmap(pages->data, pages->len);
}


/* what a worker could not use is refused here */

static ngx_int_t
ngx_agt_file_check_pem(ngx_conf_t *cf,
    const ngx_agt_setting_t *setting, ngx_str_t *pem, ngx_uint_t key)
{
    BIO         *bio;
    X509        *x509;
    EVP_PKEY    *pkey;
    ngx_uint_t   good;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);
    if (bio == NULL) {
        return NGX_ERROR;
    }

    x509 = NULL;
    pkey = NULL;

    if (key) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL, ngx_agt_no_password, NULL);
        good = (pkey != NULL);

    } else {
        x509 = PEM_read_bio_X509_AUX(bio, NULL, ngx_agt_no_password, NULL);
        good = (x509 != NULL);
    }

    EVP_PKEY_free(pkey);
    X509_free(x509);
    BIO_free(bio);
    ERR_clear_error();

    if (!good) {
        return ngx_agt_file_refuse(cf, setting, 0,
                   key ? "holds no private key without a password in PEM"
                       : "holds no certificate in PEM");
    }

    return NGX_OK;
}


static int
ngx_agt_no_password(char *buf, int size, int rwflag, void *data)
{
    return 0;
}
