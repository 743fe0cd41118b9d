// Building a snapshot: defaults, then file, variables and flags put on top of each other, then the
// checks that span rows. The first fault ends it: it becomes one line that says where the value
// came from. A value that is hidden by a stronger source must be right all the same. Main thread
// only; nothing is kept between calls.
#include "tidegate/config/load.h"

#include "apply.h"
#include "check.h"
#include "store.h"
#include "tidegate/base/mem.h"
#include "tidegate/codec/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)4 << 20)
#define READ_STEP ((size_t)16384)
#define VARIABLE_PREFIX "TIDEGATE_"

struct load {
    const struct config_sources *sources;
    struct config *config;
    struct buf file_text; // as read, for lines and columns
    struct fault fault;
    struct config_error *error;
};

static int report(struct load *load, const char *format, ...) ATTR_PRINTF(2, 3);

// Writes the one line; whatever came from outside stays on it.
static int report(struct load *load, const char *format, ...)
{
    char *text = load->error->text;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof load->error->text, format, args);
    va_end(args);
    for (size_t i = 0; text[i] != '\0'; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = '?';
        }
    }
    return -EINVAL;
}

// The variable that stands for `key`; the caller's text has room for KEY_MAX + 10.
static void variable_name(const char *key, char *ret_name)
{
    memcpy(ret_name, VARIABLE_PREFIX, sizeof VARIABLE_PREFIX);
    char *to = ret_name + sizeof VARIABLE_PREFIX - 1;
    for (; *key != '\0'; key++) {
        bool lower = *key >= 'a' && *key <= 'z';
        *to++ = lower ? (char)(*key - 'a' + 'A') : *key == '.' ? '_' : *key;
    }
    *to = '\0';
}

static int report_flag(struct load *load, struct bytes key)
{
    bool same = bytes_equal(key, bytes_str(load->fault.key)) || load->fault.key[0] == '\0';
    return report(load, "--set %.*s: %s%s%s", (int)key.len, key.at, same ? "" : load->fault.key,
                  same ? "" : ": ", load->fault.text);
}

static int report_variable(struct load *load, struct bytes name)
{
    char expected[KEY_MAX + sizeof VARIABLE_PREFIX];
    variable_name(load->fault.key, expected);
    bool same = bytes_equal(name, bytes_str(expected)) || load->fault.key[0] == '\0';
    return report(load, "environment %.*s: %s%s%s", (int)name.len, name.at,
                  same ? "" : load->fault.key, same ? "" : ": ", load->fault.text);
}

// Where `key`, or else the nearest thing around it, stands in the file.
static bool locate_around(const struct load *load, const char *key, int *ret_line, int *ret_column)
{
    char path[KEY_MAX];
    snprintf(path, sizeof path, "%s", key);
    while (*path != '\0') {
        if (json_locate(buf_bytes(&load->file_text), path, ret_line, ret_column)) {
            return true;
        }
        char *dot = strrchr(path, '.');
        *(dot != NULL ? dot : path) = '\0';
    }
    return false;
}

static int report_file(struct load *load)
{
    int line = 1;
    int column = 1;
    const char *key = load->fault.key;
    if (!locate_around(load, key, &line, &column)) {
        line = column = 1;
    }
    return report(load, "%s:%d:%d: %s%s%s", load->sources->file, line, column, key,
                  *key != '\0' ? ": " : "", load->fault.text);
}

// Whether `key` is `wanted` or an object around it.
static bool covers(struct bytes key, struct bytes wanted)
{
    return bytes_starts_with(wanted, key) && (wanted.len == key.len || wanted.at[key.len] == '.');
}

static struct bytes part_before(const char *text, char separator)
{
    const char *end = strchr(text, separator);
    return bytes_make(text, end != NULL ? (size_t)(end - text) : strlen(text));
}

struct variable_search {
    struct bytes name;
    struct bytes wanted; // a key
    bool found;
};

static int match_variable_key(void *context, const char *key, const struct row *row)
{
    struct variable_search *search = context;
    char name[KEY_MAX + sizeof VARIABLE_PREFIX];
    (void)row;
    variable_name(key, name);
    if (bytes_equal(search->name, bytes_str(name)) && covers(bytes_str(key), search->wanted)) {
        search->found = true;
    }
    return search->found;
}

// Reports a fault of a check at the strongest source that set `key`; false when none did.
static bool report_at_source(struct load *load, const char *key)
{
    const struct config_sources *sources = load->sources;
    for (size_t i = sources->set_count; i > 0; i--) {
        struct bytes flag = part_before(sources->sets[i - 1], '=');
        if (covers(flag, bytes_str(key))) {
            report_flag(load, flag);
            return true;
        }
    }
    for (char *const *at = sources->environment; at != NULL && *at != NULL; at++) {
        struct variable_search search = {part_before(*at, '='), bytes_str(key), false};
        table_each(&config_table, "", match_variable_key, &search);
        if (search.found) {
            report_variable(load, search.name);
            return true;
        }
    }
    int line = 0;
    int column = 0;
    if (sources->file != NULL && json_locate(buf_bytes(&load->file_text), key, &line, &column)) {
        report(load, "%s:%d:%d: %s: %s", sources->file, line, column, load->fault.key,
               load->fault.text);
        return true;
    }
    return false;
}

