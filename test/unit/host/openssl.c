/* SPDX-License-Identifier: PostgreSQL */
/* openssl.c - what our libcurl, built with a newer OpenSSL, asks of the host's in vain: a name for its own log. */
#include <openssl/ssl.h>

#if OPENSSL_VERSION_NUMBER < 0x30200000L
const char *SSL_get0_group_name(SSL *ssl)
{
    (void)ssl;
    return NULL;
}
#endif
