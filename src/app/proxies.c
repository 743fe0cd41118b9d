// From settings to the sets that net and http ask.
// Owner: the worker. Lifetime: until the next snapshot is applied, between two turns; nobody holds
// a set longer than a question takes.

#include "proxies.h"

#include "tidegate/base/assert.h"

static unsigned header_bit(const char *name)
{
    static const struct {
        const char *name;
        unsigned bit;
    } rows[] = {
        {"x-forwarded-for", FORWARDED_X_FOR},
        {"forwarded", FORWARDED_RFC7239},
        {"x-real-ip", FORWARDED_X_REAL_IP},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].bit;
        }
    }
    return 0;
}

void proxies_apply(struct worker *worker)
{
    const struct config *config = worker->session.config;
    const struct config_strings *networks = &config->client.trusted_proxies;
    const struct config_strings *headers = &config->client.proxy_headers;
    struct cidr_set *proxies =
        cidr_set_create((const char *const *)networks->items, networks->count);
    unsigned bits = 0;

    assert_always(proxies != NULL);
    for (size_t i = 0; i < headers->count; i++) {
        bits |= header_bit(headers->items[i]);
    }
    cidr_set_destroy(worker->proxies);
    worker->proxies = proxies;
    worker->net.proxies = proxies;
    worker->http.trust = (struct forwarded_trust){proxies, bits};
}
