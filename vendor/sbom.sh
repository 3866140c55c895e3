#!/usr/bin/env bash
# sbom.sh VERSION VERSIONS.TSV - what is inside sfb, as an SPDX 2.3 document on stdout
#
# Each line of versions.tsv: name, version, licence, "Debian-source-package version", SHA-256 of the upstream archive.
set -euo pipefail
awk -F'\t' -v version="$1" -v created="$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)" '
function package(id, name, version, licence, more) {
    printf "%s    {\n", sep
    printf "      \"SPDXID\": \"SPDXRef-%s\",\n      \"name\": \"%s\",\n      \"versionInfo\": \"%s\",\n", id, name, version
    printf "      \"downloadLocation\": \"NOASSERTION\",\n      \"filesAnalyzed\": false,\n%s", more
    printf "      \"licenseConcluded\": \"%s\",\n      \"licenseDeclared\": \"%s\",\n", licence, licence
    printf "      \"copyrightText\": \"NOASSERTION\"\n    }"
    sep = ",\n"
}
BEGIN {
    print "{"
    print "  \"spdxVersion\": \"SPDX-2.3\",\n  \"dataLicense\": \"CC0-1.0\",\n  \"SPDXID\": \"SPDXRef-DOCUMENT\","
    printf "  \"name\": \"sfb-%s\",\n  \"documentNamespace\": \"https://spdx.org/spdxdocs/sfb-%s\",\n", version, version
    printf "  \"creationInfo\": { \"created\": \"%s\", \"creators\": [\"Tool: sfb-vendor-sbom\"] },\n", created
    print "  \"packages\": ["
    package("sfb", "sfb", version, "PostgreSQL", "")
}
{
    split($4, debian, " ")
    gsub(/\+/, "%2B", debian[2])
    sub(/:/, "%3A", debian[2])
    purl = "pkg:deb/debian/" debian[1] "@" debian[2] "?arch=source"
    more = "      \"externalRefs\": [{ \"referenceCategory\": \"PACKAGE-MANAGER\", \"referenceType\": \"purl\", \"referenceLocator\": \"" purl "\" }],\n"
    if ($5 != "-") more = more "      \"checksums\": [{ \"algorithm\": \"SHA256\", \"checksumValue\": \"" $5 "\" }],\n"
    package($1, $1, $2, $3, more)
    names[++n] = $1
}
END {
    print "\n  ],\n  \"relationships\": ["
    printf "    { \"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": \"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-sfb\" }"
    for (i = 1; i <= n; i++)
        printf ",\n    { \"spdxElementId\": \"SPDXRef-sfb\", \"relationshipType\": \"CONTAINS\", \"relatedSpdxElement\": \"SPDXRef-%s\" }", names[i]
    print "\n  ]\n}"
}' "$2"
