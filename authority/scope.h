/*
 * Scopes: what may be granted, and how lists are searched.
 */

#ifndef AG_SCOPE_H
#define AG_SCOPE_H


#include "json.h"


/*
 * Whether a permitted scope covers a requested one (both without "?"). Parts
 * stand between colons. A part "*" of the permitted scope stands for one part;
 * as the last part, for one or more. A "*" in the requested scope is a part
 * like any other, so only a "*" covers it.
 */
bool ag_scope_covers(const char *permitted, const char *requested);

/* Whether one of an array of permitted scopes covers the requested one. */
bool ag_scope_permitted(const json_t *permitted, const char *requested);

/*
 * Whether text is a scope: 1 to AG_SCOPE_MAX characters of RFC 6749's
 * scope-token, not only "?".
 */
bool ag_scope_is_valid(const char *text);

/* An ag_check_pt for a scope. */
int ag_scope_check(json_t *value, const ag_path_t *path, ag_error_t *error);

/*
 * Goes through requested scopes. Those with "?" that are not permitted are
 * left out, the others are kept: with their "?" if spelled, else without.
 * Duplicates are dropped. The result is a new reference in *granted. AG_OK;
 * AG_DECLINED with the error set when a scope without "?" is not permitted;
 * AG_ERROR.
 */
int ag_scope_grant(const json_t *permitted, const json_t *requested,
    bool spelled, json_t **granted, ag_error_t *error);

/*
 * SQL's ILIKE, as the list operation has it: "%" is any text, "_" any
 * character, letters of either case are the same. Linear in space, and in
 * time no worse than the product of both lengths.
 */
bool ag_scope_like(const char *pattern, const char *text);


#endif /* AG_SCOPE_H */
