
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "json/token.h"
#include "json/document.h"
#include "rules/path.h"
#include "rules/rules.h"


/*
 * Decides on requests for rules_differential.py: reads Tokens and requests
 * from the standard input, and writes a line for each request.  A line of input
 * is a letter and the lengths of the strings that follow it, byte for byte:
 *
 *     T <token>                     a Token; the answer is "token" and whether
 *                                   it was read
 *     R <host> <method> <path> <query> <body> <flags>
 *                                   a request for the last one; flags are
 *                                   letters: "q" has a query, "s" search, "b"
 *                                   has a body that can be read
 */

#define SIZE  (1 << 20)


static ngx_int_t decide(ngx_str_t *part, ngx_agt_reason_e *reason);
static ngx_int_t read_parts(const char *line, ngx_str_t *part, ngx_uint_t n);
static ngx_uint_t has_flag(const ngx_str_t *flags, int flag);


static u_char                           buf[SIZE];
static ngx_agt_rules_t      *rules;
static ngx_agt_json_token_t  token;


int
main(void)
{
    char              line[256];
    ngx_int_t         rc;
    ngx_str_t         part[6];
    ngx_uint_t        i;
    ngx_agt_reason_e  reason;

    rules = ngx_agt_rules_create(512);
    if (rules == NULL) {
        return 1;
    }

    while (fgets(line, sizeof(line), stdin)) {

        if (line[0] == 'T' && read_parts(line, part, 1) == NGX_OK) {
            rc = ngx_agt_json_token(part[0].data, part[0].len, 0,
                                    buf, SIZE, &token);

            printf("token %d %u\n", (int) rc, (unsigned) token.dropped);
            free(part[0].data);

        } else if (line[0] == 'R' && read_parts(line, part, 6) == NGX_OK) {
            rc = decide(part, &reason);

            printf("%s %s\n", rc == NGX_OK ? "allow" : "refuse",
                   ngx_agt_reason_word(reason)->data);

            for (i = 0; i < 6; i++) {
                free(part[i].data);
            }

        } else {
            fprintf(stderr, "not understood: %s", line);
            return 1;
        }

        fflush(stdout);
    }

    ngx_agt_rules_destroy(rules);

    return 0;
}


static ngx_int_t
decide(ngx_str_t *part, ngx_agt_reason_e *reason)
{
    u_char                   *path;
    ngx_int_t                 rc;
    ngx_agt_rules_view_t      view;
    ngx_agt_json_document_t  *document;

    ngx_memzero(&view, sizeof(view));

    view.host = part[0];
    view.method = part[1];
    view.query = part[3];
    view.has_query = (has_flag(&part[5], 'q') != 0);
    view.search = (has_flag(&part[5], 's') != 0);

    path = malloc(part[2].len + 1);

    if (ngx_agt_path_decode(&part[2], path, &view.path) != NGX_OK) {
        free(path);
        *reason = NGX_AGT_REASON_PATH;
        return NGX_DECLINED;
    }

    rc = ngx_agt_rules_decide(rules, &token.rules, &view, reason);

    /* the body is only read where it is asked for */

    if (rc == NGX_AGAIN) {
        document = NULL;
        view.state = NGX_AGT_RULES_ABSENT;

        if (has_flag(&part[5], 'b')) {
            document = ngx_agt_json_document(part[4].data, part[4].len);
        }

        if (document) {
            view.state = NGX_AGT_RULES_GIVEN;
            view.body = document;
            view.pointer = ngx_agt_json_pointer;
        }

        rc = ngx_agt_rules_decide(rules, &token.rules, &view, reason);

        ngx_agt_json_release(&document);
    }

    free(path);

    return rc;
}


static ngx_int_t
read_parts(const char *line, ngx_str_t *part, ngx_uint_t n)
{
    int         used;
    size_t      len;
    ngx_uint_t  i;

    line++;

    for (i = 0; i < n; i++) {

        if (sscanf(line, " %zu%n", &len, &used) != 1) {
            return NGX_ERROR;
        }

        line += used;

        part[i].len = len;
        part[i].data = malloc(len ? len : 1);
    }

    for (i = 0; i < n; i++) {
        if (fread(part[i].data, 1, part[i].len, stdin) != part[i].len) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
has_flag(const ngx_str_t *flags, int flag)
{
    return memchr(flags->data, flag, flags->len) != NULL;
}
