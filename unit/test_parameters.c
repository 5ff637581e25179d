
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "config/parameters.h"

#include <stdarg.h>
#include <strings.h>


typedef struct {
    ngx_uint_t   failures;
    ngx_msec_t   pause;
    ngx_msec_t   recheck;
    time_t       length;
    size_t       room;
    uint64_t     rate;
    ngx_uint_t   roles;
    ngx_uint_t   trusted;
} fields_t;


static void test_forms(void);
static void test_refused(void);
static void test_off(void);
static void test_set(void);
static const char *reads(const char *text);
static void split(const char *text);


static const ngx_agt_parameter_t  rows[] = {
    { ngx_string(""), ngx_agt_parameter_number,
      offsetof(fields_t, failures), 1, 100, NULL, "a number" },

    { ngx_string("pause="), ngx_agt_parameter_time,
      offsetof(fields_t, pause), 1000, 60000, NULL,
      "like \"pause=5s\" (1s to 1m)" },

    { ngx_string("recheck="), ngx_agt_parameter_time_or_off,
      offsetof(fields_t, recheck), 1000, 60000, NULL, "like \"recheck=5s\"" },

    { ngx_string("length="), ngx_agt_parameter_seconds,
      offsetof(fields_t, length), 0, 60, NULL, "like \"length=5s\"" },

    { ngx_string("room="), ngx_agt_parameter_size,
      offsetof(fields_t, room), 0, 4096, NULL, "like \"room=1k\"" },

    { ngx_string("rate="), ngx_agt_parameter_rate,
      offsetof(fields_t, rate), 1, 1000000, NULL, "like \"rate=5r/s\"" },

    { ngx_string("roles="), ngx_agt_parameter_word,
      offsetof(fields_t, roles), 0, 0, ngx_agt_parameter_flag,
      "\"roles=on\" or \"roles=off\"" },

    { ngx_string("trusted"), ngx_agt_parameter_given,
      offsetof(fields_t, trusted), 0, 0, NULL, "\"trusted\"" }
};

#define NROWS  (sizeof(rows) / sizeof(rows[0]))


static u_char       words[512];
static ngx_str_t    args[16];
static ngx_array_t  array = { args, 0, sizeof(ngx_str_t), 16, NULL };
static ngx_conf_t   cf;
static fields_t     fields;
static char         said[1024];


int
main(void)
{
    cf.args = &array;

    test_forms();
    test_refused();
    test_off();
    test_set();

    return unit_done();
}


static void
test_forms(void)
{
    unit_test("each form is read into its field");

    unit_check(reads("d 5 pause=2s recheck=3s length=4s room=1k rate=7r/s "
                     "roles=on trusted")
               == NULL);
    unit_check(fields.failures == 5 && fields.pause == 2000);
    unit_check(fields.recheck == 3000 && fields.length == 4);
    unit_check(fields.room == 1024 && fields.rate == 7000);
    unit_check(fields.roles == 1 && fields.trusted == 1);

    unit_test("only the first argument has no name");

    unit_check(reads("d 5") == NULL && fields.failures == 5);
    unit_check(reads("d pause=2s") != NULL);

    unit_test("bounds are within");

    unit_check(reads("d 1 pause=1s length=0s room=0") == NULL);
    unit_check(reads("d 100 pause=60s length=60s room=4k") == NULL);

    unit_test("words in any case, and \"off\"");

    fields.roles = 1;
    unit_check(reads("d 1 roles=OFF recheck=off") == NULL);
    unit_check(fields.roles == 0 && fields.recheck == 0);

    unit_test("a rate a minute is less than one a second");

    unit_check(reads("d 1 rate=30r/m") == NULL && fields.rate == 500);
    unit_check(reads("d 1 rate=1000000r/s") == NULL);
    unit_check(fields.rate == 1000000000);
}


