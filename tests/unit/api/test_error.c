// The table of errors. Owner: Criterion, a process a test.
#include "error.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(error, each_code_has_its_status)
{
    static const struct {
        enum api_error error;
        int code;
        int status;
    } cases[] = {
        {API_INTERNAL, 100, 500},        {API_CHANNEL_LIMIT, 100, 500}, {API_TOO_LARGE, 100, 500},
        {API_UNKNOWN_CHANNEL, 102, 404}, {API_NOT_FOUND, 104, 404},     {API_BAD_REQUEST, 107, 400},
        {API_NOT_AVAILABLE, 108, 400},   {API_UNRECOVERABLE, 112, 416},
    };
    cr_assert_eq(sizeof(cases) / sizeof(cases[0]), API_ERRORS - 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct api_error_row *row = api_error_row(cases[i].error);
        cr_assert_eq(row->code, cases[i].code);
        cr_assert_eq(row->status, cases[i].status);
        cr_assert_not_null(row->message);
    }
}

Test(error, what_the_broker_says_becomes_a_code)
{
    cr_assert_eq(api_error_of(0), API_OK);
    cr_assert_eq(api_error_of(-EINVAL), API_BAD_REQUEST);
    cr_assert_eq(api_error_of(-ENOENT), API_UNKNOWN_CHANNEL);
    cr_assert_eq(api_error_of(-ESTALE), API_UNRECOVERABLE);
    cr_assert_eq(api_error_of(-ENOSPC), API_CHANNEL_LIMIT);
    cr_assert_eq(api_error_of(-ENOMEM), API_INTERNAL);
}
