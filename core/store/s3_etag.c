/* SPDX-License-Identifier: PostgreSQL */
/* s3_etag.c - what an ETag proves. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "core/base/text.h"
#include "core/store/s3_impl.h"

void s3_etag_copy(char out[128], const char *value)
{
    size_t n;

    value = value ? value : "";
    if (text_starts(value, "W/"))
        value += 2;
    value += *value == '"';
    n = strcspn(value, "\"");
    snprintf(out, 128, "%.*s", (int)(n < 127 ? n : 127), value);
}

void s3_etag_of_parts(char out[128], const uint8_t (*md5s)[16], unsigned parts)
{
    struct digest *d = digest_new(DIGEST_MD5);
    struct digest_sum sum;
    char hex[33];

    out[0] = '\0';
    if (!d)
        return;
    digest_put(d, md5s, (size_t)parts * 16);
    digest_end(d, &sum);
    digest_free(d);
    snprintf(out, 128, "%s-%u", text_hex(hex, sum.md5, 16), parts);
}

/* 32 hexadecimal digits, and "-N" for a multipart upload: nothing else claims to be an MD5. */
static bool looks_like_md5(const char *etag)
{
    size_t n = strspn(etag, "0123456789abcdefABCDEF");

    if (n != 32)
        return false;
    return etag[32] == '\0' || (etag[32] == '-' && etag[33] && strspn(etag + 33, "0123456789") == strlen(etag + 33));
}

int s3_etag_check(const char *etag, const char *expected, const char *sse, enum store_proof *proof, struct err *err)
{
    if (strcasecmp(etag, expected) == 0) {
        *proof = STORE_PROOF_ETAG;
        return 0;
    }
    *proof = STORE_PROOF_MD5;
    if (text_starts(sse, "aws:kms") || !looks_like_md5(etag))
        return 0;
    *proof = STORE_PROOF_NONE;
    return err_set(err, ERR_UPLOAD, "the server has stored something else than was sent: its ETag is %s, ours %s", etag,
                   expected);
}
