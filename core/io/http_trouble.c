/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/http_trouble.h"

#include <errno.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "core/base/buf.h"

const char *http_trouble_host(char out[256], const char *url)
{
    const char *from = strstr(url, "://"), *at;
    size_t n;

    from = from ? from + 3 : url;
    n = strcspn(from, "/?#");
    at = memchr(from, '@', n);
    if (at) { /* no password in a message */
        n -= (size_t)(at + 1 - from);
        from = at + 1;
    }
    snprintf(out, 256, "%.*s", (int)(n < 255 ? n : 255), from);
    return out;
}

/* Does the name not exist, or could nobody be asked? Only the first is final. */
static enum http_trouble ask_name(const char *host)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    char name[256];
    int rc;

    snprintf(name, sizeof name, "%s", host);
    name[strcspn(name, ":")] = '\0';
    rc = getaddrinfo(name, NULL, &hints, &list);
    if (rc == 0)
        freeaddrinfo(list);
    return rc == EAI_NONAME ? HTTP_NO_HOST : HTTP_NO_DNS;
}

static enum http_trouble no_name(const char *host, struct err *err)
{
    enum http_trouble t = ask_name(host);

    if (t == HTTP_NO_HOST) {
        err_set(err, ERR_STORE, "there is no host %s", host);
        err_hint(err, "check the endpoint, the region and the bucket's name: they make up the host name");
    } else {
        err_set(err, ERR_STORE, "the address of %s can't be looked up now: no answer from DNS", host);
        err_hint(err, "check this host's network and name servers (/etc/resolv.conf)");
    }
    return t;
}

static enum http_trouble no_connection(const struct http_trouble_facts *f, const char *host, struct err *err)
{
    long number = 0;

    curl_easy_getinfo(f->curl, CURLINFO_OS_ERRNO, &number);
    if (number == ECONNREFUSED) {
        err_set(err, ERR_STORE, "can't connect to %s: connection refused", host);
        err_hint(err, "nothing listens there: check the endpoint's host and port, and that the service runs");
        return HTTP_REFUSED;
    }
    if (number == ECONNRESET) {
        err_set(err, ERR_STORE, "can't connect to %s: connection reset", host);
        return HTTP_RESET;
    }
    err_set(err, ERR_STORE, "can't connect to %s: %s", host, number ? strerror((int)number) : f->detail);
    err_hint(err, "check this host's network, routes and firewall, and https_proxy if one is needed");
    return HTTP_UNREACHABLE;
}

static enum http_trouble timed_out(const struct http_trouble_facts *f, const char *host, struct err *err)
{
    double connected = 0, total = 0;

    curl_easy_getinfo(f->curl, CURLINFO_PRETRANSFER_TIME, &connected); /* TLS included; also of a used connection */
    curl_easy_getinfo(f->curl, CURLINFO_TOTAL_TIME, &total);
    if (connected <= 0) {
        err_set(err, ERR_STORE, "can't connect to %s: no answer within %u s", host, f->connect_seconds);
        err_hint(err, "check this host's network, routes and firewall, and https_proxy if one is needed");
        return HTTP_UNREACHABLE;
    }
    if (f->total_seconds > 0 && total >= f->total_seconds - 0.5) {
        err_set(err, ERR_STORE, "%s took longer than %u s", host, f->total_seconds);
        return HTTP_SLOW;
    }
    err_set(err, ERR_STORE, "%s: nothing moved for %u s", host, f->stall_seconds);
    return HTTP_STALLED;
}

/* ---- TLS ----------------------------------------------------------------------------------------------------- */

/* The first thing wrong that says the most: an expired certificate of another host is both. */
static enum http_trouble bad_certificate(const struct http_trouble_facts *f, const char *host, struct err *err)
{
    uint32_t flags = f->tls.flags;

    if (flags & MBEDTLS_X509_BADCERT_EXPIRED) {
        err_set(err, ERR_STORE, "TLS: the certificate of %s expired on %s (%s)", host, f->tls.valid_to, f->tls.subject);
        err_hint(err, "renew it on the server; if it is renewed already, check this host's clock");
        return HTTP_TLS_EXPIRED;
    }
    if (flags & MBEDTLS_X509_BADCERT_FUTURE) {
        err_set(err, ERR_STORE, "TLS: the certificate of %s is valid from %s on only (%s)", host, f->tls.valid_from,
                f->tls.subject);
        err_hint(err, "check this host's clock");
        return HTTP_TLS_EARLY;
    }
    if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) {
        err_set(err, ERR_STORE, "TLS: the certificate that %s shows is for another host (%s)", host, f->tls.subject);
        err_hint(
            err,
            "use the name the certificate is for as endpoint; with a bucket in the host name, try path addressing");
        return HTTP_TLS_HOST;
    }
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED || flags & MBEDTLS_X509_BADCERT_MISSING) {
        err_set(err, ERR_STORE, "TLS: the certificate of %s is not from an authority known here (%s)", host,
                f->tls.subject);
        err_hint(err, "name the authority's certificate in AWS_CA_BUNDLE; verified against %s", f->tls.ca_bundle);
        return HTTP_TLS_UNKNOWN;
    }
    err_set(err, ERR_STORE, "TLS: the certificate of %s is not acceptable: %s", host, f->detail);
    err_hint(err, "it needs RSA of 2048 bits or a usual elliptic curve, signed with SHA-256 or better");
    return HTTP_TLS;
}

