# ca-certificates - Mozilla's CAs as Debian ships them, one PEM bundle
# shellcheck shell=bash
# source: ca-certificates
# needs:
# licence: MPL-2.0 debian/copyright
mkdir -p "$OUT/share"
perl "$VENDOR/certdata.pl" mozilla/blacklist.txt mozilla/certdata.txt >"$OUT/share/ca-bundle.pem"
[ "$(grep -c 'BEGIN CERTIFICATE' "$OUT/share/ca-bundle.pem")" -gt 100 ]
