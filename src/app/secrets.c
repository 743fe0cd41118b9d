// From settings to the listeners' TLS.
//
// Owner: made by the main thread, then counted; any thread may drop the last reference.

#include "secrets.h"

#include "tidegate/base/mem.h"

#include <inttypes.h>
#include <stdio.h>

_Static_assert(TLS_VERIFY_OFF == (int)CLIENT_VERIFY_OFF &&
                   TLS_VERIFY_REQUEST == (int)CLIENT_VERIFY_REQUEST &&
                   TLS_VERIFY_REQUIRE == (int)CLIENT_VERIFY_REQUIRE &&
                   TLS_VERSION_1_2 == (int)CONFIG_TLS_1_2 && TLS_VERSION_1_3 == (int)CONFIG_TLS_1_3,
               "the settings' choices are the listener's");

static int secrets_read(const struct config *config, size_t index, struct tls_common *common,
                        struct tls **ret_tls, struct tls_error *ret_error)
{
    const struct config_listener *listener = &config->listeners[index];
    const struct config_listener_tls *from = &listener->tls;
    struct tls_pair *pairs = mem_alloc(from->certificate_count * sizeof(*pairs));

    for (size_t i = 0; i < from->certificate_count; i++) {
        pairs[i] = (struct tls_pair){from->certificates[i].certificate, from->certificates[i].key};
    }
    struct tls_options options = {
        .common = common,
        .name = listener->name,
        .pairs = pairs,
        .pair_count = from->certificate_count,
        .client_ca = from->client_ca,
        .verify = (enum tls_verify)from->client_verify,
        .min_version = (enum tls_version)from->min_version,
        .ciphers = from->ciphers,
        .has_tickets = from->session_tickets,
        .may_use_kernel = config->tls.kernel,
        .handshake_timeout_ms = config->tls.handshake_timeout_ms,
        .handshakes_max = (uint32_t)config->tls.handshakes_max,
    };
    int result = tls_create(&options, ret_tls, ret_error);
    mem_free(pairs);
    return result;
}

int secrets_create(const struct config *config, struct tls_common *common,
                   struct secrets **ret_secrets, struct secrets_error *ret_error)
{
    size_t size = config->listener_count * sizeof(struct tls *);
    struct secrets *secrets = mem_zalloc(sizeof(*secrets) + size);
    struct tls_error error;

    atomic_init(&secrets->refs, 1);
    secrets->count = config->listener_count;
    for (size_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].tls.certificate_count == 0) {
            continue;
        }
        int result = secrets_read(config, i, common, &secrets->items[i], &error);
        if (result < 0) {
            snprintf(ret_error->text, sizeof(ret_error->text), "listeners.%zu.tls: %s", i,
                     error.text);
            secrets_unref(secrets);
            return result;
        }
    }
    *ret_secrets = secrets;
    return 0;
}

struct secrets *secrets_ref(struct secrets *secrets)
{
    atomic_fetch_add_explicit(&secrets->refs, 1, memory_order_relaxed);
    return secrets;
}

void secrets_unref(struct secrets *secrets)
{
    if (secrets == NULL || atomic_fetch_sub_explicit(&secrets->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < secrets->count; i++) {
        tls_unref(secrets->items[i]);
    }
    mem_free(secrets);
}
