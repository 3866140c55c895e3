/* SPDX-License-Identifier: PostgreSQL */
#include "core/store/sigv4.h"

#include <ctype.h>
#include <mbedtls/md.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/base/text.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define MAX_PIECES 64         /* of a query */
#define MAX_TEXT (256 * 1024) /* of a canonical request: keys and session tokens have far less */

const char *sigv4_date(char out[SIGV4_DATE], time_t now)
{
    struct tm tm;

    if (!gmtime_r(&now, &tm) || strftime(out, SIGV4_DATE, "%Y%m%dT%H%M%SZ", &tm) == 0)
        out[0] = '\0';
    return out;
}

void sigv4_sha256_hex(char out[65], const void *bytes, size_t n)
{
    unsigned char sum[32];

    mbedtls_sha256(bytes, n, sum, 0);
    text_hex(out, sum, sizeof sum);
}

void sigv4_encode(struct buf *out, const char *text, bool keep_slash)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool plain = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
                     strchr("-._~", *c) || (*c == '/' && keep_slash);

        if (plain)
            buf_putc(out, (char)*c);
        else
            buf_printf(out, "%%%02X", *c);
    }
}

/* ---- the canonical request ----------------------------------------------------------------------------------- */

struct piece {
    const char *text;
    size_t n, name_n;
};

/* By name, then by value, each by its bytes: "a" before "a1", although "=" sorts behind "1". */
static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    size_t n = a->name_n < b->name_n ? a->name_n : b->name_n;
    int order = memcmp(a->text, b->text, n);

    if (order || a->name_n != b->name_n)
        return order ? order : (a->name_n < b->name_n ? -1 : 1);
    n = a->n < b->n ? a->n : b->n;
    order = memcmp(a->text, b->text, n);
    return order ? order : (a->n < b->n ? -1 : a->n > b->n);
}

static int add_query(struct buf *out, const char *query, struct err *err)
{
    struct piece pieces[MAX_PIECES];
    size_t count = 0;

    while (query && *query) {
        size_t n = strcspn(query, "&");
        const char *equals = memchr(query, '=', n);

        if (count == MAX_PIECES)
            return err_set(err, ERR_INTERNAL, "too much of a query to sign");
        if (n > 0)
            pieces[count++] = (struct piece){ query, n, equals ? (size_t)(equals - query) : n };
        query += n + (query[n] == '&');
    }
    if (count > 1)
        qsort(pieces, count, sizeof *pieces, compare_pieces);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_putc(out, '&');
        buf_add(out, pieces[i].text, pieces[i].n);
        if (pieces[i].name_n == pieces[i].n)
            buf_putc(out, '=');
    }
    return 0;
}

/* Pointers to the headers, by name; those of one name stay in their order. */
static int sort_headers(const struct sigv4_request *r, const struct sigv4_header *sorted[SIGV4_MAX_HEADERS],
                        struct err *err)
{
    if (r->n_headers > SIGV4_MAX_HEADERS)
        return err_set(err, ERR_INTERNAL, "too many headers to sign");
    for (size_t i = 0; i < r->n_headers; i++) {
        size_t at = i;

        for (; at > 0 && strcasecmp(sorted[at - 1]->name, r->headers[i].name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &r->headers[i];
    }
    return 0;
}

static void add_lower(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_putc(out, (char)tolower((unsigned char)*text));
}

/* Without spaces at the ends, and of several in a row only one. */
static void add_trimmed(struct buf *out, const char *text)
{
    const char *end = text + strlen(text);

    while (text < end && isspace((unsigned char)*text))
        text++;
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    for (; text < end; text++)
        if (*text != ' ' || text[1] != ' ')
            buf_putc(out, *text);
}

static void add_headers(struct buf *out, const struct sigv4_header *const *sorted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool again = i > 0 && strcasecmp(sorted[i - 1]->name, sorted[i]->name) == 0;

        if (!again) {
            if (i > 0)
                buf_putc(out, '\n');
            add_lower(out, sorted[i]->name);
        }
        buf_putc(out, again ? ',' : ':');
        add_trimmed(out, sorted[i]->value);
    }
    buf_putc(out, '\n');
}

static void add_names(struct buf *out, const struct sigv4_header *const *sorted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcasecmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            continue;
        if (i > 0)
            buf_putc(out, ';');
        add_lower(out, sorted[i]->name);
    }
}

