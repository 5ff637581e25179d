
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <dirent.h>

#include "fuzz.h"


/*
 * Runs a target over the files of the folders that it is given, without
 * libFuzzer: each file as it is, and cut short at every eighth of its length.
 */

static int replay_folder(const char *name);
static int replay_file(const char *folder, const char *name);
static void replay_bytes(const u_char *data, size_t len);


int
main(int argc, char **argv)
{
    int  i, n, files;

    files = 0;

    replay_bytes(NULL, 0);

    for (i = 1; i < argc; i++) {
        n = replay_folder(argv[i]);

        if (n < 0) {
            return 1;
        }

        files += n;
    }

    printf("%d inputs\n", files);

    return files ? 0 : 1;
}


static int
replay_folder(const char *name)
{
    int             n, files;
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(name);
    if (dir == NULL) {
        fprintf(stderr, "cannot read the folder %s\n", name);
        return -1;
    }

    files = 0;

    while ((entry = readdir(dir)) != NULL) {

        if (entry->d_name[0] == '.') {
            continue;
        }

        n = replay_file(name, entry->d_name);

        if (n < 0) {
            files = -1;
            break;
        }

        files += n;
    }

    closedir(dir);

    return files;
}


static int
replay_file(const char *folder, const char *name)
{
    char     path[4096];
    FILE    *file;
    size_t   len, i;

    static u_char  data[1 << 20];

    (void) snprintf(path, sizeof(path), "%s/%s", folder, name);

    file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        return -1;
    }

    len = fread(data, 1, sizeof(data), file);

    fclose(file);

    for (i = 1; i <= 8; i++) {
        replay_bytes(data, len * i / 8);
    }

    return 1;
}


/* in memory of its own, so that the address sanitizer sees its end */

static void
replay_bytes(const u_char *data, size_t len)
{
    u_char  *copy;

    copy = calloc(1, len ? len : 1);

    if (copy == NULL) {
        abort();
    }

    if (len) {
        ngx_memcpy(copy, data, len);
    }

    (void) LLVMFuzzerTestOneInput(copy, len);

    free(copy);
}
