// What one row cannot say: required members of lists, settings that must fit each other, unique
// names. Routes are in check_route.c. Pure functions; the thread that loads.
#include "check.h"

#include "setting.h"
#include "store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

bool check_is_name(struct bytes name, size_t min)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
        if (!fits) {
            return false;
        }
    }
    return name.len >= min;
}

static struct key key_of(const char *list, size_t index, const char *member)
{
    struct key key = {"", 0};
    key_push(&key, bytes_str(list));
    key_push_index(&key, index);
    key_push(&key, bytes_str(member));
    return key;
}

// Every object of every list, however deep, has what it must have.
static int check_required_in(const struct table *table, const void *base, struct key *key,
                             struct fault *fault)
{
    int err = 0;
    size_t len = key->len;
    for (size_t i = 0; err == 0 && i < table->count; i++) {
        const struct row *row = &table->rows[i];
        size_t count = row->kind == ROW_LIST ? store_count(row, base) : 0;
        key_push(key, bytes_str(row->key));
        if (store_is_missing(row, base)) {
            err = setting_refuse_missing(row, key->text, fault);
        } else if (row->kind == ROW_GROUP) {
            err = check_required_in(row->sub, row_at_const(row, base), key, fault);
        }
        for (size_t at = 0, list_len = key->len; err == 0 && at < count; at++) {
            key_push_index(key, at);
            err = check_required_in(row->sub, store_item_const(row, base, at), key, fault);
            key_cut(key, list_len);
        }
        key_cut(key, len);
    }
    return err;
}

static int check_required(const struct config *config, struct fault *fault)
{
    struct key key = {"", 0};
    return check_required_in(&config_table, config, &key, fault);
}

static int check_client(const struct config *config, struct fault *fault)
{
    int64_t ping = config->client.ping_interval_ms;
    if (ping > 0 && config->client.pong_timeout_ms >= ping) {
        fault_set(fault, "client.pong_timeout",
                  "expected less than client.ping_interval (%" PRId64 "ms), got %" PRId64 "ms",
                  ping, config->client.pong_timeout_ms);
        snprintf(fault->other, sizeof fault->other, "client.ping_interval");
        return -EINVAL;
    }
    return 0;
}

static bool is_address(const char *text)
{
    struct in6_addr to;
    return inet_pton(AF_INET, text, &to) == 1 || inet_pton(AF_INET6, text, &to) == 1;
}

static bool same_socket(const struct config_listener *a, const struct config_listener *b)
{
    if (*a->path != '\0' || *b->path != '\0') {
        return strcmp(a->path, b->path) == 0;
    }
    return a->port != 0 && a->port == b->port && strcmp(a->address, b->address) == 0;
}

static int check_listener_tls(const struct config *config, size_t index, struct fault *fault)
{
    const struct config_listener_tls *tls = &config->listeners[index].tls;
    if (tls->client_verify != CLIENT_VERIFY_OFF && tls->certificate_count == 0) {
        return fault_set(fault, key_of("listeners", index, "tls.client_verify").text,
                         "expected certificates with it, got none");
    }
    if ((tls->client_verify != CLIENT_VERIFY_OFF) != (*tls->client_ca != '\0')) {
        return fault_set(fault, key_of("listeners", index, "tls.client_ca").text,
                         "expected client_verify and client_ca together, got only %s",
                         *tls->client_ca != '\0' ? "client_ca" : "client_verify");
    }
    return 0;
}

static int check_listener(const struct config *config, size_t index, struct fault *fault)
{
    const struct config_listener *listener = &config->listeners[index];
    struct bytes name = bytes_str(listener->name);
    if (!check_is_name(name, 1)) {
        return fault_set(fault, key_of("listeners", index, "name").text,
                         "expected letters, digits and -_. only, got %s", fault_quote(name).text);
    }
    if (*listener->path != '\0' && *listener->address != '\0') {
        return fault_set(fault, key_of("listeners", index, "path").text,
                         "expected a path or an address, got both");
    }
    if (*listener->path == '\0' && !is_address(listener->address)) {
        return fault_set(fault, key_of("listeners", index, "address").text,
                         "expected an IPv4 or IPv6 address, got %s",
                         fault_quote(bytes_str(listener->address)).text);
    }
    if (listener->serves.count == 2 &&
        strcmp(listener->serves.items[0], listener->serves.items[1]) == 0) {
        return fault_set(fault, key_of("listeners", index, "serves").text,
                         "expected each of them once, got \"%s\" twice", listener->serves.items[0]);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(config->listeners[i].name, listener->name) == 0) {
            return fault_set(fault, key_of("listeners", index, "name").text,
                             "expected a name of its own, got %s again", fault_quote(name).text);
        }
        if (same_socket(&config->listeners[i], listener)) {
            return fault_set(fault, key_of("listeners", index, "port").text,
                             "expected an address or path of its own, got that of listeners.%zu",
                             i);
        }
    }
    return 0;
}

