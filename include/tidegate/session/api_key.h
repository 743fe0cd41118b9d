// Whether a service may call: the key of the HTTP API. Pure; any thread.
#ifndef TIDEGATE_SESSION_API_KEY_H
#define TIDEGATE_SESSION_API_KEY_H

#include "tidegate/config/config.h"

// Whether `presented` (empty: none was) opens the API: it equals http_api.key, compared in time
// that depends on the lengths only, or http_api.insecure is set. Without a key configured nothing
// does.
bool api_key_is_valid(const struct config *config, struct bytes presented);

#endif
