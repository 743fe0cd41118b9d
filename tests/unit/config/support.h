// Loading settings from text in a test: a file of its own for each call, removed again.
// One thread; the test owns what it gets.
#ifndef TIDEGATE_TESTS_UNIT_CONFIG_SUPPORT_H
#define TIDEGATE_TESTS_UNIT_CONFIG_SUPPORT_H

#include "../../support/leaks.h"
#include "tidegate/base/assert.h"
#include "tidegate/config/load.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define NO_FLAGS ((const char *const[]){NULL})
#define NO_VARIABLES ((char *const[]){NULL})
#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define VARIABLES(...) ((char *const *)(const char *const[]){__VA_ARGS__, NULL})

struct attempt {
    int result;
    struct config *config; // owned by the test; NULL on failure
    char error[512];       // with FILE for the file's name
};

static inline struct attempt attempt_sources(const struct config_sources *sources)
{
    struct attempt attempt = {.config = NULL, .error = ""};
    struct config_error error = {""};
    attempt.result = config_load(sources, &attempt.config, &error);
    size_t file_len = sources->file != NULL ? strlen(sources->file) : 0;
    if (file_len > 0 && strncmp(error.text, sources->file, file_len) == 0) {
        snprintf(attempt.error, sizeof attempt.error, "FILE%.*s", 500, error.text + file_len);
    } else {
        memcpy(attempt.error, error.text, sizeof attempt.error);
    }
    return attempt;
}

static inline struct attempt attempt_all(struct bytes text, char *const *variables,
                                         const char *const *flags)
{
    char path[] = "/tmp/tidegate-config-XXXXXX";
    int fd = mkstemp(path);
    assert_always(fd >= 0 && write(fd, text.at, text.len) == (ssize_t)text.len);
    close(fd);
    struct config_sources sources = {.file = path, .environment = variables, .sets = flags};
    while (flags[sources.set_count] != NULL) {
        sources.set_count++;
    }
    struct attempt attempt = attempt_sources(&sources);
    unlink(path);
    return attempt;
}

static inline struct attempt attempt_file(const char *text)
{
    return attempt_all(bytes_str(text), NO_VARIABLES, NO_FLAGS);
}

static inline struct attempt attempt_flag(const char *flag)
{
    struct config_sources sources = {.sets = &flag, .set_count = 1};
    return attempt_sources(&sources);
}

// Expects that `attempt` failed with exactly `line`.
#define EXPECT_ERROR(attempt_, line_) \
    do { \
        struct attempt expected_ = (attempt_); \
        cr_expect_eq(expected_.result, -EINVAL); \
        cr_expect_str_eq(expected_.error, (line_)); \
        config_unref(expected_.config); \
    } while (0)

// Expects that `attempt` loaded.
#define EXPECT_OK(attempt_) \
    do { \
        struct attempt expected_ = (attempt_); \
        cr_expect_eq(expected_.result, 0, "%s", expected_.error); \
        config_unref(expected_.config); \
    } while (0)

#endif
