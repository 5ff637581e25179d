
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_COUNTS_H_INCLUDED_
#define _NGX_AGT_FLEET_COUNTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "fleet/entry.h"


/*
 * Counts the entries of each writer, so that an entry that was deleted, or was
 * lost in a failover, is noticed.  The counts lie in one run of memory without
 * addresses in it, such as shared memory; the functions take no lock, and read
 * no clock.  A process that dies in one of them leaves counts in which
 * something may be missing that is not, never the other way round.
 *
 * A gap is a range of numbers of one writer that have not been read.  Where
 * there is no room for another gap, two gaps of a writer are made one: the
 * numbers between them count as missing again.
 */

typedef struct ngx_agt_counts_s  ngx_agt_counts_t;


/* what a number is that is taken */

typedef enum {
    NGX_AGT_COUNTS_NEW = 0,
    NGX_AGT_COUNTS_GAP,          /* new, and shows that others are missing */
    NGX_AGT_COUNTS_DUPLICATE,    /* was taken before, or is below the first */
    NGX_AGT_COUNTS_FULL          /* there is no room for the writer */
} ngx_agt_counts_number_e;


/* what the reader of the stream has to do next */

typedef enum {
    NGX_AGT_COUNTS_WHOLE = 0,    /* nothing is missing */
    NGX_AGT_COUNTS_WAIT,         /* not whole: go on, a mark has to come */
    NGX_AGT_COUNTS_READ,         /* not whole: read from the start, "0-0" */
    NGX_AGT_COUNTS_ASK           /* not whole: append a "resend" */
} ngx_agt_counts_step_e;


/*
 * Makes empty counts of the "size" bytes at "mem" (aligned to 8), for as many
 * writers as fit, NGX_AGT_FLEET_WRITERS at most.  Returns NULL where not even
 * one fits.
 */
ngx_agt_counts_t *ngx_agt_counts_init(void *mem, size_t size);

/*
 * Returns the bytes that counts of "n" writers take.
 */
size_t ngx_agt_counts_size(ngx_uint_t n);

/*
 * Forgets everything.  To be called when the stream is another one: at a new
 * epoch.  The counts are whole again after the first mark at the earliest.
 */
void ngx_agt_counts_clear(ngx_agt_counts_t *counts);

/*
 * Returns 1 if a number was taken before or need not be there any more, so that
 * the entry is to be ignored, else 0; changes nothing.
 */
ngx_uint_t ngx_agt_counts_is_used(const ngx_agt_counts_t *counts,
    const u_char *writer, uint64_t number);

/*
 * Takes the number of an entry that was read, in the order of the stream; "now"
 * is the time in milliseconds, monotonic.  Of a writer that is not known, this
 * number counts as the first one; a lower number lowers the first, unless a
 * mark has told the first.  To be called after the entry was applied, so that
 * an entry whose reader dies in between is read again and not taken for a
 * duplicate.
 */
ngx_agt_counts_number_e ngx_agt_counts_take(ngx_agt_counts_t *counts,
    const u_char *writer, uint64_t number, uint64_t now);

/*
 * Applies the lines of a mark, before its own number is taken.  Numbers below
 * the first of a line need not be there any more; numbers up to its last that
 * have not been read are missing.  A writer that has no line, or one that ends
 * in front of what is known here, is left as it is; but where none of its
 * numbers was read for NGX_AGT_COUNTS_UNTOLD milliseconds, none of them need be
 * there any more.
 *
 * Sets "*lacks" to 1, once, if the edge that marks has not read a number that
 * was read here before the last mark, of another writer than "own": everything
 * has to be told again, and the caller keeps that in mind.
 */
#define NGX_AGT_COUNTS_UNTOLD  60000

void ngx_agt_counts_mark(ngx_agt_counts_t *counts,
    const ngx_agt_fleet_line_t *lines, ngx_uint_t n, const u_char *own,
    uint64_t now, uint32_t *lacks);

/*
 * The holder of the lease, or the writer itself: numbers of a writer up to this
 * one need not be there any more, since they are trimmed, or stand under later
 * numbers.
 */
void ngx_agt_counts_trimmed(ngx_agt_counts_t *counts, const u_char *writer,
    uint64_t number);

/*
 * The holder of the lease only, when it reads a "resend": remembers the last
 * number of each writer.  When it has appended everything that it holds, and
 * the other edges have had their time to append the rest,
 * ngx_agt_counts_resent() notes that no number up to those need be there any
 * more, read or not: all that any edge holds stands under later numbers.
 */
void ngx_agt_counts_resend(ngx_agt_counts_t *counts);
void ngx_agt_counts_resent(ngx_agt_counts_t *counts);

/*
 * Writes the lines of a mark to "lines", which has room for
 * NGX_AGT_FLEET_WRITERS, and returns their number: one for each writer that is
 * known, also where none of its numbers stands.  Where a number of the writer
 * is missing, the line ends in front of it.
 */
ngx_uint_t ngx_agt_counts_lines(const ngx_agt_counts_t *counts,
    ngx_agt_fleet_line_t *lines);

/*
 * Forgets the writers of which no number stands, none is missing, and none was
 * read for "idle" milliseconds.
 */
void ngx_agt_counts_expire(ngx_agt_counts_t *counts, uint64_t now,
    uint64_t idle);

/*
 * Returns what the reader has to do, when it has read up to the end of the
 * stream; while it catches up, missing numbers mean nothing yet.  READ comes
 * once, at a gap; a gap that is still there when the stream was read from the
 * start gives ASK, which comes again after NGX_AGT_COUNTS_AGAIN milliseconds.
 * After ASK, the counts are whole at the next mark after which nothing is
 * missing, and not before.  Where writers found no room, and there is room now,
 * the counts are cleared, and READ comes.
 */
#define NGX_AGT_COUNTS_AGAIN  10000

ngx_agt_counts_step_e ngx_agt_counts_step(ngx_agt_counts_t *counts,
    uint64_t now);

/*
 * Returns 1 if nothing is missing and a mark has said so, else 0; changes
 * nothing, and needs no lock.
 */
ngx_uint_t ngx_agt_counts_whole(const ngx_agt_counts_t *counts);

/*
 * Returns how many numbers are missing.
 */
uint64_t ngx_agt_counts_missing(const ngx_agt_counts_t *counts);

/*
 * Returns the last number of a writer that was read in front of the first that
 * is missing.  Returns 0 where the writer is not known, or the counts of it
 * begin behind "from".
 */
uint64_t ngx_agt_counts_read(const ngx_agt_counts_t *counts,
    const u_char *writer, uint64_t from);

/*
 * Returns the first number of a writer that has to be there, or 0 where the
 * writer is not known.
 */
uint64_t ngx_agt_counts_first(const ngx_agt_counts_t *counts,
    const u_char *writer);

/*
 * Returns how many entries found no room for their writer since the counts were
 * made or cleared; the counts are not whole while it is not 0.
 */
ngx_uint_t ngx_agt_counts_refused(const ngx_agt_counts_t *counts);


#endif /* _NGX_AGT_FLEET_COUNTS_H_INCLUDED_ */
