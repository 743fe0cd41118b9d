// A channel's settings, from the namespace in its name. Pure; any thread.
#ifndef TIDEGATE_SESSION_SETTINGS_H
#define TIDEGATE_SESSION_SETTINGS_H

#include "tidegate/channel/hub.h"
#include "tidegate/config/config.h"

// 0; -EINVAL: not a channel name; -ENOENT: its namespace is not configured.
int settings_of_channel(const struct config *config, struct bytes channel,
                        struct channel_settings *ret_settings) ATTR_MUST_CHECK;

#endif
