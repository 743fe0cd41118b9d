// Channel names: good when each byte is, so also when each half is; the namespace is what stands
// before the first ':' and stays the same whatever is added behind it.
#include "fuzz.h"

#include "tidegate/channel/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes name = bytes_make(data, size);
    size_t at = size > 0 ? fuzz_hash(name) % size : 0;
    bool is_good = channel_name_check(name, CHANNEL_NAME_MAX) == 0;
    bool is_left_good = at == 0 || channel_name_check(bytes_make(data, at), CHANNEL_NAME_MAX) == 0;
    bool is_right_good =
        at == size || channel_name_check(bytes_skip(name, at), CHANNEL_NAME_MAX) == 0;
    FUZZ_REQUIRE(is_good ==
                 (size > 0 && size <= CHANNEL_NAME_MAX && is_left_good && is_right_good));
    struct bytes space = channel_name_namespace(name);
    FUZZ_REQUIRE(bytes_find(space, ':') < 0);
    if (space.len > 0) {
        FUZZ_REQUIRE(space.at >= name.at && space.at[space.len] == ':');
        FUZZ_REQUIRE(space.at == name.at || (space.at == name.at + 1 && name.at[0] == '$'));
        size_t used = (size_t)(space.at + space.len - name.at) + 1;
        FUZZ_REQUIRE(bytes_equal(channel_name_namespace(bytes_make(data, used)), space));
    }
    return 0;
}
