// A listener's TLS: one OpenSSL context a certificate, all alike but for it, and the choice between
// them. The defaults are such that nobody needs to know ciphers: 1.2 and 1.3, forward secrecy and
// authenticated encryption only, the server's order, no renegotiation, no compression.
//
// Owner: made by the main thread, then immutable and counted; any thread. Invariant: every context
// of one struct tls has the same options, so that choosing another one in the middle of a handshake
// changes the certificate and nothing else.

#include "tidegate/net/tls.h"

#include "tidegate/base/log.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"

#include "tls_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define SESSION_SECONDS (12 * 3600) // as long as the key of a ticket seals
#define CA_FILE_MAX (1u << 20)
#define PROTOCOL "http/1.1"

struct tls_common {
    struct tls_tickets *tickets; // owned
    _Atomic uint32_t handshakes; // under way
};

struct tls_common *tls_common_create(void)
{
    struct tls_common *common = mem_zalloc(sizeof(*common));

    common->tickets = tls_tickets_create();
    return common;
}

void tls_common_destroy(struct tls_common *common)
{
    if (common != NULL) {
        tls_tickets_destroy(common->tickets);
        mem_free(common);
    }
}

bool tls_enter(struct tls *tls)
{
    _Atomic uint32_t *handshakes = &tls->common->handshakes;

    if (atomic_fetch_add_explicit(handshakes, 1, memory_order_relaxed) >= tls->handshakes_max) {
        atomic_fetch_sub_explicit(handshakes, 1, memory_order_relaxed);
        return false;
    }
    tls_ref(tls);
    metric_add(METRIC_TLS_HANDSHAKES_RUNNING, 1);
    return true;
}

void tls_leave(struct tls *tls)
{
    atomic_fetch_sub_explicit(&tls->common->handshakes, 1, memory_order_relaxed);
    metric_add(METRIC_TLS_HANDSHAKES_RUNNING, -1);
    tls_unref(tls);
}

bool tls_has_kernel(void)
{
#if defined(TCP_ULP) && !defined(OPENSSL_NO_KTLS)
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = false;

    if (fd >= 0) {
        // A kernel that has it minds that the socket is not connected; one that has not knows no
        // "tls".
        has = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 || errno == ENOTCONN;
        close(fd);
    }
    return has;
#else
    return false;
#endif
}

// --- what goes wrong ---

static int tls_fail(struct tls_error *error, const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    const char *text = code == 0 ? "" : reason != NULL ? reason : strerror(ERR_GET_REASON(code));

    snprintf(error->text, sizeof(error->text), "%s %s%s%s", what, file, code != 0 ? ": " : "",
             text);
    ERR_clear_error();
    return -EINVAL;
}

// The deepest reason is the last one for a file that is broken, the first for one that is missing.
static int tls_fail_file(struct tls_error *error, const char *what, const char *file)
{
    if (access(file, R_OK) < 0) {
        snprintf(error->text, sizeof(error->text), "%s %s: %s", what, file, strerror(errno));
        ERR_clear_error();
        return -EINVAL;
    }
    return tls_fail(error, what, file);
}

// A key under a passphrase is refused: nobody is there to type it.
static int on_passphrase(char *to, int size, int writes, void *context)
{
    (void)to;
    (void)size;
    (void)writes;
    (void)context;
    return 0;
}

// --- choosing ---

// OpenSSL's: the client named a server.
static int on_name(SSL *ssl, int *alert, void *context)
{
    const struct tls *tls = context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    if (name == NULL) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    size_t index = tls_choose(tls, bytes_str(name));
    if (index > 0 && SSL_set_SSL_CTX(ssl, tls->certificates[index].context) == NULL) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_OK;
}

// OpenSSL's: the client offers protocols (RFC 7301). One that wants only others is told so.
static int on_protocols(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                        const unsigned char *offered, unsigned offered_len, void *context)
{
    const size_t len = sizeof(PROTOCOL) - 1;

    (void)ssl;
    (void)context;
    for (unsigned at = 0; at < offered_len; at += 1u + offered[at]) {
        if (offered[at] == len && memcmp(offered + at + 1, PROTOCOL, len) == 0) {
            *ret = offered + at + 1;
            *ret_len = (unsigned char)len;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// --- names of a certificate ---

static void certificate_add(struct tls_certificate *certificate, const char *name, size_t len)
{
    char **names = mem_alloc((certificate->name_count + 1) * sizeof(*names));

    if (certificate->name_count > 0) {
        memcpy(names, certificate->names, certificate->name_count * sizeof(*names));
    }
    names[certificate->name_count++] = mem_strndup(name, len);
    mem_free(certificate->names);
    certificate->names = names;
}

static void certificate_read_names(struct tls_certificate *certificate, X509 *x509)
{
    GENERAL_NAMES *alternatives = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    char common[256];

    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);
        if (name->type == GEN_DNS) {
            certificate_add(certificate, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                            (size_t)ASN1_STRING_length(name->d.dNSName));
        }
    }
    // Without alternatives the common name is what old tools put there.
    if (alternatives == NULL) {
        int len = X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, common,
                                            sizeof(common));
        if (len > 0) {
            certificate_add(certificate, common, strlen(common));
        }
    }
    GENERAL_NAMES_free(alternatives);
}

// --- building a context ---

