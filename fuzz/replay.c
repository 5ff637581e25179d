
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <dirent.h>

#include "fuzz.h"


/*
 * Runs a target over the files of the folders that it is given, without
 * libFuzzer: each part of a file as it is, and cut short at every eighth of its
 * length.
 */

static int replay_folder(const char *name);
static int replay_file(const char *folder, const char *name);
static void replay_part(const uint8_t *data, size_t size);


/* parts of files that were run */

static int  inputs;


int
main(int argc, char **argv)
{
    int  i;

    fuzz_run(NULL, 0);

    for (i = 1; i < argc; i++) {
        if (replay_folder(argv[i]) != 0) {
            return 1;
        }
    }

    printf("%d inputs\n", inputs);

    if (fuzz_accepted == 0) {
        fprintf(stderr, "no input was accepted: the corpus is of no use\n");
        return 1;
    }

    return 0;
}


static int
replay_folder(const char *name)
{
    int             rc;
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(name);
    if (dir == NULL) {
        fprintf(stderr, "cannot read the folder %s\n", name);
        return -1;
    }

    rc = 0;

    while (rc == 0 && (entry = readdir(dir)) != NULL) {

        if (entry->d_name[0] != '.') {
            rc = replay_file(name, entry->d_name);
        }
    }

    closedir(dir);

    return rc;
}


static int
replay_file(const char *folder, const char *name)
{
    char     path[4096];
    FILE    *file;
    size_t   len;

    static u_char  data[1 << 20];

    (void) snprintf(path, sizeof(path), "%s/%s", folder, name);

    file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        return -1;
    }

    len = fread(data, 1, sizeof(data), file);

    fclose(file);

    fuzz_parts(data, len, replay_part);

    return 0;
}


static void
replay_part(const uint8_t *data, size_t size)
{
    size_t  i;

    for (i = 1; i <= 8; i++) {
        fuzz_run(data, size * i / 8);
    }

    inputs++;
}