int sigv4_canonical(const struct sigv4_request *r, struct buf *out, struct err *err)
{
    const struct sigv4_header *sorted[SIGV4_MAX_HEADERS];

    if (sort_headers(r, sorted, err) < 0)
        return -1;
    buf_printf(out, "%s\n%s\n", r->method, r->path);
    if (add_query(out, r->query, err) < 0)
        return -1;
    buf_putc(out, '\n');
    add_headers(out, sorted, r->n_headers);
    buf_putc(out, '\n');
    add_names(out, sorted, r->n_headers);
    buf_printf(out, "\n%s", r->payload_hash);
    return buf_check(out, err);
}

/* ---- the signature ------------------------------------------------------------------------------------------- */

static void add_scope(struct buf *out, const struct sigv4_request *r)
{
    char date[SIGV4_DATE];

    buf_printf(out, "%.8s/%s/%s/aws4_request", sigv4_date(date, r->now), r->region, r->service);
}

int sigv4_string_to_sign(const struct sigv4_request *r, struct buf *out, struct err *err)
{
    char date[SIGV4_DATE], hash[65];
    struct buf canonical;
    int rc = -1;

    buf_init(&canonical, MAX_TEXT);
    if (sigv4_canonical(r, &canonical, err) < 0)
        goto out;
    sigv4_sha256_hex(hash, canonical.data, canonical.size);
    buf_printf(out, ALGORITHM "\n%s\n", sigv4_date(date, r->now));
    add_scope(out, r);
    buf_printf(out, "\n%s", hash);
    rc = buf_check(out, err);
out:
    buf_release(&canonical);
    return rc;
}

static int hmac(const void *key, size_t key_n, const char *text, size_t n, unsigned char out[32])
{
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);

    return mbedtls_md_hmac(sha256, key, key_n, (const unsigned char *)text, n, out);
}

/* The secret never signs anything itself: a key for the day, the region and the service does. */
static int sign(const struct sigv4_request *r, const char *secret, const struct buf *text, char out[65],
                struct err *err)
{
    unsigned char key[32];
    char date[SIGV4_DATE], first[4 + 256];
    int n = snprintf(first, sizeof first, "AWS4%s", secret), rc = -1;

    if (n < 0 || (size_t)n >= sizeof first) {
        err_set(err, ERR_CONFIG, "the secret access key is too long");
        goto out;
    }
    sigv4_date(date, r->now);
    if (hmac(first, (size_t)n, date, 8, key) != 0 || hmac(key, 32, r->region, strlen(r->region), key) != 0 ||
        hmac(key, 32, r->service, strlen(r->service), key) != 0 || hmac(key, 32, "aws4_request", 12, key) != 0 ||
        hmac(key, 32, text->data, text->size, key) != 0) {
        err_no_memory(err);
        goto out;
    }
    text_hex(out, key, sizeof key);
    rc = 0;
out:
    text_wipe(first, sizeof first);
    text_wipe(key, sizeof key);
    return rc;
}

int sigv4_authorization(const struct sigv4_request *r, const struct sigv4_key *key, struct buf *out, struct err *err)
{
    const struct sigv4_header *sorted[SIGV4_MAX_HEADERS];
    struct buf text;
    char signature[65];
    int rc = -1;

    buf_init(&text, 4096);
    if (sort_headers(r, sorted, err) < 0 || sigv4_string_to_sign(r, &text, err) < 0 ||
        sign(r, key->secret, &text, signature, err) < 0)
        goto out;
    buf_printf(out, ALGORITHM " Credential=%s/", key->id);
    add_scope(out, r);
    buf_puts(out, ", SignedHeaders=");
    add_names(out, sorted, r->n_headers);
    buf_printf(out, ", Signature=%s", signature);
    rc = buf_check(out, err);
out:
    buf_release(&text);
    return rc;
}
