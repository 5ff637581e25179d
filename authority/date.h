/*
 * Dates and durations: the shapes that the API reads and writes.
 */

#ifndef AG_DATE_H
#define AG_DATE_H


#include "text.h"

#include <jansson.h>


typedef enum {
    AG_DATE_RFC3339 = 0,  /* "2026-01-31T08:00:00Z" */
    AG_DATE_EPOCH,        /* "1769846400", a string of digits */
    AG_DATE_NUMBER,       /* 1769846400, a JSON number */
    AG_DATE_PYTHON        /* "2026-01-31 08:00:00", UTC without saying so */
} ag_date_format_e;


/* Seconds since the epoch, now. */
int64_t ag_date_now(void);

/*
 * Reads a date of len characters into seconds since the epoch. Takes ISO 8601
 * dates, alone or with a time after "T" or a space, with a fraction of any
 * length, and with "Z", +hh:mm, +hhmm, +hh or no zone (which is UTC); and
 * digits alone, which are seconds since the epoch. A fraction is rounded up:
 * tokens have whole seconds, so comparisons against the result are exact.
 * AG_OK or AG_MALFORMED.
 */
int ag_date_parse(const char *text, size_t len, int64_t *seconds);

/* Appends a date, as a JSON value in the given format. */
void ag_date_render(ag_text_t *text, int64_t seconds, ag_date_format_e format);

/* A date as a JSON string, RFC 3339: new reference, or NULL. */
json_t *ag_date_json(int64_t seconds);

/*
 * Reads "20ms", "10s", "5m", "1h" or "7d" (digits alone are seconds) into
 * milliseconds. AG_OK or AG_MALFORMED; never negative, ten years at most.
 */
int ag_date_duration(const char *text, int64_t *milliseconds);


#endif /* AG_DATE_H */
