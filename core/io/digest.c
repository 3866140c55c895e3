/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/os.h"

/* OpenSSL, which libpq brings along: it uses the processor's SHA instructions, several times as fast as mbedTLS. */

#define PIECE (256 * 1024)

struct digest {
    int which;
    EVP_MD_CTX *md5, *sha256;
    uint64_t bytes;
};

static void digest_begin(struct digest *d)
{
    d->bytes = 0;
    if (d->md5 != NULL)
        EVP_DigestInit_ex(d->md5, EVP_md5(), NULL);
    if (d->sha256 != NULL)
        EVP_DigestInit_ex(d->sha256, EVP_sha256(), NULL);
}

struct digest *digest_new(int which)
{
    struct digest *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->which = which;
    d->md5 = which & DIGEST_MD5 ? EVP_MD_CTX_new() : NULL;
    d->sha256 = which & DIGEST_SHA256 ? EVP_MD_CTX_new() : NULL;
    if ((which & DIGEST_MD5 && d->md5 == NULL) || (which & DIGEST_SHA256 && d->sha256 == NULL)) {
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
    digest_begin(d);
}

void digest_free(struct digest *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->md5);
    EVP_MD_CTX_free(d->sha256);
    free(d);
}

/* ---- a file, both sums at once ------------------------------------------------------------------------------- */

struct part {
    int fd, which;
    uint64_t offset, n;
    const char *what;
    struct digest_sum sum;
    struct err err;
    int rc;
};

static int part_read(struct part *p, struct digest *d, char *buf)
{
    while (p->n > 0) {
        size_t want = p->n < PIECE ? (size_t)p->n : PIECE;
        ssize_t got = os_pread(p->fd, buf, want, p->offset, p->what, &p->err);

        if (got < 0 || os_check_interrupt(&p->err) < 0)
            return -1;
        if (got == 0)
            break;
        digest_put(d, buf, (size_t)got);
        p->offset += (uint64_t)got;
        if (p->n != UINT64_MAX)
            p->n -= (uint64_t)got;
    }
    digest_end(d, &p->sum);
    return 0;
}

static void *part_main(void *cookie)
{
    struct part *p = cookie;
    struct digest *d = digest_new(p->which);
    char *buf = malloc(PIECE);

    if (d == NULL || buf == NULL)
        p->rc = err_no_memory(&p->err);
    else
        p->rc = part_read(p, d, buf);
    free(buf);
    digest_free(d);
    return NULL;
}

/* Both sums, each on a thread of its own. */
static int part_both(struct part *md5, struct part *sha, struct err *err)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the caller's */
    int rc = pthread_create(&thread, NULL, part_main, md5);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    part_main(sha);
    if (rc == 0)
        pthread_join(thread, NULL);
    else
        part_main(md5); /* no thread to be had: one after the other */
    if (md5->rc < 0 || sha->rc < 0) {
        *err = sha->rc < 0 ? sha->err : md5->err;
        return -1;
    }
    if (md5->sum.bytes != sha->sum.bytes)
        return err_set(err, ERR_IO, "%s changes while it is read", sha->what);
    memcpy(sha->sum.md5, md5->sum.md5, sizeof sha->sum.md5);
    return 0;
}

int digest_file(int fd, uint64_t offset, uint64_t n, int which, const char *what, struct digest_sum *sum,
                struct err *err)
{
    struct part part = { .fd = fd, .which = which, .offset = offset, .n = n, .what = what };
    struct part md5 = part;

    if (which == (DIGEST_MD5 | DIGEST_SHA256)) {
        md5.which = DIGEST_MD5;
        part.which = DIGEST_SHA256;
        if (part_both(&md5, &part, err) < 0)
            return -1;
    } else {
        part_main(&part);
        if (part.rc < 0) {
            *err = part.err;
            return -1;
        }
    }
    *sum = part.sum;
    return 0;
}
