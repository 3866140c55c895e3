/* SPDX-License-Identifier: PostgreSQL */
/* trust.h - which certificate authorities are believed.
 *
 * The host's own bundle when there is one (SSL_CERT_FILE, then the places distributions use), else the bundle embedded
 * in the binary, which was built from Debian's ca-certificates: a scratch container or a rescue image has none.
 */
#pragma once
#include <stddef.h>

/* Path of the host's bundle, or NULL. What SSL_CERT_FILE names is returned even when it can't be read: who says whom to
 * trust must not find that somebody else is trusted. */
const char *trust_host_bundle(void);
/* PEM text, NUL-terminated; *size counts the NUL, as mbedTLS wants it. NULL in a program that carries none. */
const char *trust_embedded(size_t *size);

/* For libpq (vendor/patches/postgresql): adds the embedded bundle to an OpenSSL SSL_CTX when the host has none.
 * 1: all is well, 0: OpenSSL refused it. */
int sfb_trust_add_embedded(void *ssl_ctx);
