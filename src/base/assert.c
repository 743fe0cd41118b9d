// What happens when an assertion of base/assert.h fails: one line to standard error, then abort().
// Owner: none, no state; any thread, also with locks held. Nothing is allocated and the log is not
// used, because either may be what is broken.
#include "tidegate/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void assert_failed(const char *expression, const char *file, int line)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%s:%d: assertion failed: %s\n", file, line, expression);
    if (len >= (int)sizeof(text)) {
        len = (int)sizeof(text) - 1;
        text[len - 1] = '\n';
    }
    // The process ends anyway: nobody is left to tell that the write failed.
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0) {
        abort();
    }
    abort();
}
