/*
 * The directory.
 */

#include "directory.h"
#include "date.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static int ag_subject_compare(const void *id, const void *subject);


static const char *const  ag_statuses[] = {
    [AG_STATUS_ACTIVE] = "active",
    [AG_STATUS_PENDING] = "pending",
    [AG_STATUS_DISABLED] = "disabled"
};


ag_directory_t *
ag_directory_create(void)
{
    ag_directory_t  *directory;

    directory = calloc(1, sizeof(ag_directory_t));

    if (directory) {
        pthread_mutex_init(&directory->turn, NULL);
        pthread_rwlock_init(&directory->lock, NULL);
    }

    return directory;
}


/* readers that come while a change waits are let in after it */

void
ag_directory_share(ag_directory_t *directory)
{
    pthread_mutex_lock(&directory->turn);
    pthread_rwlock_rdlock(&directory->lock);
    pthread_mutex_unlock(&directory->turn);
}


void
ag_directory_own(ag_directory_t *directory)
{
    pthread_mutex_lock(&directory->turn);
    pthread_rwlock_wrlock(&directory->lock);
    pthread_mutex_unlock(&directory->turn);
}


void
ag_directory_leave(ag_directory_t *directory)
{
    pthread_rwlock_unlock(&directory->lock);
}


void
ag_directory_free(ag_directory_t *directory)
{
    size_t         i, n;
    ag_subject_t  *subject;

    if (directory == NULL) {
        return;
    }

    for (i = 0; i < directory->nsubjects; i++) {
        subject = &directory->subjects[i];

        for (n = 0; n < subject->npermissions; n++) {
            json_decref(subject->permissions[n].scopes);
            json_decref(subject->permissions[n].roles);
            json_decref(subject->permissions[n].resources);
            free(subject->permissions[n].roles_text);
            free(subject->permissions[n].hosts_text[0]);
            free(subject->permissions[n].hosts_text[1]);
        }

        free(subject->permissions);
        free(subject->grants);
    }

    for (i = 0; i < directory->napps; i++) {
        free(directory->apps[i].instances);
    }

    free(directory->subjects);
    free(directory->apps);
    free(directory->orgs);

    json_decref(directory->seed);
    pthread_rwlock_destroy(&directory->lock);
    pthread_mutex_destroy(&directory->turn);
    free(directory);
}


const ag_org_t *
ag_directory_org(const ag_directory_t *directory, const char *id)
{
    size_t  i;

    for (i = 0; i < directory->norgs; i++) {
        if (strcmp(directory->orgs[i].id, id) == 0) {
            return &directory->orgs[i];
        }
    }

    return NULL;
}


const ag_app_t *
ag_directory_app(const ag_directory_t *directory, const char *id)
{
    size_t  i;

    for (i = 0; i < directory->napps; i++) {
        if (strcmp(directory->apps[i].id, id) == 0) {
            return &directory->apps[i];
        }
    }

    return NULL;
}


const ag_subject_t *
ag_directory_subject(const ag_directory_t *directory, const char *id)
{
    return bsearch(id, directory->subjects, directory->nsubjects,
                   sizeof(ag_subject_t), ag_subject_compare);
}


static int
ag_subject_compare(const void *id, const void *subject)
{
    return strcmp(id, ((const ag_subject_t *) subject)->id);
}


bool
ag_org_within(const ag_org_t *org, const ag_org_t *ancestor)
{
    while (org && org != ancestor) {
        org = org->parent;
    }

    return org != NULL;
}


char *
ag_directory_orgs(const ag_directory_t *directory, const ag_org_t *org)
{
    size_t       i, len;
    ag_text_t    text;
    const char  *comma;

    memset(&text, 0, sizeof(ag_text_t));

    comma = "[";

    for (i = 0; i < directory->norgs; i++) {
        if (ag_org_within(&directory->orgs[i], org)) {
            ag_text_raw(&text, comma);
            ag_text_quoted(&text, directory->orgs[i].id);
            comma = ",";
        }
    }

    ag_text_raw(&text, "]");

    return ag_text_take(&text, &len);
}


const ag_org_t *
ag_org_root(const ag_org_t *org)
{
    while (org->parent) {
        org = org->parent;
    }

    return org;
}


const ag_instance_t *
ag_app_instance(const ag_app_t *app, const ag_org_t *org)
{
    size_t  i;

    for (i = 0; i < app->ninstances; i++) {
        if (app->instances[i].org == org) {
            return &app->instances[i];
        }
    }

    return NULL;
}


const ag_permission_t *
ag_subject_permission(const ag_subject_t *subject, const ag_org_t *org)
{
    size_t  i;

    if (subject == NULL || org == NULL || !ag_subject_enabled(subject)) {
        return NULL;
    }

    for (i = 0; i < subject->npermissions; i++) {
        if (subject->permissions[i].org == org) {
            return &subject->permissions[i];
        }
    }

    return NULL;
}


bool
ag_subject_enabled(const ag_subject_t *subject)
{
    return subject->status != AG_STATUS_DISABLED
           && (subject->disabled_at == AG_NEVER
               || ag_date_now() < subject->disabled_at);
}


int
ag_subject_status(const char *name, ag_status_e *status)
{
    size_t  i;

    for (i = 0; i < sizeof(ag_statuses) / sizeof(ag_statuses[0]); i++) {
        if (strcmp(ag_statuses[i], name) == 0) {
            *status = (ag_status_e) i;
            return AG_OK;
        }
    }

    return AG_MALFORMED;
}


json_t *
ag_subject_user(const ag_subject_t *subject)
{
    int          n;
    char         name[600];
    json_t      *date;
    const char  *first, *last;

    first = ag_json_string(subject->seed, "first_name");
    last = ag_json_string(subject->seed, "last_name");

    n = snprintf(name, sizeof(name), "%s%s%s", first ? first : "",
                 first && last ? " " : "", last ? last : "");

    date = subject->disabled_at == AG_NEVER
           ? NULL : ag_date_json(subject->disabled_at);

    return json_pack("{s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s, s:s, s:b, s:s,"
                     " s:o*}",
                     "id", subject->id, "email", subject->email,
                     "first_name", first, "last_name", last,
                     "full_name", n > 0 ? name : NULL,
                     "display_name", n > 0 ? name : NULL,
                     "org_id", subject->org->id,
                     "type", subject->service ? "service_account" : "user",
                     "enabled", ag_subject_enabled(subject),
                     "status", ag_statuses[subject->status],
                     "disabled_at_time", date);
}
