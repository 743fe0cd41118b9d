// How a worker ends. Owner: the worker's thread.
#ifndef TIDEGATE_APP_DRAIN_H
#define TIDEGATE_APP_DRAIN_H

#include "worker.h"

// Begins to drain; harmless when it has begun.
void worker_drain(struct worker *worker);

// The drain timer: closes the next streams; ends the worker when nobody is left or time is up.
void worker_on_drain(struct timer *timer);

#endif
