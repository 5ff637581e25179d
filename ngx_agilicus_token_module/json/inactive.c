
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/inactive.h"
#include "json/token.h"


/*
 * Members that can say that a token, or its user, is not valid.  The API
 * documents few of them, and an answer may have more members than are
 * documented.  Any value that does not clearly say "valid" counts as "not
 * valid".
 */

typedef enum {
    NGX_AGT_MARKER_TRUE = 0,   /* must be true where it is there */
    NGX_AGT_MARKER_FALSE,      /* must be false or null */
    NGX_AGT_MARKER_TIME,       /* must be ahead or null */
    NGX_AGT_MARKER_STATUS      /* must be "active" or null */
} ngx_agt_marker_e;


typedef struct {
    const char       *name;   /* of the user's */
    ngx_agt_marker_e  kind;
} ngx_agt_marker_t;


#define NGX_AGT_MARKER_USER  (sizeof("user.") - 1)

#define ngx_agt_marker(name, kind)                                           \
    { "user." name, NGX_AGT_MARKER_ ## kind }

#define ngx_agt_marker_with_times(name)                                      \
    ngx_agt_marker(name, FALSE),                                             \
    ngx_agt_marker(name "_at", TIME),                                        \
    ngx_agt_marker(name "_at_time", TIME)


static const ngx_agt_marker_t  ngx_agt_markers[] = {
    ngx_agt_marker("active", TRUE),
    ngx_agt_marker("enabled", TRUE),
    ngx_agt_marker("valid", TRUE),

    ngx_agt_marker_with_times("revoked"),
    ngx_agt_marker_with_times("disabled"),
    ngx_agt_marker_with_times("expired"),
    ngx_agt_marker_with_times("deleted"),
    ngx_agt_marker_with_times("suspended"),
    ngx_agt_marker_with_times("blocked"),
    ngx_agt_marker_with_times("locked"),
    ngx_agt_marker_with_times("inactive"),
    ngx_agt_marker_with_times("invalid"),

    ngx_agt_marker("status", STATUS),
    ngx_agt_marker("oper_status", STATUS),

    { NULL, NGX_AGT_MARKER_TRUE }
};


static ngx_uint_t ngx_agt_json_marker(json_t *object,
    const char *name, ngx_agt_marker_e kind, ngx_uint_t user,
    int64_t now, ngx_agt_facts_t *facts);
static ngx_uint_t ngx_agt_json_marker_time(json_t *object,
    const char *name, int64_t now, ngx_agt_facts_t *facts);


ngx_uint_t
ngx_agt_json_inactive(json_t *root, int64_t now, ngx_agt_facts_t *facts)
{
    json_t                  *user;
    const char              *name;
    ngx_uint_t               number;
    const ngx_agt_marker_t  *m;

    user = json_object_get(root, "user");

    for (m = ngx_agt_markers; m->name; m++) {
        name = m->name + NGX_AGT_MARKER_USER;
        number = 1 + 2 * (ngx_uint_t) (m - ngx_agt_markers);

        if (ngx_agt_json_marker(root, name, m->kind, 0, now, facts)) {
            return number;
        }

        if (ngx_agt_json_marker(user, name, m->kind, 1, now, facts)) {
            return number + 1;
        }
    }

    return 0;
}


const char *
ngx_agt_json_token_member(ngx_uint_t number)
{
    const char  *name;

    if (number == 0 || number > 2 * (sizeof(ngx_agt_markers)
                                     / sizeof(ngx_agt_marker_t) - 1))
    {
        return "";
    }

    name = ngx_agt_markers[(number - 1) / 2].name;

    return (number % 2) ? name + NGX_AGT_MARKER_USER : name;
}


/* 1 if this member says no; an object that is none has no member */

static ngx_uint_t
ngx_agt_json_marker(json_t *object, const char *name, ngx_agt_marker_e kind,
    ngx_uint_t user, int64_t now, ngx_agt_facts_t *facts)
{
    json_t      *value;
    const char  *status;

    value = json_object_get(object, name);

    if (value == NULL) {
        return 0;
    }

    switch (kind) {

    case NGX_AGT_MARKER_TRUE:
        return !json_is_true(value);

    case NGX_AGT_MARKER_FALSE:
        return !json_is_false(value) && !json_is_null(value);

    case NGX_AGT_MARKER_TIME:
        return ngx_agt_json_marker_time(object, name, now, facts);

    default: /* NGX_AGT_MARKER_STATUS */

        if (json_is_null(value)) {
            return 0;
        }

        /* API: a pending user may use permissions that were granted before */

        status = json_string_value(value);

        return status == NULL
               || (ngx_strcmp(status, "active") != 0
                   && !(user && ngx_strcmp(status, "pending") == 0));
    }
}


/* a time that cannot be read may have come */

static ngx_uint_t
ngx_agt_json_marker_time(json_t *object, const char *name,
    int64_t now, ngx_agt_facts_t *facts)
{
    int64_t    sec;
    ngx_int_t  rc;

    rc = ngx_agt_json_date(object, name, &sec);

    if (rc == NGX_DECLINED) {
        return 0;
    }

    if (rc != NGX_OK || sec <= now) {
        return 1;
    }

    if (!facts->has_end || sec < facts->end) {
        facts->has_end = 1;
        facts->end = sec;
    }

    return 0;
}