static int check_whole_seconds(const char *prefix, const char *name, int64_t ms,
                               struct fault *fault)
{
    struct key key = {"", 0};
    key_push(&key, bytes_str(prefix));
    key_push(&key, bytes_str(name));
    if (ms % 1000 == 0) {
        return 0;
    }
    return fault_set(fault, key.text, "expected whole seconds, got %" PRId64 "ms", ms);
}

static int check_history(const struct config *config, const struct config_namespace *space,
                         const char *prefix, struct fault *fault)
{
    int err = check_whole_seconds(prefix, "history_ttl", space->history_ttl_ms, fault);
    if (err == 0) {
        err = check_whole_seconds(prefix, "history_meta_ttl", space->history_meta_ttl_ms, fault);
    }
    if (err < 0) {
        return err;
    }
    struct key size_key = {"", 0};
    struct key ttl_key = {"", 0};
    key_push(&size_key, bytes_str(prefix));
    ttl_key = size_key;
    key_push(&size_key, BYTES_OF("history_size"));
    key_push(&ttl_key, BYTES_OF("history_ttl"));
    if ((space->history_size > 0) != (space->history_ttl_ms > 0)) {
        bool has_size = space->history_size > 0;
        fault_set(fault, has_size ? ttl_key.text : size_key.text,
                  "expected history_size and history_ttl together, got only history_%s",
                  has_size ? "size" : "ttl");
        memcpy(fault->other, has_size ? size_key.text : ttl_key.text, KEY_MAX);
        return -EINVAL;
    }
    int64_t meta = space->history_meta_ttl_ms > 0 ? space->history_meta_ttl_ms
                                                  : config->channel.history_meta_ttl_ms;
    if (meta < space->history_ttl_ms) {
        return fault_set(fault, ttl_key.text,
                         "expected at most history_meta_ttl (%" PRId64 "s), got %" PRId64 "s",
                         meta / 1000, space->history_ttl_ms / 1000);
    }
    return 0;
}

static int check_namespace(const struct config *config, size_t index, struct fault *fault)
{
    const struct config_namespace *space = &config->channel.namespaces[index];
    struct key prefix = key_of("channel.namespaces", index, "name");
    struct bytes name = bytes_str(space->name);
    if (!check_is_name(name, 2)) {
        return fault_set(fault, prefix.text, "expected letters, digits and -_. only, got %s",
                         fault_quote(name).text);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(config->channel.namespaces[i].name, space->name) == 0) {
            return fault_set(fault, prefix.text, "expected a name of its own, got %s again",
                             fault_quote(name).text);
        }
    }
    key_cut(&prefix, prefix.len - strlen(".name"));
    return check_history(config, space, prefix.text, fault);
}

int check_settings(const struct config *config, struct fault *fault)
{
    int err = check_required(config, fault);
    err = err == 0 ? check_client(config, fault) : err;
    err = err == 0 ? check_networks(config, fault) : err;
    for (size_t i = 0; err == 0 && i < config->listener_count; i++) {
        err = check_listener(config, i, fault);
        err = err == 0 ? check_listener_tls(config, i, fault) : err;
    }
    if (err == 0) {
        err = check_whole_seconds("channel", "history_meta_ttl",
                                  config->channel.history_meta_ttl_ms, fault);
    }
    if (err == 0) {
        err = check_history(config, &config->channel.without_namespace, "channel.without_namespace",
                            fault);
    }
    for (size_t i = 0; err == 0 && i < config->channel.namespace_count; i++) {
        err = check_namespace(config, i, fault);
    }
    for (size_t i = 0; err == 0 && i < config->route_count; i++) {
        err = check_route(config, i, fault);
    }
    return err;
}
