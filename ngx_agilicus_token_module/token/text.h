
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_TEXT_H_INCLUDED_
#define _NGX_AGT_TOKEN_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Texts: runs of bytes, as they stand in a header, a URL or a document.
 */

#define ngx_agt_text_is_digit(c)  ((c) >= '0' && (c) <= '9')

#define ngx_agt_text_is_alnum(c)                                             \
    (ngx_agt_text_is_digit(c)                                                \
     || (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z'))


/*
 * Returns 1 if two texts have the same bytes, else 0.
 */
static ngx_inline ngx_uint_t
ngx_agt_text_equal(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}


/*
 * Returns 1 if a text is "word", whatever the case of its letters, else 0;
 * "word" is in lower case.
 */
ngx_uint_t ngx_agt_text_is(const ngx_str_t *text, const char *word);

/*
 * Returns 1 if the bytes from "p" to "end" begin with "word", whatever the case
 * of their letters, else 0; "word" is in lower case.
 */
ngx_uint_t ngx_agt_text_begins(const u_char *p, const u_char *end,
    const char *word);

/*
 * Returns how many of the "len" bytes at "p" stand before the first "c": "len"
 * where there is none.
 */
size_t ngx_agt_text_until(const u_char *p, size_t len, u_char c);

/*
 * Cuts the next piece off "rest", which ends at the separator or at the end of
 * the text.  Returns 1 with "piece" set, or 0 where no piece is left; a text
 * that ends in a separator has an empty last piece.
 */
ngx_uint_t ngx_agt_text_piece(ngx_str_t *rest, u_char separator,
    ngx_str_t *piece);

/*
 * Returns the value of a hexadecimal digit, or NGX_ERROR.
 */
ngx_int_t ngx_agt_text_hex(u_char c);

/*
 * Returns the value of the two hexadecimal digits at "p", as behind a "%", or
 * NGX_ERROR where other bytes stand there before "end".
 */
ngx_int_t ngx_agt_text_escaped(const u_char *p, const u_char *end);


#endif /* _NGX_AGT_TOKEN_TEXT_H_INCLUDED_ */
