// Which target answers a path. Patterns: literal segments, `{name}` for one segment, a last `*` for
// the rest; an optional host. The most specific match wins: segment by segment a literal beats
// `{name}` beats `*`, and a route with a host beats the same one without.
// Owner: a worker (built from a settings snapshot, then constant).
#ifndef TIDEGATE_HTTP_ROUTER_H
#define TIDEGATE_HTTP_ROUTER_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

#define ROUTER_PARAMS_MAX 8

struct router; // opaque

struct router_match {
    void *target; // the caller's, as added
    struct {
        const char *name;   // in the router; "*" for the rest
        struct bytes value; // raw, still percent-encoded
    } params[ROUTER_PARAMS_MAX];
    size_t param_count;
};

struct router *router_create(void);
void router_destroy(struct router *router);

// 0, -EINVAL: not a pattern; -EEXIST: one of the same shape and host is there.
int router_add(struct router *router, const char *host, const char *pattern,
               void *target) ATTR_MUST_CHECK;

// The best match for a raw path; false when there is none. Percent-encoded slashes do not separate.
bool router_find(const struct router *router, struct bytes host, struct bytes path,
                 struct router_match *ret_match);

// A parameter of the match; false when it is not there.
bool router_param(const struct router_match *match, const char *name, struct bytes *ret_value);

// Whether `pattern` is well formed: 0, or -EINVAL.
int router_check(const char *pattern) ATTR_MUST_CHECK;

#endif
