// What one row cannot say: settings that must fit each other. Pure functions over a loaded
// snapshot.
#ifndef TIDEGATE_CONFIG_CHECK_H
#define TIDEGATE_CONFIG_CHECK_H

#include "fault.h"
#include "tidegate/config/config.h"

// 0, or -EINVAL with *fault about the first setting that does not fit.
int check_settings(const struct config *config, struct fault *fault) ATTR_MUST_CHECK;

// The part of it that concerns route `index`: pattern, options of its kind, conflicts with the
// routes before it.
int check_route(const struct config *config, size_t index, struct fault *fault) ATTR_MUST_CHECK;

// The part of it that concerns lists of networks.
int check_networks(const struct config *config, struct fault *fault) ATTR_MUST_CHECK;

// Whether `name` is letters, digits and "-_." only, at least `min` of them.
bool check_is_name(struct bytes name, size_t min);

#endif
