
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fuzz.h"

#include "fleet/counts.h"


/*
 * An entry of the fleet as it is after it was opened; its kind stands in front
 * of it.  Whatever is decoded is encoded again in the same bytes, and the lines
 * of a mark can be counted with.
 */

static void fuzz_count(const ngx_agt_fleet_entry_t *entry);


void
fuzz_target(const uint8_t *data, size_t size)
{
    u_char                 *again;
    ngx_str_t               plain;
    ngx_agt_fleet_entry_t   entry;
    ngx_agt_fleet_line_t   *lines;

    if (size == 0) {
        return;
    }

    plain.data = (u_char *) data + 1;
    plain.len = size - 1;

    lines = malloc(NGX_AGT_FLEET_WRITERS * sizeof(ngx_agt_fleet_line_t));

    if (ngx_agt_fleet_entry_decode(data[0] % 8, &plain, &entry, lines)
        == NGX_OK)
    {
        fuzz_accepted++;

        again = malloc(plain.len);

        fuzz_check(ngx_agt_fleet_entry_encode(&entry, again) == plain.len);
        fuzz_check(memcmp(again, plain.data, plain.len) == 0);

        free(again);

        fuzz_count(&entry);
    }

    free(lines);
}


/* few places, so that writers and gaps find no room */

static void
fuzz_count(const ngx_agt_fleet_entry_t *entry)
{
    u_char                *mem;
    uint32_t               lacks;
    ngx_uint_t             i, n;
    ngx_agt_counts_t      *counts;
    ngx_agt_fleet_line_t  *lines;

    mem = malloc(ngx_agt_counts_size(3));
    counts = ngx_agt_counts_init(mem, ngx_agt_counts_size(3));

    if (entry->kind == NGX_AGT_FLEET_MARK) {
        lines = entry->u.mark.lines;

        ngx_agt_counts_mark(counts, lines, entry->u.mark.n, entry->writer, 1,
                            &lacks);

        for (i = 0; i < entry->u.mark.n; i++) {
            (void) ngx_agt_counts_take(counts, lines[i].writer,
                                       ngx_max(lines[i].last, 1), 2);
        }
    }

    (void) ngx_agt_counts_take(counts, entry->writer, entry->number, 3);

    fuzz_check(ngx_agt_counts_refused(counts)
               || ngx_agt_counts_missing(counts)
               || ngx_agt_counts_is_used(counts, entry->writer,
                                         entry->number));
    fuzz_check(!ngx_agt_counts_whole(counts)
               || ngx_agt_counts_missing(counts) == 0);

    lines = malloc(3 * sizeof(ngx_agt_fleet_line_t));
    n = ngx_agt_counts_lines(counts, lines);

    for (i = 0; i < n; i++) {
        fuzz_check(lines[i].first > 0);
        fuzz_check(lines[i].first <= lines[i].last + 1);
    }

    free(lines);
    free(mem);
}