static int context_load_pair(SSL_CTX *context, const struct tls_pair *pair, struct tls_error *error)
{
    SSL_CTX_set_default_passwd_cb(context, on_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, pair->certificate) != 1) {
        return tls_fail_file(error, "certificate", pair->certificate);
    }
    if (SSL_CTX_use_PrivateKey_file(context, pair->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return tls_fail_file(error, "key", pair->key);
    }
    X509 *x509 = SSL_CTX_get0_certificate(context);
    if (X509_cmp_current_time(X509_get0_notAfter(x509)) < 0) {
        log_at(LOG_WARN, "certificate has expired", log_text("file", pair->certificate));
    }
    return 0;
}

static int context_load_ca(SSL_CTX *context, const struct tls_options *options,
                           struct tls_error *error)
{
    if (options->verify == TLS_VERIFY_OFF) {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        return 0;
    }
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(options->client_ca);
    if (names == NULL || SSL_CTX_load_verify_locations(context, options->client_ca, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_fail_file(error, "client CA", options->client_ca);
    }
    SSL_CTX_set_client_CA_list(context, names);
    bool is_required = options->verify == TLS_VERIFY_REQUIRE;
    SSL_CTX_set_verify(context,
                       SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return 0;
}

// A session is resumed only where it began, and only while the same authorities are trusted: the
// client's certificate is not looked at again.
static int context_set_scope(SSL_CTX *context, const struct tls_options *options)
{
    unsigned char scope[EVP_MAX_MD_SIZE];
    unsigned scope_len = 0;
    char *ca = mem_alloc(CA_FILE_MAX);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    FILE *file = options->verify != TLS_VERIFY_OFF ? fopen(options->client_ca, "re") : NULL;
    size_t ca_len = file != NULL ? fread(ca, 1, CA_FILE_MAX, file) : 0;

    if (file != NULL) {
        fclose(file);
    }
    bool good = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(digest, options->name, strlen(options->name) + 1) == 1 &&
                EVP_DigestUpdate(digest, &options->verify, sizeof(options->verify)) == 1 &&
                EVP_DigestUpdate(digest, ca, ca_len) == 1 &&
                EVP_DigestFinal_ex(digest, scope, &scope_len) == 1 &&
                SSL_CTX_set_session_id_context(context, scope, scope_len) == 1;
    EVP_MD_CTX_free(digest);
    mem_free(ca);
    return good ? 0 : -EINVAL;
}

static void context_set_sessions(SSL_CTX *context, const struct tls_options *options)
{
    // Nothing is remembered here: the ticket holds it all.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, SESSION_SECONDS);
    if (options->has_tickets) {
        tls_tickets_install(options->common->tickets, context);
    } else {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
    }
}

static bool uses_kernel(const struct tls_options *options)
{
    return options->may_use_kernel && tls_has_kernel();
}

static void context_set_modes(SSL_CTX *context, const struct tls_options *options)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    // An idle connection holds no buffers.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (uses_kernel(options)) {
        SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
    } else {
        // One read for head and body of a record, and for the next ones.
        SSL_CTX_set_read_ahead(context, 1);
    }
}

static int context_configure(SSL_CTX *context, const struct tls_options *options,
                             struct tls_error *error)
{
    const char *ciphers = options->ciphers[0] != '\0' ? options->ciphers : CIPHERS_1_2;
    int min = options->min_version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

    if (SSL_CTX_set_min_proto_version(context, min) != 1) {
        return tls_fail(error, "version", "");
    }
    if (SSL_CTX_set_cipher_list(context, ciphers) != 1) {
        return tls_fail(error, "ciphers", ciphers);
    }
    context_set_modes(context, options);
    context_set_sessions(context, options);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    if (context_set_scope(context, options) < 0) {
        return tls_fail(error, "session scope of", options->name);
    }
    return context_load_ca(context, options, error);
}

static int certificate_load(struct tls_certificate *certificate, const struct tls_options *options,
                            const struct tls_pair *pair, struct tls_error *error)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return tls_fail(error, "context for", pair->certificate);
    }
    certificate->context = context;
    int result = context_configure(context, options, error);
    result = result < 0 ? result : context_load_pair(context, pair, error);
    if (result == 0) {
        certificate_read_names(certificate, SSL_CTX_get0_certificate(context));
        transport_tls_watch(context);
    }
    return result;
}

int tls_create(const struct tls_options *options, struct tls **ret_tls, struct tls_error *ret_error)
{
    size_t size = options->pair_count * sizeof(struct tls_certificate);
    struct tls *tls = mem_zalloc(sizeof(*tls) + size);

    atomic_init(&tls->refs, 1);
    tls->common = options->common;
    tls->handshake_timeout_ms = options->handshake_timeout_ms;
    tls->handshakes_max = options->handshakes_max;
    tls->uses_kernel = uses_kernel(options);
    for (size_t i = 0; i < options->pair_count; i++) {
        tls->count = i + 1;
        int error = certificate_load(&tls->certificates[i], options, &options->pairs[i], ret_error);
        if (error < 0) {
            tls_unref(tls);
            return error;
        }
    }
    // Names are asked for at the first context, where every handshake begins.
    SSL_CTX_set_tlsext_servername_callback(tls->certificates[0].context, on_name);
    SSL_CTX_set_tlsext_servername_arg(tls->certificates[0].context, tls);
    *ret_tls = tls;
    return 0;
}

struct tls *tls_ref(struct tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void tls_unref(struct tls *tls)
{
    if (tls == NULL || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < tls->count; i++) {
        struct tls_certificate *certificate = &tls->certificates[i];
        SSL_CTX_free(certificate->context);
        for (size_t n = 0; n < certificate->name_count; n++) {
            mem_free(certificate->names[n]);
        }
        mem_free(certificate->names);
    }
    mem_free(tls);
}
