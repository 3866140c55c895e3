/* SPDX-License-Identifier: PostgreSQL */
/* tls.h - how libcurl speaks TLS here, whatever the protocol above it: HTTPS and mail.
 *
 * TLS 1.2 or newer; the certificate is always verified, host name included, against the bundle that was named, else the
 * host's, else the one inside (trust.h). What was found wrong with a certificate is noted, for the message.
 */
#pragma once
#include <curl/curl.h>
#include <stdint.h>

struct tls_seen {
    uint32_t flags;    /* MBEDTLS_X509_BADCERT_*: what was wrong; 0: nothing */
    char subject[128]; /* of the certificate that was refused */
    char valid_from[32], valid_to[32];
    const char *ca_bundle; /* what it was verified against, in words or as a path; the caller's bundle, or static */
};

/* Sets curl's options; *seen must live as long as the transfer. ca_bundle: a PEM file, or NULL. */
void tls_apply(CURL *curl, const char *ca_bundle, struct tls_seen *seen);
/* Whom to trust, alone. Returns what is verified against. */
const char *tls_trust(CURL *curl, const char *ca_bundle);
