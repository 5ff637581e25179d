
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * Many readers of a fleet's stream on one Redis, each with a connection of its
 * own and the command that an edge reads with.
 *
 *   fleet_readers SOCKET STREAM LAST-ID N
 *
 * Writes "ready" when all of them read.  Of each denial that all have got it
 * writes a line: the entry's id, and N times the second at which it came.  Ends
 * at the end of standard input.
 */

#define _GNU_SOURCE

#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>


/* denials that are on their way at once, at most */
#define DENIALS  64

/* the second byte of a sealed entry of a denial */
#define KIND     1

#define ID       48


typedef struct {
    int           fd;
    redisReader  *reader;
    char          last[ID];
} reader_t;


typedef struct {
    char    id[ID];
    int     n;
    double *at;
} denial_t;


static void die(const char *what);
static void connect_to(reader_t *r, const char *path);
static void ask(reader_t *r);
static void hear(reader_t *r, double now);
static void note(const char *id, double now);


static const char  *stream;
static int          all;
static denial_t     denials[DENIALS];


int
main(int argc, char **argv)
{
    int                 i, n, epoll;
    char                byte;
    reader_t           *readers, *r;
    struct timespec     ts;
    struct epoll_event  event, events[256];

    if (argc != 5 || strlen(argv[3]) >= ID) {
        fprintf(stderr, "usage: fleet_readers SOCKET STREAM LAST-ID N\n");
        return 2;
    }

    stream = argv[2];
    all = atoi(argv[4]);
    readers = all > 0 ? calloc(all, sizeof(reader_t)) : NULL;
    epoll = epoll_create1(EPOLL_CLOEXEC);

    if (readers == NULL || epoll == -1) {
        die("no memory");
    }

    for (i = 0; i < DENIALS; i++) {
        denials[i].at = calloc(all, sizeof(double));

        if (denials[i].at == NULL) {
            die("no memory");
        }
    }

    memset(&event, 0, sizeof(event));
    event.events = EPOLLIN;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) == -1) {
        die("epoll_ctl");
    }

    for (i = 0; i < all; i++) {
        r = &readers[i];

        connect_to(r, argv[1]);
        strcpy(r->last, argv[3]);
        event.data.ptr = r;

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, r->fd, &event) == -1) {
            die("epoll_ctl");
        }

        ask(r);
    }

    printf("ready\n");
    fflush(stdout);

    for ( ;; ) {
        n = epoll_wait(epoll, events, 256, -1);

        for (i = 0; i < n; i++) {
            r = events[i].data.ptr;

            if (r == NULL) {
                if (read(STDIN_FILENO, &byte, 1) <= 0) {
                    return 0;
                }

                continue;
            }

            clock_gettime(CLOCK_REALTIME, &ts);
            hear(r, ts.tv_sec + ts.tv_nsec / 1e9);
        }
    }
}


static void
die(const char *what)
{
    perror(what);
    exit(1);
}


static void
connect_to(reader_t *r, const char *path)
{
    struct sockaddr_un  sun = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(sun.sun_path)) {
        die(path);
    }

    strcpy(sun.sun_path, path);

    r->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    r->reader = redisReaderCreate();

    if (r->fd == -1 || r->reader == NULL
        || connect(r->fd, (struct sockaddr *) &sun, sizeof(sun)) == -1)
    {
        die("connect");
    }
}


static void
ask(reader_t *r)
{
    int    len;
    char  *command;

    len = redisFormatCommand(&command,
                             "XREAD COUNT 1000 BLOCK 250 STREAMS %s %s",
                             stream, r->last);

    if (len < 0 || write(r->fd, command, len) != len) {
        die("write");
    }

    redisFreeCommand(command);
}


static void
hear(reader_t *r, double now)
{
    char              buf[65536];
    void             *reply;
    size_t            i;
    ssize_t           n;
    redisReply       *list, *entry;

    n = read(r->fd, buf, sizeof(buf));

    if (n <= 0 || redisReaderFeed(r->reader, buf, n) != REDIS_OK
        || redisReaderGetReply(r->reader, &reply) != REDIS_OK)
    {
        die("read");
    }

    if (reply == NULL) {
        return;
    }

    list = reply;

    if (list->type == REDIS_REPLY_ARRAY) {

        /* of a stream: its name, and a list of ids with a field and a value */

        list = list->element[0]->element[1];

        for (i = 0; i < list->elements; i++) {
            entry = list->element[i];

            snprintf(r->last, ID, "%s", entry->element[0]->str);
            entry = entry->element[1];

            if (entry->elements == 2 && entry->element[1]->len > 1
                && entry->element[1]->str[1] == KIND)
            {
                note(r->last, now);
            }
        }

    } else if (list->type != REDIS_REPLY_NIL) {
        fprintf(stderr, "%s\n", list->str ? list->str : "an odd answer");
        exit(1);
    }

    freeReplyObject(reply);
    ask(r);
}


static void
note(const char *id, double now)
{
    int        i;
    denial_t  *d, *unused;

    unused = NULL;

    for (d = denials; d < denials + DENIALS; d++) {
        if (d->n && strcmp(d->id, id) == 0) {
            break;
        }

        if (d->n == 0) {
            unused = d;
        }
    }

    if (d == denials + DENIALS) {
        if (unused == NULL) {
            fprintf(stderr, "too many denials at once\n");
            exit(1);
        }

        d = unused;
        strcpy(d->id, id);
    }

    d->at[d->n++] = now;

    if (d->n < all) {
        return;
    }

    printf("%s", d->id);

    for (i = 0; i < all; i++) {
        printf(" %.6f", d->at[i]);
    }

    printf("\n");
    fflush(stdout);
    d->n = 0;
}
