// Whom a worker believes about whose a request is.
#ifndef TIDEGATE_APP_PROXIES_H
#define TIDEGATE_APP_PROXIES_H

#include "worker.h"

// Takes the trusted proxies of the worker's snapshot, in place of those of the last one.
void proxies_apply(struct worker *worker);

#endif
