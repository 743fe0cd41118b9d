// The counted snapshot: made by config_load(), immutable once it is shared, freed with its last
// reference. The rows say what is inside, so freeing needs no list of members.
// Any thread may hold, drop and read.
#include "tidegate/config/config.h"

#include "store.h"
#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"

struct config *config_ref(struct config *config)
{
    uint32_t before = atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    assert_always(before > 0);
    return config;
}

void config_unref(struct config *config)
{
    if (config == NULL) {
        return;
    }
    uint32_t before = atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel);
    assert_always(before > 0);
    if (before == 1) {
        store_clear(&config_table, config);
        mem_free(config->channel.without_namespace.name);
        mem_free(config);
    }
}

const struct config_namespace *config_namespace_find(const struct config *config,
                                                     struct bytes namespace_name)
{
    if (namespace_name.len == 0) {
        return &config->channel.without_namespace;
    }
    for (size_t i = 0; i < config->channel.namespace_count; i++) {
        const struct config_namespace *space = &config->channel.namespaces[i];
        if (bytes_equal(bytes_str(space->name), namespace_name)) {
            return space;
        }
    }
    return NULL;
}
