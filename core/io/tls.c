/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/tls.h"

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <stdio.h>
#include <string.h>
#include "core/io/trust.h"

static void note_time(char out[32], const mbedtls_x509_time *t)
{
    snprintf(out, 32, "%04d-%02d-%02d", t->year, t->mon, t->day);
}

/* Verification is mbedTLS's; this only notes what it found, and in which certificate, for the message. */
static int on_verify(void *cookie, mbedtls_x509_crt *crt, int depth,
                     uint32_t *flags) // NOLINT(readability-non-const-parameter): mbedTLS's own shape
{
    struct tls_seen *seen = cookie;

    (void)depth;
    if (*flags == 0)
        return 0;
    seen->flags |= *flags;
    if (mbedtls_x509_dn_gets(seen->subject, sizeof seen->subject, &crt->subject) < 0)
        seen->subject[0] = '\0';
    note_time(seen->valid_from, &crt->valid_from);
    note_time(seen->valid_to, &crt->valid_to);
    return 0;
}

/* The cheapest of the good ciphers first: most servers take the client's order or this one anyway. mbedTLS would begin
 * with ChaCha20, which costs several times as much where the processor knows AES. */
static const int ciphers[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

static CURLcode on_tls(CURL *curl, void *config, void *cookie)
{
    (void)curl;
    mbedtls_ssl_conf_verify(config, on_verify, cookie);
    mbedtls_ssl_conf_cert_profile(config, &mbedtls_x509_crt_profile_default);
    mbedtls_ssl_conf_ciphersuites(config, ciphers);
    return CURLE_OK;
}

const char *tls_trust(CURL *curl, const char *ca_bundle)
{
    const char *bundle = ca_bundle ? ca_bundle : trust_host_bundle();
    struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };
    const char *pem;
    size_t size;

    if (!bundle && (pem = trust_embedded(&size))) {
        blob.data = (void *)pem;
        blob.len = size - 1;
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
        return "the authorities inside sfb";
    }
    curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);
    return bundle ? bundle : "nothing";
}

void tls_apply(CURL *curl, const char *ca_bundle, struct tls_seen *seen)
{
    memset(seen, 0, sizeof *seen);
    seen->ca_bundle = tls_trust(curl, ca_bundle);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, seen);
}
