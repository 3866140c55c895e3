# curl - HTTP, HTTPS, SMTP and SMTPS on mbedTLS, through proxies where there are any
# shellcheck shell=bash
# source: curl
# needs: musl mbedtls
# licence: curl COPYING
#
# Without zlib and friends: a server that compresses its answers would only stand between us and a checksum.
configure --disable-shared --with-mbedtls="$SYSROOT" --without-ssl-default \
    --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --without-ca-path \
    --enable-threaded-resolver --enable-http --enable-smtp --enable-proxy --enable-ipv6 \
    --disable-dict --disable-file --disable-ftp --disable-gopher --disable-imap --disable-ipfs --disable-ldap \
    --disable-ldaps --disable-mqtt --disable-pop3 --disable-rtsp --disable-smb --disable-telnet --disable-tftp \
    --disable-websockets --disable-alt-svc --disable-hsts --disable-ntlm --disable-tls-srp --disable-aws \
    --disable-cookies --disable-docs --disable-manual --disable-dependency-tracking --disable-ares --disable-doh \
    --without-brotli --without-zlib --without-zstd --without-libidn2 --without-libpsl --without-libssh2 \
    --without-nghttp2 --without-librtmp --without-libgsasl
make -C lib -j "$JOBS" libcurl.la
install_lib lib/.libs/libcurl.a
mkdir -p "$OUT/include/curl"
cp include/curl/*.h "$OUT/include/curl/"