static void
test_refused(void)
{
    ngx_uint_t   i;
    const char  *why;

    static const struct {
        const char  *text;
        const char  *why;
    } bad[] = {
        { "d 0", "\"0\" in \"d\" directive, it must be a number" },
        { "d 101", "\"101\" in \"d\" directive, it must be a number" },
        { "d x", "\"x\" in \"d\" directive, it must be a number" },
        { "d -1", "\"-1\" in \"d\" directive, it must be a number" },

        { "d 1 pause=999ms", "\"pause=999ms\" in \"d\" directive, it must be "
                             "like \"pause=5s\" (1s to 1m)" },
        { "d 1 pause=61s", "\"pause=61s\" in \"d\" directive, it must be like "
                           "\"pause=5s\" (1s to 1m)" },
        { "d 1 pause=", "\"pause=\" in \"d\" directive, it must be like "
                        "\"pause=5s\" (1s to 1m)" },
        { "d 1 pause=x", "\"pause=x\" in \"d\" directive, it must be like "
                         "\"pause=5s\" (1s to 1m)" },
        { "d 1 pause=off", "\"pause=off\" in \"d\" directive, it must be like "
                           "\"pause=5s\" (1s to 1m)" },

        { "d 1 recheck=no", "\"recheck=no\" in \"d\" directive, it must be "
                            "like \"recheck=5s\"" },
        { "d 1 length=61s", "\"length=61s\" in \"d\" directive, it must be "
                            "like \"length=5s\"" },
        { "d 1 room=5k", "\"room=5k\" in \"d\" directive, it must be like "
                         "\"room=1k\"" },
        { "d 1 room=-1", "\"room=-1\" in \"d\" directive, it must be like "
                         "\"room=1k\"" },

        { "d 1 rate=5/s", "\"rate=5/s\" in \"d\" directive, it must be like "
                          "\"rate=5r/s\"" },
        { "d 1 rate=r/s", "\"rate=r/s\" in \"d\" directive, it must be like "
                          "\"rate=5r/s\"" },
        { "d 1 rate=/s", "\"rate=/s\" in \"d\" directive, it must be like "
                         "\"rate=5r/s\"" },
        { "d 1 rate=0r/s", "\"rate=0r/s\" in \"d\" directive, it must be like "
                           "\"rate=5r/s\"" },
        { "d 1 rate=1000001r/m", "\"rate=1000001r/m\" in \"d\" directive, it "
                                 "must be like \"rate=5r/s\"" },

        { "d 1 roles=yes", "\"roles=yes\" in \"d\" directive, it must be "
                           "\"roles=on\" or \"roles=off\"" },
        { "d 1 roles=o", "\"roles=o\" in \"d\" directive, it must be "
                         "\"roles=on\" or \"roles=off\"" }
    };

    unit_test("what has not this form is refused, with the form");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why = reads(bad[i].text);

        unit_check_note(why && strncmp(why, "invalid parameter ", 18) == 0
                        && strcmp(why + 18, bad[i].why) == 0, bad[i].text);
    }

    unit_test("what is not known is refused, with all that is");

    for (i = 0; i < 3; i++) {
        why = reads(i == 0 ? "d 1 trusted=1"
                           : i == 1 ? "d 1 pauses=1s" : "d 1 2");

        unit_check(why && strstr(why, "it must be like \"pause=5s\" (1s to 1m)"
                                      " or like \"recheck=5s\" or ")
                   && strstr(why, " or \"roles=on\" or \"roles=off\" or "
                                  "\"trusted\""));
    }

    unit_test("each is given once");

    why = reads("d 1 pause=1s pause=2s");
    unit_check(why && strcmp(why, "duplicate parameter \"pause=2s\" in \"d\" "
                                  "directive") == 0);

    unit_check(reads("d 1 trusted trusted") != NULL);
}


static void
test_off(void)
{
    unit_test("nothing goes with \"off\"");

    split("d off");
    unit_check(ngx_agt_parameters_off(&cf) == NGX_OK);

    split("d offer");
    unit_check(ngx_agt_parameters_off(&cf) == NGX_DECLINED);

    split("d 1 off");
    unit_check(ngx_agt_parameters_off(&cf) == NGX_DECLINED);

    split("d off pause=1s");
    unit_check(ngx_agt_parameters_off(&cf) == NGX_ERROR);
    unit_check(strcmp(said, "invalid parameter \"pause=1s\" in \"d\" "
                            "directive, nothing goes with \"off\"") == 0);
}