static int report_check(struct load *load)
{
    if (report_at_source(load, load->fault.key)) {
        return -EINVAL;
    }
    if (load->fault.other[0] != '\0' && report_at_source(load, load->fault.other)) {
        return -EINVAL;
    }
    if (load->sources->file != NULL) {
        return report_file(load);
    }
    return report(load, "%s: %s", load->fault.key, load->fault.text);
}

static int read_all(int fd, struct buf *to)
{
    for (;;) {
        int err = buf_reserve(to, READ_STEP);
        if (err < 0) {
            return err;
        }
        ssize_t got = read(fd, to->at + to->len, READ_STEP);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -errno : 0;
        }
        to->len += (size_t)got;
    }
}

static int read_file(struct load *load)
{
    const char *path = load->sources->file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? -errno : read_all(fd, &load->file_text);
    if (fd >= 0) {
        close(fd);
    }
    if (err == -EMSGSIZE) {
        report(load, "%s: expected at most %zu bytes", path, FILE_SIZE_MAX);
    } else if (err < 0) {
        report(load, "%s: expected a readable file, got \"%s\"", path, strerror(-err));
    }
    return err;
}

static int load_file(struct load *load)
{
    int err = read_file(load);
    if (err < 0) {
        return err;
    }
    struct json *root = NULL;
    struct json_error error = {1, 1, "it is empty"};
    if (load->file_text.len == 0 ||
        json_parse(buf_bytes(&load->file_text), FILE_SIZE_MAX, &root, &error) < 0) {
        return report(load, "%s:%d:%d: expected JSON: %s", load->sources->file, error.line,
                      error.column, error.text);
    }
    err = apply_document(&config_table, load->config, root, &load->fault);
    json_destroy(root);
    return err < 0 ? report_file(load) : 0;
}

struct variable {
    struct bytes name;
    const char *value;
    struct load *load;
    struct hint hint;
    bool found;
};

static int try_variable(void *context, const char *key, const struct row *row)
{
    struct variable *variable = context;
    char name[KEY_MAX + sizeof VARIABLE_PREFIX];
    (void)row;
    variable_name(key, name);
    hint_offer(&variable->hint, name);
    if (!bytes_equal(variable->name, bytes_str(name))) {
        return 0;
    }
    variable->found = true;
    struct load *load = variable->load;
    return apply_text(&config_table, load->config, key, bytes_str(variable->value), &load->fault);
}

static int load_variable(struct load *load, const char *entry)
{
    struct variable variable = {.name = part_before(entry, '='), .load = load};
    if (!bytes_starts_with(variable.name, BYTES_OF(VARIABLE_PREFIX)) ||
        entry[variable.name.len] != '=') {
        return 0;
    }
    variable.value = entry + variable.name.len + 1;
    hint_begin(&variable.hint, variable.name);
    int err = table_each(&config_table, "", try_variable, &variable);
    if (err == 0 && !variable.found) {
        err = fault_set(&load->fault, "", "expected a known setting, got an unknown one%s",
                        hint_text(&variable.hint, "").text);
    }
    return err < 0 ? report_variable(load, variable.name) : 0;
}

static int load_flag(struct load *load, const char *flag)
{
    struct bytes key = part_before(flag, '=');
    char name[KEY_MAX];
    if (flag[key.len] != '=' || key.len == 0 || key.len >= sizeof name) {
        return report(load, "--set %s: expected key=value", fault_quote(bytes_str(flag)).text);
    }
    memcpy(name, flag, key.len);
    name[key.len] = '\0';
    int err =
        apply_text(&config_table, load->config, name, bytes_str(flag + key.len + 1), &load->fault);
    return err < 0 ? report_flag(load, key) : 0;
}

static int load_sources(struct load *load)
{
    const struct config_sources *sources = load->sources;
    int err = sources->file != NULL ? load_file(load) : 0;
    for (char *const *at = sources->environment; err == 0 && at != NULL && *at != NULL; at++) {
        err = load_variable(load, *at);
    }
    for (size_t i = 0; err == 0 && i < sources->set_count; i++) {
        err = load_flag(load, sources->sets[i]);
    }
    return err;
}

// A listener without path and address listens on all IPv4 addresses.
static void complete_listeners(struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        struct config_listener *listener = &config->listeners[i];
        if (*listener->path == '\0' && *listener->address == '\0') {
            mem_free(listener->address);
            listener->address = mem_strdup("0.0.0.0");
        }
    }
}

void config_setup(void)
{
    json_read_setup();
}

int config_load(const struct config_sources *sources, struct config **ret_config,
                struct config_error *ret_error)
{
    struct load load = {.sources = sources, .error = ret_error};
    buf_init(&load.file_text, FILE_SIZE_MAX);
    load.config = mem_zalloc(sizeof *load.config);
    atomic_init(&load.config->refs, 1);
    load.config->channel.without_namespace.name = mem_strdup("");
    store_default(&config_table, load.config);
    int err = load_sources(&load);
    if (err == 0) {
        complete_listeners(load.config);
        err = check_settings(load.config, &load.fault) < 0 ? report_check(&load) : 0;
    }
    buf_finish(&load.file_text);
    if (err < 0) {
        config_unref(load.config);
        return err;
    }
    *ret_config = load.config;
    return 0;
}

bool config_needs_restart(const struct config *current, const struct config *next,
                          const char **ret_key)
{
    for (size_t i = 0; i < config_table.count; i++) {
        const struct row *row = &config_table.rows[i];
        if ((row->flags & RESTART) != 0 && !store_equal_for_restart(row, current, next)) {
            *ret_key = row->key;
            return true;
        }
    }
    return false;
}
