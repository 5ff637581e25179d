
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * Preloaded: names that end in ".moving" have the address that stands in the
 * file which is named in the environment.  See t/api-moves.t.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static char  moving_path[4096];


/* nginx clears the environment of its workers */

__attribute__((constructor))
static void
moving_init(void)
{
    const char  *path;

    path = getenv("AGILICUS_MOVING");

    if (path) {
        (void) snprintf(moving_path, sizeof(moving_path), "%s", path);
    }
}


int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int         (*next)(const char *, const char *, const struct addrinfo *,
                        struct addrinfo **);
    char          address[64];
    FILE         *file;
    size_t        len;

    *(void **) &next = dlsym(RTLD_NEXT, "getaddrinfo");

    len = name ? strlen(name) : 0;

    if (len < 7 || strcmp(name + len - 7, ".moving") != 0) {
        return next(name, service, hints, res);
    }

    file = fopen(moving_path, "r");

    if (file == NULL) {
        return EAI_FAIL;
    }

    if (fscanf(file, "%63s", address) != 1) {
        address[0] = '\0';
    }

    (void) fclose(file);

    return next(address, service, hints, res);
}