static void
test_set(void)
{
    ngx_command_t  cmd;

    static ngx_agt_parameter_t  row = {
        ngx_string(""), ngx_agt_parameter_time, 0, 0, 1000, NULL, "a time"
    };

    unit_test("a directive with one argument");

    memset(&cmd, 0, sizeof(cmd));
    cmd.offset = offsetof(fields_t, pause);
    cmd.post = &row;
    fields.pause = NGX_CONF_UNSET_MSEC;

    split("d 1s");
    unit_check(ngx_agt_parameter_set(&cf, &cmd, &fields) == NGX_CONF_OK);
    unit_check(fields.pause == 1000);

    unit_check(ngx_agt_parameter_set(&cf, &cmd, &fields) == NGX_CONF_ERROR);
    unit_check(strcmp(said, "\"d\" directive is duplicate") == 0);

    fields.pause = NGX_CONF_UNSET_MSEC;

    split("d 2s");
    unit_check(ngx_agt_parameter_set(&cf, &cmd, &fields) == NGX_CONF_ERROR);
    unit_check(strcmp(said, "invalid parameter \"2s\" in \"d\" directive, it "
                            "must be a time") == 0);
}


/* what is said of a directive, NULL if it is taken */

static const char *
reads(const char *text)
{
    split(text);

    return ngx_agt_parameters_read(&cf, rows, NROWS, &fields) == NGX_CONF_OK
           ? NULL : said;
}


static void
split(const char *text)
{
    u_char  *p;

    said[0] = '\0';
    array.nelts = 0;

    strcpy((char *) words, text);

    for (p = (u_char *) strtok((char *) words, " "); p;
         p = (u_char *) strtok(NULL, " "))
    {
        args[array.nelts].data = p;
        args[array.nelts++].len = strlen((char *) p);
    }
}


/* what nginx has, as far as it takes here: digits and one unit */

static ngx_int_t
stub_number(const u_char *p, size_t len)
{
    ngx_int_t  n;

    if (len == 0) {
        return NGX_ERROR;
    }

    for (n = 0; len; len--, p++) {
        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        n = n * 10 + (*p - '0');
    }

    return n;
}


ngx_int_t
ngx_atoi(u_char *line, size_t n)
{
    return stub_number(line, n);
}


ssize_t
ngx_parse_size(ngx_str_t *line)
{
    ssize_t  n;

    if (line->len && line->data[line->len - 1] == 'k') {
        n = stub_number(line->data, line->len - 1);
        return n == NGX_ERROR ? n : n * 1024;
    }

    return stub_number(line->data, line->len);
}


ngx_int_t
ngx_parse_time(ngx_str_t *line, ngx_uint_t is_sec)
{
    ngx_int_t  n;

    if (line->len > 2 && line->data[line->len - 2] == 'm') {
        return stub_number(line->data, line->len - 2);
    }

    if (line->len == 0 || line->data[line->len - 1] != 's') {
        return NGX_ERROR;
    }

    n = stub_number(line->data, line->len - 1);

    return (n == NGX_ERROR || is_sec) ? n : n * 1000;
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


/* "%V" and "%s" */

static char *
stub_format(char *p, const char *fmt, va_list ap)
{
    ngx_str_t  *v;

    for ( ; *fmt; fmt++) {

        if (*fmt != '%') {
            *p++ = *fmt;

        } else if (*++fmt == 'V') {
            v = va_arg(ap, ngx_str_t *);
            memcpy(p, v->data, v->len);
            p += v->len;

        } else {
            p = stpcpy(p, va_arg(ap, char *));
        }
    }

    *p = '\0';

    return p;
}


u_char *
ngx_slprintf(u_char *buf, u_char *last, const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    buf = (u_char *) stub_format((char *) buf, fmt, ap);
    va_end(ap);

    return buf;
}


void
ngx_conf_log_error(ngx_uint_t level, ngx_conf_t *conf, ngx_err_t err,
    const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    (void) stub_format(said, fmt, ap);
    va_end(ap);
}
