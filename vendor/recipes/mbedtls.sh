# mbedtls - TLS for libcurl, and MD5, HMAC, AES for sfb itself
# shellcheck shell=bash
# source: mbedtls
# needs: musl
# licence: Apache-2.0 LICENSE
#
# With mutexes, since every upload thread has its own TLS connection.
sed -i -e 's|^//#define MBEDTLS_THREADING_C$|#define MBEDTLS_THREADING_C|' \
    -e 's|^//#define MBEDTLS_THREADING_PTHREAD$|#define MBEDTLS_THREADING_PTHREAD|' include/mbedtls/mbedtls_config.h
grep -q '^#define MBEDTLS_THREADING_PTHREAD' include/mbedtls/mbedtls_config.h
make -C library -j "$JOBS" libmbedcrypto.a libmbedx509.a libmbedtls.a CC="$CC" CFLAGS="$CFLAGS" WARNING_CFLAGS=
install_lib library/libmbedcrypto.a library/libmbedx509.a library/libmbedtls.a
mkdir -p "$OUT/include"
cp -r include/mbedtls include/psa "$OUT/include/"
