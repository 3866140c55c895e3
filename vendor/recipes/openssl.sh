# openssl - what libpq needs for TLS, SCRAM and channel binding; libcrypto for fast digests
# shellcheck shell=bash
# source: openssl
# needs: musl
# licence: Apache-2.0 LICENSE.txt
#
# Everything a PostgreSQL client never speaks is left out. --openssldir is the host's, so that sslrootcert=system
# finds the CA certificates that the host trusts.
case $(uname -m) in
    x86_64) target=linux-x86_64 ;;
    aarch64) target=linux-aarch64 ;;
    *) target=linux-generic64 ;;
esac
export PATH="$SYSROOT/bin:$PATH" CC=sfb-cc # its command line gets into the library: without a path
perl ./Configure "$target" --prefix=/usr --libdir=lib --openssldir=/etc/ssl no-pic no-shared no-module no-dso no-engine no-async \
    no-apps no-tests no-docs no-autoload-config \
    no-legacy no-fips no-ui-console no-secure-memory no-ktls no-afalgeng no-devcryptoeng no-padlockeng no-loadereng \
    no-dtls no-sctp no-srtp no-ssl3 no-tls1 no-tls1_1 no-quic no-psk no-srp no-gost no-nextprotoneg no-comp \
    no-cmp no-cms no-ct no-ocsp no-ts no-http no-rfc3779 no-integrity-only-ciphers \
    no-aria no-bf no-blake2 no-camellia no-cast no-dsa no-idea no-mdc2 no-ocb no-rc2 no-rc4 no-rmd160 no-scrypt \
    no-seed no-siphash no-siv no-sm2 no-sm3 no-sm4 no-whirlpool no-argon2 no-ml-dsa no-slh-dsa no-ec2m
make -j "$JOBS" build_generated
make -j "$JOBS" libcrypto.a libssl.a
install_lib libcrypto.a libssl.a
cp -r include/openssl "$OUT/include.d"
mkdir -p "$OUT/include"
mv "$OUT/include.d" "$OUT/include/openssl"
rm -f "$OUT"/include/openssl/*.in
