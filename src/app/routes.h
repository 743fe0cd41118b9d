// The router of one worker and what its targets need, built from one snapshot. Connections keep no
// pointer to it, so a reload replaces it between two turns.
// Owner: the worker.
#ifndef TIDEGATE_APP_ROUTES_H
#define TIDEGATE_APP_ROUTES_H

#include "tidegate/http/router.h"

struct routes; // opaque
struct worker;

// Builds from the worker's snapshot. A files route whose folder cannot be opened is logged and
// answers 404.
struct routes *routes_create(struct worker *worker);

// Takes routes out of use (NULL is allowed): they are freed by routes_bury() once `due_ms` is past.
struct list;
void routes_retire(struct routes *routes, struct list *retired, int64_t due_ms);

// Frees the retired routes that are due.
void routes_bury(struct list *retired, int64_t now_ms);

const struct router *routes_router(const struct routes *routes);

// Opens what the snapshot's routes name, to find out before anything starts: 0 or -errno, logged.
struct config;
int routes_check(const struct config *config) ATTR_MUST_CHECK;

#endif
