// The command line: what to do, which file, which settings on top. Everything after that is the
// settings' (config) or the running gateway's (app).
// Main thread. Exit status: 0 done, 1 it failed while running, 2 the command or a setting is wrong;
// then exactly one line is on standard error and nothing was started.
#include "tidegate/app/app.h"
#include "tidegate/base/attr.h"
#include "tidegate/base/buf.h"
#include "tidegate/config/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_WRONG 2
#define SETS_MAX 256
#define OUTPUT_MAX ((size_t)64 << 20)

enum config_mode { MODE_NONE, MODE_PRINT, MODE_SCHEMA, MODE_REFERENCE };

struct arguments {
    struct config_sources sources;
    const char *sets[SETS_MAX];
    enum config_mode mode;
    bool help;
};

struct command {
    const char *name;
    int (*run)(struct arguments *arguments);
    bool takes_settings; // --config and --set
    bool takes_mode;     // --print and the like
    const char *help;
};

static int run_serve(struct arguments *arguments);
static int run_check(struct arguments *arguments);
static int run_config(struct arguments *arguments);
static int run_version(struct arguments *arguments);

#define SETTINGS_HELP \
    "  -c, --config FILE   read settings from FILE (JSON)\n" \
    "  --set KEY=VALUE     set one, stronger than TIDEGATE_ variables and FILE; may be repeated\n" \
    "  -h, --help          print this\n"

static const struct command commands[] = {
    {"serve", run_serve, true, false,
     "Usage: tidegate serve [--config FILE] [--set KEY=VALUE]...\n\n"
     "Runs the gateway in the foreground until SIGTERM or Ctrl-C.\n\n" SETTINGS_HELP},
    {"check", run_check, true, false,
     "Usage: tidegate check --config FILE [--set KEY=VALUE]...\n\n"
     "Checks settings and starts nothing.\n\n" SETTINGS_HELP},
    {"config", run_config, true, true,
     "Usage: tidegate config --print|--schema|--reference [--config FILE] [--set KEY=VALUE]...\n\n"
     "  --print             print the settings in effect as JSON, secrets masked\n"
     "  --schema            print the JSON Schema of the file\n"
     "  --reference         print all settings as Markdown\n" SETTINGS_HELP},
    {"version", run_version, false, false,
     "Usage: tidegate version\n\nPrints the version.\n\n  -h, --help          print this\n"},
};

static const char *const overview = "Usage: tidegate COMMAND [OPTION]...\n\n"
                                    "A WebSocket gateway in front of services.\n\n"
                                    "  serve     run the gateway\n"
                                    "  check     check settings and start nothing\n"
                                    "  config    print settings, their schema or their reference\n"
                                    "  version   print the version\n\n"
                                    "tidegate COMMAND --help says more of each.\n";

static int complain(const char *what, const char *about, const char *command)
{
    fprintf(stderr, "tidegate: %s \"%s\" (see tidegate %s%s--help)\n", what, about, command,
            *command != '\0' ? " " : "");
    return EXIT_WRONG;
}

