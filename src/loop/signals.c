// Signals as return values: blocked in every thread, taken by the main thread with sigtimedwait().
// Owner: main thread.

#include "tidegate/loop/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static void signals_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

int signals_block(void)
{
    sigset_t set;

    signals_set(&set);
    // A peer that closed must be an error of write(), not the end of the process.
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return -errno;
    }
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int signals_wait(int timeout_ms)
{
    sigset_t set;
    struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};

    signals_set(&set);
    int signal_number =
        timeout_ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &timeout);
    return signal_number > 0 ? signal_number : 0;
}
