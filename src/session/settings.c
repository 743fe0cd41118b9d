// From a channel's name to its settings. Pure.

#include "tidegate/session/settings.h"

#include "tidegate/channel/name.h"

#include <errno.h>

int settings_of_channel(const struct config *config, struct bytes channel,
                        struct channel_settings *ret_settings)
{
    if (channel_name_check(channel, (size_t)config->channel.max_length) < 0) {
        return -EINVAL;
    }
    const struct config_namespace *space =
        config_namespace_find(config, channel_name_namespace(channel));
    if (space == NULL) {
        return -ENOENT;
    }
    *ret_settings = (struct channel_settings){
        .history_size = (uint32_t)space->history_size,
        .history_ttl_ms = space->history_ttl_ms,
        .history_meta_ttl_ms = space->history_meta_ttl_ms > 0 ? space->history_meta_ttl_ms
                                                              : config->channel.history_meta_ttl_ms,
    };
    return 0;
}
