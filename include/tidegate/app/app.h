// The running process: opens the listeners, starts the workers, waits for signals, stops
// everything. Owner: main thread.
#ifndef TIDEGATE_APP_APP_H
#define TIDEGATE_APP_APP_H

#include "tidegate/config/load.h"

// Serves until SIGTERM or SIGINT (a second one ends at once) and returns the exit status: 0 after
// an orderly stop. `config`: one reference, taken over. SIGHUP loads `sources` again; a snapshot
// with an error, or one that needs a restart, is logged and changes nothing.
int app_run(struct config *config, const struct config_sources *sources);

// One line that names setting and file.
struct app_error {
    char text[640];
};

// Looks at the files that settings name for certificates and keys: 0, or -EINVAL with *ret_error.
int app_check(const struct config *config, struct app_error *ret_error) ATTR_MUST_CHECK;

#endif
