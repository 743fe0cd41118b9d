// Why TLS came to nothing, from OpenSSL's errors to metrics and the log.
// Owner: the connection's worker; the error queue is the thread's.

#include "tidegate/base/log.h"
#include "tidegate/base/metrics.h"
#include "tidegate/net/listener.h"

#include "tls_private.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#define LOG_LINES_A_SECOND 5 // peers cause them

static struct log_gate tls_gate;

struct tls_reason {
    int reason; // OpenSSL's
    enum metric_id metric;
};

static const struct tls_reason tls_reasons[] = {
    {SSL_R_HTTP_REQUEST, METRIC_TLS_FAILED_NOT_TLS},
    {SSL_R_HTTPS_PROXY_REQUEST, METRIC_TLS_FAILED_NOT_TLS},
    {SSL_R_WRONG_VERSION_NUMBER, METRIC_TLS_FAILED_NOT_TLS},
    {SSL_R_UNSUPPORTED_PROTOCOL, METRIC_TLS_FAILED_VERSION},
    {SSL_R_NO_SHARED_CIPHER, METRIC_TLS_FAILED_VERSION},
    {SSL_R_NO_APPLICATION_PROTOCOL, METRIC_TLS_FAILED_PROTOCOL},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, METRIC_TLS_FAILED_CERTIFICATE},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, METRIC_TLS_FAILED_CERTIFICATE},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, METRIC_TLS_FAILED_REFUSED},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, METRIC_TLS_FAILED_REFUSED},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, METRIC_TLS_FAILED_REFUSED},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, METRIC_TLS_FAILED_REFUSED},
};

static void tls_count_failure(int reason)
{
    for (size_t i = 0; i < ARRAY_LEN(tls_reasons); i++) {
        if (tls_reasons[i].reason == reason) {
            metric_add(tls_reasons[i].metric, 1);
            return;
        }
    }
    metric_add(METRIC_TLS_FAILED_OTHER, 1);
}

static void tls_log(const struct conn *conn, unsigned long code)
{
    const char *reason = ERR_reason_error_string(code);
    char peer[ADDR_TEXT_MAX];
    uint32_t suppressed;

    if (log_is_on(LOG_INFO) && log_gate_pass(&tls_gate, LOG_LINES_A_SECOND, &suppressed)) {
        log_at(LOG_INFO, "tls failed", log_text("peer", addr_print(&conn->peer, peer)),
               log_text("listener", conn->listener->name),
               log_text("reason", reason != NULL ? reason : "unknown"),
               log_num("suppressed", suppressed));
    }
}

void tls_report(const struct conn *conn, bool in_handshake)
{
    unsigned long code = ERR_peek_last_error();

    if (in_handshake) {
        tls_count_failure(ERR_GET_REASON(code));
    }
    tls_log(conn, code);
    ERR_clear_error();
}
