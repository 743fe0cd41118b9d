// TLS over a socket pair, with OpenSSL's own client at the other end: sockets that are full in the
// middle of a record while the queue changes, and peers that send what costs us and not them.
#include "rig.h"

#include "tidegate/net/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

TestSuite(tls_conn, .fini = leaks_check);

// A certificate for itself, with its key, in one file that is gone when it was read.
static void write_certificate(char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    FILE *file = fdopen(mkstemp(path), "w");

    cr_assert_not_null(file);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_set_pubkey(x509, key);
    cr_assert_gt(X509_sign(x509, key, EVP_sha256()), 0);
    cr_assert_eq(PEM_write_X509(file, x509), 1);
    cr_assert_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(x509);
    EVP_PKEY_free(key);
}

struct secured {
    struct rig rig;
    struct tls_common *common;
    SSL_CTX *context;
    SSL *client;
    struct peer *peer;
};

static void secured_begin(struct secured *secured)
{
    char path[] = "/tmp/tidegate-unit-XXXXXX";
    struct tls_pair pair = {path, path};
    struct tls_error error;

    rig_begin(&secured->rig);
    write_certificate(path);
    secured->common = tls_common_create();
    struct tls_options options = {.common = secured->common,
                                  .name = "unit",
                                  .pairs = &pair,
                                  .pair_count = 1,
                                  .client_ca = "",
                                  .ciphers = "",
                                  .has_tickets = true,
                                  .handshake_timeout_ms = 1000,
                                  .handshakes_max = 1};
    cr_assert_eq(tls_create(&options, &secured->rig.listener.tls, &error), 0, "%s", error.text);
    unlink(path);
    static const struct addr local = {.family = ADDR_UNIX};
    secured->peer = rig_connect_from(&secured->rig, &local);
    secured->context = SSL_CTX_new(TLS_client_method());
    secured->client = SSL_new(secured->context);
    SSL_set_fd(secured->client, secured->peer->fd);
    for (int i = 0; i < 20 && SSL_connect(secured->client) != 1; i++) {
        rig_run(&secured->rig);
    }
    rig_run(&secured->rig);
    cr_assert(SSL_is_init_finished(secured->client));
    cr_assert_not_null(secured->peer->conn);
}

static void secured_end(struct secured *secured)
{
    rig_end(&secured->rig);
    SSL_free(secured->client);
    SSL_CTX_free(secured->context);
    tls_unref(secured->rig.listener.tls);
    tls_common_destroy(secured->common);
}

// Reads everything that comes, turn by turn, into peer->out.
static void secured_read_all(struct secured *secured)
{
    char part[20000];

    for (int quiet = 0; quiet < 5;) {
        int n = SSL_read(secured->client, part, sizeof(part));
        quiet = n > 0 ? 0 : quiet + 1;
        if (n > 0) {
            cr_assert_eq(buf_append(&secured->peer->out, bytes_make(part, (size_t)n)), 0);
        }
        rig_run(&secured->rig);
    }
}

static struct blob *numbered_blob(uint32_t number)
{
    // Its number, its length and a filling, so that a torn stream is seen at once.
    uint32_t len = 8 + (number * 2654435761u) % 30000;
    struct blob *blob = blob_try_create(len);

    memcpy(blob->data, &number, 4);
    memcpy(blob->data + 4, &len, 4);
    memset(blob->data + 8, (int)(number & 0xff), len - 8);
    return blob;
}

Test(tls_conn, messages_stay_whole_when_the_queue_drops_behind_a_full_socket)
{
    struct secured secured;
    secured_begin(&secured);
    struct conn *conn = secured.peer->conn;
    uint32_t all_dropped = 0;

    conn->outbox.max = 100000;
    conn->outbox.policy = OUTBOX_DROP_OLDEST;
    for (uint32_t number = 0; number < 400; number++) {
        uint32_t dropped = 0;
        int error = conn_send(conn, numbered_blob(number), OUTBOX_KEY_FIRST, &dropped);
        all_dropped += dropped + (error < 0);
        rig_turn(&secured.rig);
        if (number % 7 == 0) {
            char part[3000];
            int n = SSL_read(secured.client, part, sizeof(part));
            if (n > 0) {
                cr_assert_eq(buf_append(&secured.peer->out, bytes_make(part, (size_t)n)), 0);
            }
        }
    }
    secured_read_all(&secured);
    struct bytes got = buf_bytes(&secured.peer->out);
    uint32_t count = 0;
    int64_t last = -1;
    while (got.len > 0) {
        uint32_t number;
        uint32_t len;
        memcpy(&number, got.at, 4);
        memcpy(&len, got.at + 4, 4);
        cr_assert_gt(number, last);
        cr_assert_leq(len, got.len, "message %u was cut off", number);
        for (uint32_t i = 8; i < len; i++) {
            cr_assert_eq((unsigned char)got.at[i], number & 0xff, "byte %u of %u", i, number);
        }
        last = number;
        count++;
        got = bytes_skip(got, len);
    }
    cr_expect_gt(all_dropped, 0);
    cr_expect_eq(count + all_dropped, 400);
    secured_end(&secured);
}

Test(tls_conn, a_flood_of_key_updates_ends_the_connection)
{
    struct secured secured;
    secured_begin(&secured);

    for (int i = 0; i < 200; i++) {
        SSL_key_update(secured.client, SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(secured.client);
    }
    rig_run(&secured.rig);
    peer_expect_closed(secured.peer, CLOSE_TLS_FAILED);
    secured_end(&secured);
}

Test(tls_conn, a_key_update_now_and_then_does_not)
{
    struct secured secured;
    secured_begin(&secured);

    for (int i = 0; i < 100; i++) {
        SSL_key_update(secured.client, SSL_KEY_UPDATE_REQUESTED);
        cr_assert_eq(SSL_write(secured.client, "x", 1), 1);
        rig_run(&secured.rig);
        SSL_read(secured.client, (char[1]){0}, 1); // takes the answer
    }
    cr_expect_eq(secured.peer->in.len, 100);
    cr_expect_eq(secured.peer->closed, 0);
    secured_end(&secured);
}

Test(tls_conn, an_end_of_stream_is_said_once_all_was_written)
{
    struct secured secured;
    secured_begin(&secured);

    conn_send(secured.peer->conn, pattern_blob(300000, 1), OUTBOX_KEY_CONTROL, NULL);
    conn_finish(secured.peer->conn, CLOSE_NORMAL, 1000);
    secured_read_all(&secured);
    cr_expect_eq(secured.peer->out.len, 300000);
    cr_expect_eq(SSL_get_shutdown(secured.client), SSL_RECEIVED_SHUTDOWN);
    secured_end(&secured);
}

Test(tls_conn, the_handshake_limit_is_free_again_when_it_is_done)
{
    struct secured secured;
    static const struct addr local = {.family = ADDR_UNIX};
    secured_begin(&secured);

    struct peer *half = &secured.rig.peers[4];
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    half->fd = pair[0];
    cr_expect_not_null(net_adopt(&secured.rig.net, pair[1], &local, &secured.rig.listener));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    secured.rig.peers[5].fd = pair[0];
    cr_expect_null(net_adopt(&secured.rig.net, pair[1], &local, &secured.rig.listener));
    rig_pass(&secured.rig, 2000); // the deadline of the half one, not of the other
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    secured.rig.peers[6].fd = pair[0];
    cr_expect_not_null(net_adopt(&secured.rig.net, pair[1], &local, &secured.rig.listener));
    cr_expect_eq(secured.peer->closed, 0);
    secured_end(&secured);
}
