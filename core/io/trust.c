/* SPDX-License-Identifier: PostgreSQL */
/* trust.c - which certificate authorities are believed. */
#include "core/io/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* vendor/embed.S. Weak: programs that carry no bundle, such as unit tests, link too. */
extern const char sfb_ca_bundle[] __attribute__((weak));
extern const size_t sfb_ca_bundle_len __attribute__((weak)); /* without the NUL */

const char *trust_host_bundle(void)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch, Gentoo */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* older RHEL, Amazon Linux */
        "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
        "/etc/ssl/cert.pem",                                 /* Alpine, the BSDs */
        "/var/lib/ca-certificates/ca-bundle.pem",            /* SLES */
    };
    const char *named = getenv("SSL_CERT_FILE");

    if (named != NULL && *named)
        return named;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

const char *trust_embedded(size_t *size)
{
    *size = sfb_ca_bundle != NULL ? sfb_ca_bundle_len + 1 : 0;
    return sfb_ca_bundle;
}

/* Every certificate of the bundle into the store that ctx verifies with. */
static int add_bundle(SSL_CTX *ctx, const char *pem, size_t size)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    int added = 0, ok = 1;
    X509 *ca;

    if (bio == NULL || store == NULL) {
        BIO_free(bio);
        return 0;
    }
    while (ok == 1 && (ca = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        ok = X509_STORE_add_cert(store, ca);
        added += ok == 1;
        X509_free(ca);
    }
    BIO_free(bio);
    if (ok == 1 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        ERR_clear_error(); /* the end of the bundle */
    else
        ok = 0;
    return ok == 1 && added > 0;
}

int sfb_trust_add_embedded(void *ssl_ctx)
{
    const char *directory = getenv("SSL_CERT_DIR"), *file = getenv("SSL_CERT_FILE");
    const char *pem, *host;
    size_t size;

    if ((file != NULL && *file) || (directory != NULL && *directory))
        return 1; /* somebody has said whom to trust, and OpenSSL has read it: nobody else, then */
    host = trust_host_bundle();
    if (host != NULL && SSL_CTX_load_verify_locations(ssl_ctx, host, NULL) == 1)
        return 1; /* OpenSSL itself looks in one place only, which is not every distribution's */
    ERR_clear_error();
    pem = trust_embedded(&size);
    return pem == NULL || add_bundle(ssl_ctx, pem, size - 1);
}
