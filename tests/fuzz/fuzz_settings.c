// Settings: the same file loads to the same snapshot; what is printed loads again and prints the
// same; and a file's top-level members given one by one as flags lead to what the file leads to.
#include "fuzz.h"

#include "tidegate/codec/json_read.h"
#include "tidegate/config/load.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define FLAGS_MAX 40

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    config_setup();
    return 0;
}

struct outcome {
    int result;
    struct buf printed;
    struct config_error error;
};

static struct outcome load(const struct config_sources *sources)
{
    struct outcome outcome = {.error = {""}};
    struct config *config = NULL;
    buf_init(&outcome.printed, 16u << 20);
    outcome.result = config_load(sources, &config, &outcome.error);
    FUZZ_REQUIRE((outcome.result == 0) == (config != NULL));
    FUZZ_REQUIRE((outcome.result == 0) == (outcome.error.text[0] == '\0'));
    FUZZ_REQUIRE(strchr(outcome.error.text, '\n') == NULL);
    if (config != NULL) {
        FUZZ_REQUIRE(config_print(config, &outcome.printed) == 0);
        config_unref(config);
    }
    return outcome;
}

static struct outcome load_text(struct bytes text)
{
    char path[64];
    int fd = memfd_create("settings", MFD_CLOEXEC);
    FUZZ_REQUIRE(fd >= 0 && write(fd, text.at, text.len) == (ssize_t)text.len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct config_sources sources = {.file = path};
    struct outcome outcome = load(&sources);
    close(fd);
    return outcome;
}

static void expect_same(const struct outcome *a, const struct outcome *b)
{
    FUZZ_REQUIRE(a->result == b->result);
    FUZZ_REQUIRE(bytes_equal(buf_bytes(&a->printed), buf_bytes(&b->printed)));
}

struct flags {
    struct bytes text;
    const char *items[FLAGS_MAX];
    size_t count;
    bool is_flat; // every member can be given as one flag
};

static int add_flag(void *context, const char *key, const struct json *value)
{
    struct flags *flags = context;
    struct bytes raw;
    struct buf flag;
    bool is_object = json_kind(value) == JSON_OBJECT;
    if (is_object || flags->count == FLAGS_MAX || !json_raw_member(flags->text, key, &raw) ||
        strpbrk(key, ".=") != NULL) {
        flags->is_flat = false;
        return 1;
    }
    raw = json_kind(value) == JSON_STRING ? json_string(value) : raw;
    buf_init(&flag, raw.len + strlen(key) + 2);
    FUZZ_REQUIRE(buf_printf(&flag, "%s=%.*s", key, (int)raw.len, raw.at) == 0);
    flags->items[flags->count++] = fuzz_text(buf_bytes(&flag));
    buf_finish(&flag);
    return 0;
}

// Only what the file accepts is compared: a flag is text and takes more ("1" for a number).
static void check_flags(struct bytes text, const struct outcome *file)
{
    struct flags flags = {.text = text, .is_flat = true};
    struct json *root = NULL;
    FUZZ_REQUIRE(json_parse(text, 1u << 24, &root, NULL) == 0);
    json_each_member(root, add_flag, &flags);
    if (flags.is_flat) {
        struct config_sources sources = {.sets = flags.items, .set_count = flags.count};
        struct outcome by_flags = load(&sources);
        expect_same(file, &by_flags);
        buf_finish(&by_flags.printed);
    }
    for (size_t i = 0; i < flags.count; i++) {
        free((char *)flags.items[i]);
    }
    json_destroy(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_make(data, size);
    struct outcome file = load_text(text);
    struct outcome again = load_text(text);
    expect_same(&file, &again);
    buf_finish(&again.printed);
    if (file.result == 0) {
        struct outcome printed = load_text(buf_bytes(&file.printed));
        if (printed.result < 0) {
            fprintf(stderr, "%s\n%.*s\n", printed.error.text, (int)file.printed.len,
                    file.printed.at);
        }
        expect_same(&file, &printed);
        buf_finish(&printed.printed);
        check_flags(text, &file);
    }
    buf_finish(&file.printed);
    return 0;
}
