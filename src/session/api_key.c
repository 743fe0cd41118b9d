// The key of the HTTP API, checked in one place for all that services may call.
// Owner: none, no state; any thread. Where a request carries the key is the bridges' matter.
// Invariant: an empty key is no key. It opens nothing, whatever is presented.
#include "tidegate/session/api_key.h"

bool api_key_is_valid(const struct config *config, struct bytes presented)
{
    if (config->http_api.insecure) {
        return true;
    }
    struct bytes key = bytes_str(config->http_api.key);
    return key.len > 0 && bytes_equal_secret(key, presented);
}
