/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/os.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* OpenSSL, which libpq brings along: it uses the processor's SHA instructions, several times as fast as mbedTLS. */

#define PIECE (256 * 1024)

struct digest {
    int which;
    EVP_MD_CTX *md5, *sha256;
    XXH3_state_t *xxh3;
    uint64_t bytes;
};

static void digest_begin(struct digest *d)
{
    d->bytes = 0;
    if (d->md5 != NULL)
        EVP_DigestInit_ex(d->md5, EVP_md5(), NULL);
    if (d->sha256 != NULL)
        EVP_DigestInit_ex(d->sha256, EVP_sha256(), NULL);
    if (d->xxh3 != NULL)
        XXH3_128bits_reset(d->xxh3);
}

struct digest *digest_new(int which)
{
    struct digest *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->which = which;
    d->md5 = which & DIGEST_MD5 ? EVP_MD_CTX_new() : NULL;
    d->sha256 = which & DIGEST_SHA256 ? EVP_MD_CTX_new() : NULL;
    d->xxh3 = which & DIGEST_XXH3 ? XXH3_createState() : NULL;
    if ((which & DIGEST_MD5 && d->md5 == NULL) || (which & DIGEST_SHA256 && d->sha256 == NULL) ||
        (which & DIGEST_XXH3 && d->xxh3 == NULL)) {
        digest_free(d);
        return NULL;
    }
    digest_begin(d);
    return d;
}

void digest_put(struct digest *d, const void *bytes, size_t n)
{
    if (d->md5 != NULL)
        EVP_DigestUpdate(d->md5, bytes, n);
    if (d->sha256 != NULL)
        EVP_DigestUpdate(d->sha256, bytes, n);
    if (d->xxh3 != NULL)
        XXH3_128bits_update(d->xxh3, bytes, n);
    d->bytes += n;
}

void digest_end(struct digest *d, struct digest_sum *sum)
{
    memset(sum, 0, sizeof *sum);
    sum->bytes = d->bytes;
    if (d->md5 != NULL)
        EVP_DigestFinal_ex(d->md5, sum->md5, NULL);
    if (d->sha256 != NULL)
        EVP_DigestFinal_ex(d->sha256, sum->sha256, NULL);
    if (d->xxh3 != NULL)
        XXH128_canonicalFromHash((XXH128_canonical_t *)sum->xxh3, XXH3_128bits_digest(d->xxh3));
    digest_begin(d);
}

void digest_free(struct digest *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->md5);
    EVP_MD_CTX_free(d->sha256);
    XXH3_freeState(d->xxh3);
    free(d);
}

/* ---- a file ---------------------------------------------------------------------------------------------------- */

struct part {
    int fd;
    struct digest_range *range;
    const char *what;
    struct err err;
    int rc;
    pthread_t thread;
};

static int part_read(struct part *p, struct digest *d, char *buf)
{
    uint64_t at = p->range->offset, left = p->range->n;

    while (left > 0) {
        size_t want = left < PIECE ? (size_t)left : PIECE;
        ssize_t got = os_pread(p->fd, buf, want, at, p->what, &p->err);

        if (got < 0 || os_check_interrupt(&p->err) < 0)
            return -1;
        if (got == 0)
            break;
        digest_put(d, buf, (size_t)got);
        at += (uint64_t)got;
        if (left != UINT64_MAX)
            left -= (uint64_t)got;
    }
    digest_end(d, &p->range->sum);
    return 0;
}

static void *part_main(void *cookie)
{
    struct part *p = cookie;
    struct digest *d = digest_new(p->range->which);
    char *buf = malloc(PIECE);

    if (d == NULL || buf == NULL)
        p->rc = err_no_memory(&p->err);
    else
        p->rc = part_read(p, d, buf);
    free(buf);
    digest_free(d);
    return NULL;
}

int digest_file(int fd, uint64_t offset, uint64_t n, int which, const char *what, struct digest_sum *sum,
                struct err *err)
{
    struct digest_range range = { .which = which, .offset = offset, .n = n };
    struct part part = { .fd = fd, .range = &range, .what = what };

    part_main(&part);
    *sum = range.sum;
    if (part.rc < 0)
        *err = part.err;
    return part.rc;
}

/* Where no thread is to be had, one after the other. */
static void part_start(struct part *p)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the caller's */
    int rc = pthread_create(&p->thread, NULL, part_main, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return;
    p->thread = pthread_self();
    part_main(p);
}

int digest_ranges(int fd, struct digest_range *ranges, size_t count, const char *what, struct err *err)
{
    struct part *parts = calloc(count, sizeof *parts);
    int rc = 0;

    if (parts == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        parts[i] = (struct part){ .fd = fd, .range = &ranges[i], .what = what };
        part_start(&parts[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (!pthread_equal(parts[i].thread, pthread_self()))
            pthread_join(parts[i].thread, NULL);
        if (parts[i].rc < 0 && rc == 0) {
            *err = parts[i].err;
            rc = -1;
        }
    }
    free(parts);
    return rc;
}
