
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_PARAMETERS_H_INCLUDED_
#define _NGX_AGT_CONFIG_PARAMETERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * One parser reads the parameters of all directives.  A directive has a table
 * of the parameters that it takes; each is given once at most, in any order.
 * A parameter of another form, or one that is not in the table, refuses the
 * configuration with a message that has the directive, the parameter as it was
 * written and the form that is expected.
 */

typedef struct ngx_agt_parameter_s  ngx_agt_parameter_t;

/*
 * Reads the text of a parameter, which is what follows its name, into "field".
 * NGX_OK, or NGX_ERROR for a text that is not of this form or out of bounds.
 */
typedef ngx_int_t (*ngx_agt_parameter_pt)(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);

struct ngx_agt_parameter_s {
    ngx_str_t               name;    /* with "=" at its end, or see below */
    ngx_agt_parameter_pt    read;
    size_t                  offset;  /* of the field in its structure */
    int64_t                 low;     /* of numbers; 0 at least */
    int64_t                 high;
    const ngx_conf_enum_t  *words;   /* of ngx_agt_parameter_word() */
    const char             *form;    /* what follows "it must be" */
};

/*
 * A name without "=" is a word that stands alone: ngx_agt_parameter_given().
 * The first row of a table may have an empty name: it is of the first argument,
 * which is a text without a name then.
 */


/*
 * The forms of texts.  The field is an ngx_msec_t; an ngx_msec_t, of which
 * "off" is 0; a time_t; a size_t; an ngx_uint_t; a uint64_t, in thousandths of
 * a call per second; an ngx_uint_t from the table of words, whatever the case
 * of their letters; an ngx_uint_t that becomes 1.
 */
ngx_int_t ngx_agt_parameter_time(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
ngx_int_t ngx_agt_parameter_time_or_off(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
ngx_int_t ngx_agt_parameter_seconds(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
ngx_int_t ngx_agt_parameter_size(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
ngx_int_t ngx_agt_parameter_number(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
ngx_int_t ngx_agt_parameter_rate(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
ngx_int_t ngx_agt_parameter_word(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
ngx_int_t ngx_agt_parameter_given(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);


/* milliseconds of ten years: a time can be added to others */
#define NGX_AGT_PARAMETER_LONGEST  ((int64_t) 10 * 365 * 86400 * 1000)

/* what is known of a directive that was read */
#define NGX_AGT_GIVEN      1
#define NGX_AGT_GIVEN_OFF  2

/* the words of flags: "off" is 0, "on" is 1 */
extern const ngx_conf_enum_t  ngx_agt_parameter_flag[];


/*
 * Reads all arguments of the directive by a table of "n" rows into the
 * structure "base".  NGX_CONF_OK, or NGX_CONF_ERROR with the cause logged.
 */
char *ngx_agt_parameters_read(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameters, ngx_uint_t n, void *base);

/*
 * Returns NGX_OK if the only argument of the directive is "off", NGX_DECLINED
 * if it has none or its first is another one, NGX_ERROR, with the cause logged,
 * if anything follows "off".
 */
ngx_int_t ngx_agt_parameters_off(ngx_conf_t *cf);

/*
 * Reads a directive as ngx_agt_parameters_read() does and sets "*given", which
 * is 0 at first, to NGX_AGT_GIVEN; a directive that was given before is
 * refused.  "or_off" takes "off" alone too, and "*given" is NGX_AGT_GIVEN_OFF
 * then.
 */
char *ngx_agt_parameters_once(ngx_conf_t *cf, ngx_uint_t *given,
    const ngx_agt_parameter_t *parameters, ngx_uint_t n, void *base);
char *ngx_agt_parameters_or_off(ngx_conf_t *cf, ngx_uint_t *given,
    const ngx_agt_parameter_t *parameters, ngx_uint_t n, void *base);

/*
 * The setter of a directive with one argument, whose field is unset at first;
 * "post" is its row, of which the name is empty and the offset is 0.
 */
char *ngx_agt_parameter_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Log that a parameter of the directive that is being read must be of another
 * form, that it is given twice, or what is wrong with the directive.  All
 * return NGX_CONF_ERROR.
 */
char *ngx_agt_parameter_refuse(ngx_conf_t *cf, const ngx_str_t *parameter,
    const char *form);
char *ngx_agt_parameter_repeated(ngx_conf_t *cf, const ngx_str_t *parameter);
char *ngx_agt_directive_refuse(ngx_conf_t *cf, const char *why);


#endif /* _NGX_AGT_CONFIG_PARAMETERS_H_INCLUDED_ */
