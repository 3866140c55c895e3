/* SPDX-License-Identifier: PostgreSQL */
#include "core/store/s3_sums.h"

#include <stdlib.h>
#include <string.h>
#include "core/base/os.h"

#define PIECE (128 * 1024)
#define LANE (16 * 1024 + 64) /* a little apart, so that the lanes don't share the same lines of the cache */

static int read_exactly(int fd, void *to, size_t n, uint64_t offset, struct err *err)
{
    ssize_t got = os_pread(fd, to, n, offset, "the file to upload", err);

    if (got >= 0 && (size_t)got < n)
        return err_set(err, ERR_IO, "the file to upload is shorter than it was");
    return got < 0 ? -1 : 0;
}

static int sum_file(struct digest *d, int fd, uint64_t offset, uint64_t n, struct err *err)
{
    char *piece = malloc(PIECE);
    int rc = -1;

    if (!piece)
        return err_no_memory(err);
    while (n > 0) {
        size_t want = n < PIECE ? (size_t)n : PIECE;

        if (read_exactly(fd, piece, want, offset, err) < 0)
            goto out;
        digest_put(d, piece, want);
        offset += want;
        n -= want;
    }
    rc = 0;
out:
    free(piece);
    return rc;
}

int s3_sums_one(int which, const void *bytes, int fd, uint64_t offset, uint64_t n, struct digest_sum *out,
                struct err *err)
{
    struct digest *d = digest_new(which);
    int rc = 0;

    if (!d)
        return err_no_memory(err);
    if (bytes)
        digest_put(d, bytes, (size_t)n);
    else
        rc = sum_file(d, fd, offset, n, err);
    digest_end(d, out);
    digest_free(d);
    return rc;
}

/* The next `want` bytes of every part, for its lane; lanes without a part read along with the first. */
static int load(struct part *const *parts, unsigned n, int fd, uint64_t at, size_t want, uint8_t *buffer,
                const uint8_t *pieces[MD5X_LANES], struct err *err)
{
    const uint8_t *first = parts[0]->bytes ? (const uint8_t *)parts[0]->bytes + at : buffer;

    for (unsigned i = 0; i < n; i++) {
        pieces[i] = parts[i]->bytes ? (const uint8_t *)parts[i]->bytes + at : buffer + i * LANE;
        if (!parts[i]->bytes && read_exactly(fd, buffer + i * LANE, want, parts[i]->offset + at, err) < 0)
            return -1;
    }
    for (unsigned i = n; i < MD5X_LANES; i++)
        pieces[i] = first;
    return 0;
}

int s3_sums_many(struct part *const *parts, unsigned n, int fd, struct err *err)
{
    const uint8_t *pieces[MD5X_LANES];
    uint8_t sums[MD5X_LANES][16], *buffer = malloc(MD5X_LANES * LANE);
    uint64_t size = parts[0]->size, at = 0;
    size_t want = LANE - 64;
    struct md5x m;
    int rc = -1;

    if (!buffer)
        return err_no_memory(err);
    md5x_init(&m, n);
    for (; size - at > want; at += want) {
        if (load(parts, n, fd, at, want, buffer, pieces, err) < 0)
            goto out;
        md5x_put(&m, pieces, want);
    }
    if (load(parts, n, fd, at, (size_t)(size - at), buffer, pieces, err) < 0)
        goto out;
    md5x_end(&m, pieces, (size_t)(size - at), sums);
    for (unsigned i = 0; i < n; i++) {
        memcpy(parts[i]->md5, sums[i], 16);
        parts[i]->summed = true;
    }
    rc = 0;
out:
    free(buffer);
    return rc;
}
