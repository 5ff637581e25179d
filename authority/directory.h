/*
 * The directory: organisations, applications, and subjects with their
 * permissions. It is read from the seed file; while serving, only the status
 * and the roles of a subject change.
 */

#ifndef AG_DIRECTORY_H
#define AG_DIRECTORY_H


#include "json.h"

#include <pthread.h>


typedef struct ag_org_s  ag_org_t;

struct ag_org_s {
    const char      *id;
    const char      *name;
    const ag_org_t  *parent;   /* NULL at the root */
};


/* an application as one organisation uses it */

typedef struct {
    const ag_org_t  *org;
    const json_t    *hosts;    /* array of upstream host names */
} ag_instance_t;


typedef struct {
    const char      *id;
    const ag_org_t  *org;      /* the one that administers it */
    const json_t    *roles;    /* object: role to array of RenderedRule */
    ag_instance_t   *instances;
    size_t           ninstances;
} ag_app_t;


/* one entry of a subject's permissions */

typedef struct {
    const ag_org_t  *org;
    bool             inherit;  /* holds in organisations below, too */
    const json_t    *scopes;   /* array; NULL is none */
    const json_t    *roles;    /* object: application to array of roles */
    const json_t    *resources;  /* array of type, id and role; NULL is none */
} ag_grant_t;


/* the sum of all entries in one organisation; owned */

typedef struct {
    const ag_org_t  *org;
    json_t          *scopes;         /* array */
    json_t          *roles;          /* object: application to array */
    json_t          *resources;      /* array of TokensResourcePermission */
    char            *roles_text;     /* the same, rendered */
    char            *hosts_text[2];  /* HostPermissions: without and with
                                        matchers */
} ag_permission_t;


typedef enum {
    AG_STATUS_ACTIVE = 0,
    AG_STATUS_PENDING,             /* may do what an active one may */
    AG_STATUS_DISABLED
} ag_status_e;


typedef struct {
    const char       *id;
    const char       *email;         /* NULL if there is none */
    const ag_org_t   *org;           /* home organisation */
    const json_t     *seed;          /* as it stands in the seed */
    ag_grant_t       *grants;
    size_t            ngrants;
    ag_permission_t  *permissions;
    size_t            npermissions;
    ag_status_e       status;
    int64_t           disabled_at;   /* from then on; AG_NEVER if not */
    bool              service;       /* a service account, not a person */
} ag_subject_t;


typedef struct {
    json_t        *seed;             /* all constant strings live in here */
    const char    *issuer;
    ag_org_t      *orgs;
    size_t         norgs;
    ag_app_t      *apps;
    size_t         napps;
    ag_subject_t  *subjects;         /* sorted by id */
    size_t         nsubjects;

    pthread_mutex_t   turn;          /* to ask for the lock */
    pthread_rwlock_t  lock;          /* of what changes while serving */
} ag_directory_t;


/* A new and empty directory, or NULL. */
ag_directory_t *ag_directory_create(void);


/* Frees a directory; NULL is fine. */
void ag_directory_free(ag_directory_t *directory);

/*
 * Hold a directory, to read it together with others, or alone to change it,
 * until it is left. Whatever is found in it is good for that long.
 */
void ag_directory_share(ag_directory_t *directory);
void ag_directory_own(ag_directory_t *directory);
void ag_directory_leave(ag_directory_t *directory);

/* Each finds one by its id, or NULL. */
const ag_org_t *ag_directory_org(const ag_directory_t *directory,
    const char *id);
const ag_app_t *ag_directory_app(const ag_directory_t *directory,
    const char *id);
const ag_subject_t *ag_directory_subject(const ag_directory_t *directory,
    const char *id);

/* Whether org is the ancestor, or lies below it. */
bool ag_org_within(const ag_org_t *org, const ag_org_t *ancestor);

/*
 * The ids of an organisation and of all below it, as a JSON array, for a
 * filter. The caller frees it with free(); NULL when memory is short.
 */
char *ag_directory_orgs(const ag_directory_t *directory, const ag_org_t *org);

/* The organisation at the root of the hierarchy that org is in. */
const ag_org_t *ag_org_root(const ag_org_t *org);

/* How an application is used in an organisation, or NULL. */
const ag_instance_t *ag_app_instance(const ag_app_t *app,
    const ag_org_t *org);

/*
 * The permission of a subject in an organisation. NULL when there is none, when
 * an argument is NULL, and for a disabled subject.
 */
const ag_permission_t *ag_subject_permission(const ag_subject_t *subject,
    const ag_org_t *org);

/* Whether a subject is enabled now. */
bool ag_subject_enabled(const ag_subject_t *subject);

/* The status with this name: AG_OK, or AG_MALFORMED if there is none. */
int ag_subject_status(const char *name, ag_status_e *status);

/*
 * A subject as the API's User: new reference, or NULL when memory is short.
 */
json_t *ag_subject_user(const ag_subject_t *subject);


#endif /* AG_DIRECTORY_H */