static bool mentions(const char *text, int code)
{
    char number[16];

    snprintf(number, sizeof number, "(-0x%04X)", (unsigned)-code);
    return strstr(text, number) != NULL;
}

static enum http_trouble bad_handshake(const struct http_trouble_facts *f, const char *host, struct err *err)
{
    if (mentions(f->detail, MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION) ||
        mentions(f->detail, MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE) ||
        mentions(f->detail, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)) {
        err_set(err, ERR_STORE, "TLS: %s and sfb have no protocol in common: sfb speaks TLS 1.2 and 1.3 (%s)", host,
                f->detail);
        err_hint(err, "let the server offer TLS 1.2 or newer with an ECDHE cipher");
        return HTTP_TLS_OLD;
    }
    if (mentions(f->detail, MBEDTLS_ERR_SSL_INVALID_RECORD)) {
        err_set(err, ERR_STORE, "TLS: %s does not speak TLS (%s)", host, f->detail);
        err_hint(err, "is the port the one for HTTPS?");
        return HTTP_TLS;
    }
    if (mentions(f->detail, MBEDTLS_ERR_SSL_CONN_EOF) || strstr(f->detail, "NET - ") || strstr(f->detail, "reset") ||
        strstr(f->detail, "onnection")) {
        err_set(err, ERR_STORE, "the connection to %s broke while TLS was set up", host);
        return HTTP_RESET;
    }
    err_set(err, ERR_STORE, "TLS with %s failed: %s", host, f->detail);
    return HTTP_TLS;
}

static enum http_trouble bad_bundle(const struct http_trouble_facts *f, struct err *err)
{
    err_set(err, ERR_CONFIG, "the CA bundle %s can't be used: %s", f->tls.ca_bundle, f->detail);
    err_hint(err, "AWS_CA_BUNDLE and SSL_CERT_FILE name a file of PEM certificates; unset them to use the host's");
    return HTTP_TRUST;
}

/* ---- all of it ----------------------------------------------------------------------------------------------- */

static enum http_trouble broke(const char *host, const struct http_trouble_facts *f, struct err *err)
{
    err_set(err, ERR_STORE, "the connection to %s broke: %s", host, f->detail);
    return HTTP_RESET;
}

/* It may refuse us, for good, or fail to reach the host, for now. */
static enum http_trouble no_proxy(const char *host, const struct http_trouble_facts *f, struct err *err)
{
    long answer = 0;

    curl_easy_getinfo(f->curl, CURLINFO_HTTP_CONNECTCODE, &answer);
    if (answer == 500 || answer == 502 || answer == 503 || answer == 504) {
        err_set(err, ERR_STORE, "the proxy can't reach %s: %s", host, f->detail);
        err_hint(err, "check the network behind the proxy, https_proxy and no_proxy");
        return HTTP_UNREACHABLE;
    }
    err_set(err, ERR_STORE, "the proxy does not let us through to %s: %s", host, f->detail);
    err_hint(err, "check https_proxy and no_proxy");
    return HTTP_PROXY;
}

static enum http_trouble garbled(const char *host, const struct http_trouble_facts *f, struct err *err)
{
    err_set(err, ERR_STORE, "%s does not answer as HTTP should: %s", host, f->detail);
    return HTTP_GARBLED;
}

enum http_trouble http_trouble_explain(const struct http_trouble_facts *f, struct err *err)
{
    char host[256];

    http_trouble_host(host, f->url);
    switch (f->code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        if (strstr(f->detail, "HTTP/0.9")) /* what libcurl calls everything that is not HTTP */
            return garbled(host, f, err);
        err_set(err, ERR_CONFIG, "not a URL for HTTP: %s", f->url);
        return HTTP_BAD_URL;
    case CURLE_COULDNT_RESOLVE_HOST:
        return no_name(host, err);
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return no_proxy(host, f, err);
    case CURLE_COULDNT_CONNECT:
        return no_connection(f, host, err);
    case CURLE_OPERATION_TIMEDOUT:
        return timed_out(f, host, err);
    case CURLE_PEER_FAILED_VERIFICATION:
        return bad_certificate(f, host, err);
    case CURLE_SSL_CONNECT_ERROR:
        return f->tls.flags != 0 ? bad_certificate(f, host, err) : bad_handshake(f, host, err);
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return bad_bundle(f, err);
    case CURLE_PARTIAL_FILE:
        err_set(err, ERR_STORE, "the answer of %s ended early: %s", host, f->detail);
        return HTTP_CUT;
    case CURLE_RECV_ERROR:
        if (strstr(f->detail, "CONNECT tunnel failed"))
            return no_proxy(host, f, err);
        return broke(host, f, err);
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_FAIL_REWIND:
        return broke(host, f, err);
    case CURLE_OUT_OF_MEMORY:
        err_no_memory(err);
        return HTTP_OWN;
    default:
        return garbled(host, f, err);
    }
}
