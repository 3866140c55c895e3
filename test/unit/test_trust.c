/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <stdbool.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "core/io/trust.h"

/* An authority made for this test, which the program carries inside, and a certificate of its. Until 2126. */
extern const char sfb_ca_bundle[];
extern const size_t sfb_ca_bundle_len;
const char sfb_ca_bundle[] = "a comment, as bundles have them\n"
                             "-----BEGIN CERTIFICATE-----\n"
                             "MIIBeTCCAR+gAwIBAgIUC4g1u8tyFXBgLgzb7plJTwigY08wCgYIKoZIzj0EAwIw\n"
                             "ETEPMA0GA1UEAwwGaW5zaWRlMCAXDTI2MTEyMjE0MzEyOFoYDzIxMjYxMDI5MTQz\n"
                             "MTI4WjARMQ8wDQYDVQQDDAZpbnNpZGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
                             "AAQk5UCnb3Gs5AOtz8W0dGt6zagtPvTRhqWeOizdRd/kDsjDqIbu7Y27sBPk8J6k\n"
                             "43gtzXMxn48V3RKIY8Xhqh8Vo1MwUTAdBgNVHQ4EFgQUTfLd9pRWuDIxTKRncZDM\n"
                             "iSDvJgUwHwYDVR0jBBgwFoAUTfLd9pRWuDIxTKRncZDMiSDvJgUwDwYDVR0TAQH/\n"
                             "BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBmsqwwqPCyGIfblVRXYmSsfgG2qr+B\n"
                             "uImdyLGpKi408gIhAPZk/gVyePZXTGRfY38eq5kc+Xg+yWvOHxpHfU6ak73Y\n"
                             "-----END CERTIFICATE-----\n";
const size_t sfb_ca_bundle_len = sizeof sfb_ca_bundle - 1;

static const char leaf[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIIBIzCByQIULFsGonUJ6AAGe99A5pQOKhG5GMowCgYIKoZIzj0EAwIwETEPMA0G\n"
                           "A1UEAwwGaW5zaWRlMCAXDTI2MTEyMjE0MzEyOFoYDzIxMjYxMDI5MTQzMTI4WjAV\n"
                           "MRMwEQYDVQQDDApkYi5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
                           "fSdy/kLKoeYaa4Tc/mjhGjcx73gnZcXhTYaUbdDJ1LqDyCIeZ8j+7quJ3p12V1a1\n"
                           "e0H6zm/VEP99inJtYN+9dzAKBggqhkjOPQQDAgNJADBGAiEAkHqH93Td6WT/gjnH\n"
                           "KBFDIBzyM4hxLyd7wgaVt6FrPbgCIQDddDmlrdiQgL5p2G7G+a12VXoVSoJvPVXb\n"
                           "WavPQQ/jRQ==\n"
                           "-----END CERTIFICATE-----\n";

static const char *only_file; /* the one file of the host that can be read; NULL: none */

int access(const char *path, int mode)
{
    (void)mode;
    return only_file != NULL && strcmp(path, only_file) == 0 ? 0 : -1;
}

static int bare_host(void **state)
{
    (void)state;
    only_file = NULL;
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    return 0;
}

/* Is the certificate believed, after libpq has called us? */
static bool believed(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *bio = BIO_new_mem_buf(leaf, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    bool ok;

    assert_int_equal(sfb_trust_add_embedded(ctx), 1);
    assert_int_equal(X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(ctx), certificate, NULL), 1);
    ok = X509_verify_cert(check) == 1;
    X509_STORE_CTX_free(check);
    X509_free(certificate);
    BIO_free(bio);
    SSL_CTX_free(ctx);
    return ok;
}

static void bare_host_believes_ours(void **state)
{
    (void)state;
    assert_null(trust_host_bundle());
    assert_true(believed());
}

static void named_bundle_stands_alone(void **state)
{
    (void)state;
    setenv("SSL_CERT_FILE", "/nonexistent/ca.pem", 1);
    assert_string_equal(trust_host_bundle(), "/nonexistent/ca.pem");
    assert_false(believed());
    unsetenv("SSL_CERT_FILE");
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    assert_false(believed());
}

static void host_bundle_comes_first(void **state)
{
    (void)state;
    only_file = "/etc/ssl/cert.pem";
    assert_string_equal(trust_host_bundle(), only_file);
    only_file = "/etc/ssl/certs/ca-certificates.crt";
    assert_string_equal(trust_host_bundle(), only_file);
}

static void size_counts_the_end(void **state)
{
    size_t size = 0;
    const char *pem = trust_embedded(&size);

    (void)state;
    assert_int_equal(size, sizeof sfb_ca_bundle);
    assert_int_equal(pem[size - 1], '\0');
}

#define BARE(sentence, function)                  \
    {                                             \
        sentence, function, bare_host, NULL, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BARE("a host without a bundle believes the one inside", bare_host_believes_ours),
        BARE("who names a bundle trusts nobody else, even when it can't be read", named_bundle_stands_alone),
        BARE("the host's own bundle comes first", host_bundle_comes_first),
        BARE("the size of the bundle inside counts its NUL", size_counts_the_end),
    };

    return RUN_PROMISES(tests);
}
