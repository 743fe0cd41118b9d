// The table of close reasons, made from close.def. Owner: none, constant; any thread.
// A row's index is its enum value, because both come from the same list.
#include "tidegate/base/close.h"

#include "tidegate/base/assert.h"

static const struct close_row close_rows[CLOSE_REASONS] = {
#define CLOSE(id, code, reconnect, text) [CLOSE_##id] = {code, reconnect, text},
#include "tidegate/base/close.def"
#undef CLOSE
};

const struct close_row *close_row(enum close_reason reason)
{
    assert_always((unsigned)reason < CLOSE_REASONS);
    return &close_rows[reason];
}
