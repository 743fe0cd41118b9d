// Questions to headers: names in any case, lists over several lines, cookies.
#include "tidegate/http/request.h"

#include "tidegate/base/attr.h"

#include <criterion/criterion.h>

static const struct http_header headers[] = {
    {BYTES_OF("Connection"), BYTES_OF("keep-alive")},
    {BYTES_OF("connection"), BYTES_OF(" x ,Upgrade,")},
    {BYTES_OF("Cookie"), BYTES_OF("a=1; bb=\"two\"; c=x=y; =z;d")},
    {BYTES_OF("Cookie"), BYTES_OF("e=last")},
};
static const struct http_request request = {.headers = headers, .header_count = ARRAY_LEN(headers)};

static bool is(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_str(text));
}

Test(request, a_header_is_found_in_any_case)
{
    struct bytes value;
    cr_assert(http_request_header(&request, "CONNECTION", &value));
    cr_assert(is(value, "keep-alive"));
    cr_assert_not(http_request_header(&request, "Connectio", &value));
}

Test(request, a_token_is_found_on_any_line)
{
    cr_assert(http_request_has_token(&request, "connection", "upgrade"));
    cr_assert(http_request_has_token(&request, "connection", "Keep-Alive"));
    cr_assert_not(http_request_has_token(&request, "connection", "keep"));
    cr_assert_not(http_request_has_token(&request, "upgrade", "upgrade"));
}

Test(request, a_cookie_is_found_by_its_exact_name)
{
    struct bytes value;
    cr_assert(http_request_cookie(&request, "a", &value));
    cr_assert(is(value, "1"));
    cr_assert(http_request_cookie(&request, "bb", &value));
    cr_assert(is(value, "two"));
    cr_assert(http_request_cookie(&request, "c", &value));
    cr_assert(is(value, "x=y"));
    cr_assert(http_request_cookie(&request, "e", &value));
    cr_assert(is(value, "last"));
    cr_assert_not(http_request_cookie(&request, "b", &value));
    cr_assert_not(http_request_cookie(&request, "A", &value));
    cr_assert_not(http_request_cookie(&request, "d", &value));
}
