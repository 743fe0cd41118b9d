// Close reasons: the table is whole, and its codes mean what the protocols say.
#include "tidegate/base/close.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

Test(close, every_reason_has_a_text_of_its_own_that_fits_a_close_frame)
{
    for (unsigned i = 0; i < CLOSE_REASONS; i++) {
        const struct close_row *row = close_row((enum close_reason)i);
        cr_assert_not_null(row->text);
        cr_assert(strlen(row->text) > 0 && strlen(row->text) <= 123);
        cr_assert_null(strpbrk(row->text, "\"\\\n"), "a metric label needs no escapes");
        for (unsigned k = 0; k < i; k++) {
            cr_assert_str_neq(row->text, close_row((enum close_reason)k)->text);
        }
    }
}

Test(close, codes_may_be_sent_and_ranges_agree_with_may_reconnect)
{
    for (unsigned i = 0; i < CLOSE_REASONS; i++) {
        const struct close_row *row = close_row((enum close_reason)i);
        bool is_rfc = row->code >= 1000 && row->code <= 1014 && row->code != 1004 &&
                      row->code != 1005 && row->code != 1006;
        cr_assert(row->code == 0 || is_rfc || (row->code >= 3000 && row->code <= 3999), "%s",
                  row->text);
        if (row->code >= 3000) {
            cr_assert_eq(row->may_reconnect, row->code < 3500, "%s", row->text);
        }
    }
}

Test(close, rows_are_found_by_their_reason)
{
    cr_assert_eq(close_row(CLOSE_NONE)->code, 0);
    cr_assert_eq(close_row(CLOSE_SLOW)->code, 3008);
    cr_assert_eq(close_row(CLOSE_MESSAGE_TOO_BIG)->code, 1009);
    cr_assert_str_eq(close_row(CLOSE_SHUTDOWN)->text, "shutdown");
}

Test(close, a_reason_that_is_none_aborts, .signal = SIGABRT)
{
    (void)close_row(CLOSE_REASONS);
}
