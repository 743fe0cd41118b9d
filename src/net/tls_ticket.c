// The keys that sessions are sealed with when clients are handed them (RFC 5077, RFC 8446 §4.6.1).
// One set for the process, so that a client resumes at any worker and after a reload. A key seals
// for half a day and opens for another half; then nothing recorded can be read with it any more.
//
// Owner: tls_common; any thread, under a mutex held for a copy. Invariant: keys[0] seals.

#include "tls_private.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/mem.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>

#define ROTATE_MS (12 * 3600 * INT64_C(1000))
#define NAME_SIZE 16
#define KEYS 2

struct ticket_key {
    unsigned char name[NAME_SIZE];
    unsigned char cipher[32];
    unsigned char mac[32];
};

struct tls_tickets {
    pthread_mutex_t lock;
    struct ticket_key keys[KEYS];
    int64_t made_ms;
    EVP_CIPHER *cipher; // fetched once: asking by name at every handshake costs more than using it
};

// Without random bytes there are no keys, and no TLS either.
static void key_fill(struct ticket_key *key)
{
    int filled = RAND_priv_bytes((unsigned char *)key, sizeof(*key));

    assert_always(filled == 1);
}

struct tls_tickets *tls_tickets_create(void)
{
    struct tls_tickets *tickets = mem_zalloc(sizeof(*tickets));

    pthread_mutex_init(&tickets->lock, NULL);
    for (size_t i = 0; i < KEYS; i++) {
        key_fill(&tickets->keys[i]);
    }
    tickets->made_ms = clock_now_ms();
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    assert_always(tickets->cipher != NULL);
    return tickets;
}

void tls_tickets_destroy(struct tls_tickets *tickets)
{
    EVP_CIPHER_free(tickets->cipher);
    pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets->keys, sizeof(tickets->keys));
    mem_free(tickets);
}

static void tickets_rotate_locked(struct tls_tickets *tickets)
{
    int64_t now_ms = clock_now_ms();

    if (now_ms - tickets->made_ms < ROTATE_MS) {
        return;
    }
    tickets->keys[1] = tickets->keys[0];
    key_fill(&tickets->keys[0]);
    if (now_ms - tickets->made_ms >= 2 * ROTATE_MS) {
        key_fill(&tickets->keys[1]);
    }
    tickets->made_ms = now_ms;
}

// The key named `name` (NULL: the one that seals) into *ret_key; its index, or -1.
static int tickets_find(struct tls_tickets *tickets, const unsigned char *name,
                        struct ticket_key *ret_key)
{
    int found = -1;

    pthread_mutex_lock(&tickets->lock);
    tickets_rotate_locked(tickets);
    for (int i = 0; found < 0 && i < KEYS; i++) {
        if (name == NULL || memcmp(tickets->keys[i].name, name, NAME_SIZE) == 0) {
            *ret_key = tickets->keys[i];
            found = i;
        }
    }
    pthread_mutex_unlock(&tickets->lock);
    return found;
}

static bool ticket_begin_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

// OpenSSL's: 1 go on, 2 go on and hand out a new one, 0 not ours (a full handshake), -1 error.
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seals)
{
    struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    int result = -1;

    int index = tickets_find(tickets, seals ? NULL : name, &key);
    if (index < 0) {
        return 0;
    }
    if (seals) {
        memcpy(name, key.name, NAME_SIZE);
        bool good = RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->cipher)) == 1 &&
                    EVP_EncryptInit_ex(cipher, tickets->cipher, NULL, key.cipher, iv) == 1 &&
                    ticket_begin_mac(mac, &key);
        result = good ? 1 : -1;
    } else if (ticket_begin_mac(mac, &key) &&
               EVP_DecryptInit_ex(cipher, tickets->cipher, NULL, key.cipher, iv) == 1) {
        result = index == 0 ? 1 : 2;
    }
    OPENSSL_cleanse(&key, sizeof(key));
    return result;
}

void tls_tickets_install(struct tls_tickets *tickets, SSL_CTX *context)
{
    SSL_CTX_set_app_data(context, tickets);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}
