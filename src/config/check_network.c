// Networks that are trusted: each must be an address, a network or "unix". What they mean is
// net/cidr.c's; here a wrong one is told with its place in the file.
// Pure functions; the thread that loads.
#include "check.h"

#include "setting.h"

#include <arpa/inet.h>
#include <stdio.h>

#define IP_MAX 46

// As cidr_parse() in net/cidr.c, which this folder may not know.
static bool is_network(const char *text)
{
    const char *slash = strchr(text, '/');
    struct bytes tail = bytes_str(slash != NULL ? slash + 1 : "0");
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    uint8_t ip[16];
    char room[IP_MAX];
    uint64_t bits = 0;

    if (strcmp(text, "unix") == 0) {
        return true;
    }
    if (len >= sizeof(room) || tail.len == 0 || tail.len > 3) {
        return false;
    }
    memcpy(room, text, len);
    room[len] = '\0';
    if (inet_pton(AF_INET, room, ip) == 1) {
        return bytes_to_u64(tail, 32, &bits) == 0;
    }
    if (inet_pton(AF_INET6, room, ip) != 1 || bytes_to_u64(tail, 128, &bits) < 0) {
        return false;
    }
    bool is_mapped = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)ip);
    return slash == NULL || !is_mapped || bits >= 96;
}

static int check_list(const struct config_strings *networks, const char *key, struct fault *fault)
{
    for (size_t i = 0; i < networks->count; i++) {
        if (!is_network(networks->items[i])) {
            return fault_set(fault, key, "expected networks such as 10.0.0.0/8, or unix, got %s",
                             fault_quote(bytes_str(networks->items[i])).text);
        }
    }
    return 0;
}

static int check_listener_networks(const struct config *config, size_t index, struct fault *fault)
{
    const struct config_listener *listener = &config->listeners[index];
    char key[KEY_MAX];

    snprintf(key, sizeof key, "listeners.%zu.proxy_trusted", index);
    bool is_required = listener->proxy_protocol == PROXY_PROTOCOL_REQUIRED;
    if (is_required && listener->proxy_trusted.count == 0) {
        return fault_set(fault, key,
                         "expected the balancers' networks with proxy_protocol, got none");
    }
    return check_list(&listener->proxy_trusted, key, fault);
}

int check_networks(const struct config *config, struct fault *fault)
{
    int err = check_list(&config->client.trusted_proxies, "client.trusted_proxies", fault);

    for (size_t i = 0; err == 0 && i < config->listener_count; i++) {
        err = check_listener_networks(config, i, fault);
    }
    return err;
}
