/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/peer.h"

#include <curl/curl.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>
#include "core/io/http.h"
#include "core/io/tls.h"

struct look {
    CURL *curl;
    struct peer *out;
};

static time_t end_of(const mbedtls_ssl_context *ssl)
{
    const mbedtls_x509_crt *certificate = mbedtls_ssl_get_peer_cert(ssl);
    struct tm tm = { 0 };

    if (!certificate)
        return 0;
    tm.tm_year = certificate->valid_to.year - 1900;
    tm.tm_mon = certificate->valid_to.mon - 1;
    tm.tm_mday = certificate->valid_to.day;
    tm.tm_hour = certificate->valid_to.hour;
    tm.tm_min = certificate->valid_to.min;
    tm.tm_sec = certificate->valid_to.sec;
    return timegm(&tm);
}

/* The connection's TLS can be asked for while an answer comes in, not afterwards. */
static size_t on_header(const char *line, size_t one, size_t n, void *cookie)
{
    struct look *l = cookie;
    struct curl_tlssessioninfo *tls = NULL;

    (void)line;
    if (l->out->version[0] == '\0' && curl_easy_getinfo(l->curl, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls &&
        tls->backend == CURLSSLBACKEND_MBEDTLS && tls->internals) {
        snprintf(l->out->version, sizeof l->out->version, "%s", mbedtls_ssl_get_version(tls->internals));
        l->out->until = end_of(tls->internals);
    }
    return one * n;
}

static size_t on_body(const char *bytes, size_t one, size_t n, void *cookie)
{
    (void)bytes, (void)cookie;
    return one * n;
}

bool peer_look(const char *url, const char *ca_bundle, struct peer *out)
{
    struct err ignored = { 0 };
    struct look look = { .out = out };

    memset(out, 0, sizeof *out);
    if (http_is_plain(url) || http_setup(&ignored) < 0 || !(look.curl = curl_easy_init()))
        return false;
    curl_easy_setopt(look.curl, CURLOPT_URL, url);
    curl_easy_setopt(look.curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(look.curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(look.curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(look.curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(look.curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(look.curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(look.curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(look.curl, CURLOPT_HEADERDATA, &look);
    curl_easy_setopt(look.curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)tls_trust(look.curl, ca_bundle);
    (void)curl_easy_perform(look.curl);
    curl_easy_cleanup(look.curl);
    return out->version[0] != '\0';
}