// Writes to standard output; a full disk or a closed pipe is a failure.
static int say(struct bytes text)
{
    bool written = fwrite(text.at, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    if (!written) {
        fprintf(stderr, "tidegate: cannot write to standard output\n");
    }
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int load(const struct config_sources *sources, struct config **ret_config)
{
    struct config_error error;
    if (config_load(sources, ret_config, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_WRONG;
    }
    return EXIT_SUCCESS;
}

static int run_serve(struct arguments *arguments)
{
    struct config *config = NULL;
    int status = load(&arguments->sources, &config);
    return status != EXIT_SUCCESS ? status : app_run(config, &arguments->sources);
}

static int run_check(struct arguments *arguments)
{
    if (arguments->sources.file == NULL) {
        fprintf(stderr, "tidegate: check needs --config FILE (see tidegate check --help)\n");
        return EXIT_WRONG;
    }
    struct config *config = NULL;
    struct app_error error;
    int status = load(&arguments->sources, &config);
    if (status != EXIT_SUCCESS) {
        return status;
    }
    int checked = app_check(config, &error);
    config_unref(config);
    if (checked < 0) {
        fprintf(stderr, "%s: %s\n", arguments->sources.file, error.text);
        return EXIT_WRONG;
    }
    return printf("%s: ok\n", arguments->sources.file) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE
                                                                                  : EXIT_SUCCESS;
}

static int print_effective(const struct config_sources *sources, struct buf *out, int *ret_err)
{
    struct config *config = NULL;
    int status = load(sources, &config);
    if (status == EXIT_SUCCESS) {
        *ret_err = config_print(config, out);
        config_unref(config);
    }
    return status;
}

static int run_config(struct arguments *arguments)
{
    struct buf out;
    int err = 0;
    int status = EXIT_SUCCESS;
    buf_init(&out, OUTPUT_MAX);
    switch (arguments->mode) {
    case MODE_PRINT:
        status = print_effective(&arguments->sources, &out, &err);
        break;
    case MODE_SCHEMA:
        err = config_print_schema(&out);
        break;
    case MODE_REFERENCE:
        err = config_print_reference(&out);
        break;
    case MODE_NONE:
        fprintf(stderr, "tidegate: config needs --print, --schema or --reference "
                        "(see tidegate config --help)\n");
        status = EXIT_WRONG;
        break;
    }
    if (err < 0) {
        fprintf(stderr, "tidegate: cannot print: %s\n", strerror(-err));
        status = EXIT_FAILURE;
    }
    status = status == EXIT_SUCCESS ? say(buf_bytes(&out)) : status;
    buf_finish(&out);
    return status;
}

static int run_version(struct arguments *arguments)
{
    (void)arguments;
    return say(BYTES_OF("tidegate " TIDEGATE_VERSION "\n"));
}

// Whether argv[*at] is the option `name` with a value, as "--name VALUE" or "--name=VALUE".
// *ret_value is NULL when the value is missing; *at moves on to the argument used last.
static bool take_option(char **argv, int *at, const char *name, const char **ret_value)
{
    size_t len = strlen(name);
    if (strncmp(argv[*at], name, len) != 0) {
        return false;
    }
    if (argv[*at][len] == '=' && name[1] == '-') {
        *ret_value = argv[*at] + len + 1;
        return true;
    }
    if (argv[*at][len] != '\0') {
        return false;
    }
    *ret_value = argv[*at + 1];
    *at += argv[*at + 1] != NULL ? 1 : 0;
    return true;
}

static enum config_mode mode_of(const char *argument)
{
    static const char *const names[] = {"", "--print", "--schema", "--reference"};
    for (int i = MODE_PRINT; i <= MODE_REFERENCE; i++) {
        if (strcmp(argument, names[i]) == 0) {
            return (enum config_mode)i;
        }
    }
    return MODE_NONE;
}

// One argument at argv[*at]: 0, or the exit status of a complaint.
static int read_argument(const struct command *command, char **argv, int *at,
                         struct arguments *arguments)
{
    const char *name = argv[*at];
    const char *value = NULL;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        arguments->help = true;
        return 0;
    }
    enum config_mode mode = command->takes_mode ? mode_of(name) : MODE_NONE;
    if (mode != MODE_NONE) {
        bool again = arguments->mode != MODE_NONE && arguments->mode != mode;
        arguments->mode = mode;
        return again ? complain("one thing at a time, but also", name, command->name) : 0;
    }
    if (!command->takes_settings) {
        return complain("unknown argument", name, command->name);
    }
    if (take_option(argv, at, "--config", &value) || take_option(argv, at, "-c", &value)) {
        bool again = arguments->sources.file != NULL;
        arguments->sources.file = value;
        if (value == NULL || *value == '\0') {
            return complain("no file behind", name, command->name);
        }
        return again ? complain("a second file", value, command->name) : 0;
    }
    if (!take_option(argv, at, "--set", &value)) {
        return complain("unknown argument", name, command->name);
    }
    if (value == NULL) {
        return complain("no KEY=VALUE behind", name, command->name);
    }
    if (arguments->sources.set_count == SETS_MAX) {
        return complain("too many of", "--set", command->name);
    }
    arguments->sets[arguments->sources.set_count++] = value;
    return 0;
}

static int run_command(const struct command *command, char **argv)
{
    struct arguments arguments = {.sources = {.environment = environ}};
    arguments.sources.sets = arguments.sets;
    for (int at = 0; argv[at] != NULL; at++) {
        int status = read_argument(command, argv, &at, &arguments);
        if (status != 0) {
            return status;
        }
    }
    return arguments.help ? say(bytes_str(command->help)) : command->run(&arguments);
}

int main(int argc, char **argv)
{
    config_setup();
    if (argc < 2) {
        fprintf(stderr, "tidegate: no command (see tidegate --help)\n");
        return EXIT_WRONG;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return say(bytes_str(overview));
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return run_command(&commands[i], argv + 2);
        }
    }
    return complain("unknown command", name, "");
}
