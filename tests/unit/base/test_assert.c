// Assertions: a false one ends the process by SIGABRT and says where; a true one does nothing.
#include "tidegate/base/assert.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

Test(assert, a_true_condition_does_nothing_and_is_evaluated_once)
{
    int count = 0;
    assert_always(++count == 1);
    cr_assert_eq(count, 1);
}

Test(assert, a_false_condition_aborts, .signal = SIGABRT)
{
    assert_always(1 == 2);
}

Test(assert, a_failure_prints_one_line_with_expression_file_and_line)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        assert_failed("left == right", "place.c", 42);
    }
    close(ends[1]);
    char text[256] = "";
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    cr_assert_gt(len, 0);
    cr_assert_str_eq(text, "place.c:42: assertion failed: left == right\n");
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    close(ends[0]);
}

Test(assert, an_overlong_expression_is_cut_and_still_ends_the_line)
{
    char expression[2000];
    memset(expression, 'x', sizeof(expression) - 1);
    expression[sizeof(expression) - 1] = '\0';
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        assert_failed(expression, "place.c", 1);
    }
    close(ends[1]);
    char text[4000] = "";
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    cr_assert_gt(len, 100);
    cr_assert_lt(len, 600);
    cr_assert_eq(text[len - 1], '\n');
    cr_assert_eq(waitpid(child, NULL, 0), child);
    close(ends[0]);
}
