/*
 * The check that all operations share.
 */

#include "operation.h"


int
ag_operation_check(const ag_call_t *call, const ag_member_t *members,
    ag_reply_t *reply)
{
    ag_error_t  error;

    if (call->body == NULL) {
        ag_reply_error(reply, 400, "INVALID_JSON", call->invalid->text);
        return AG_MALFORMED;
    }

    if (ag_shape_check(call->body, members, false, NULL, &error) != AG_OK) {
        ag_reply_error(reply, 400, "INVALID_REQUEST", error.text);
        return AG_MALFORMED;
    }

    return AG_OK;
}
