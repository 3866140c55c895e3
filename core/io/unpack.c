/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/os.h"

#define INPUT_SIZE (256 * 1024)
#define MAGIC_SIZE 6
#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, with gzip's header and checksums */

enum method { PLAIN, GZIP, OTHER };

struct unpack {
    int fd;
    const char *what;
    enum method method;
    uint64_t consumed;
    unsigned char *input;
    size_t size, next; /* of input: filled, used */
    bool at_end;       /* of the text */
    z_stream z;
    bool z_open, in_member;
    struct archive *other;
    struct err read_err; /* of other's read callback */
};

/* By the first n bytes. */
static enum method detect(const void *bytes, size_t n)
{
    static const struct {
        size_t n;
        unsigned char magic[MAGIC_SIZE];
    } others[] = {
        { 4, { 0x28, 0xb5, 0x2f, 0xfd } },      /* zstd */
        { 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } }, /* xz */
        { 3, { 'B', 'Z', 'h' } },               /* bzip2 */
        { 4, { 0x04, 0x22, 0x4d, 0x18 } },      /* lz4 */
    };
    const unsigned char *b = bytes;

    if (n >= 3 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8)
        return GZIP;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (n >= MAGIC_SIZE && memcmp(b, others[i].magic, others[i].n) == 0)
            return OTHER;
    }
    return PLAIN;
}

/* More input; u->size 0 afterwards: the file has ended. */
static int fill(struct unpack *u, struct err *err)
{
    ssize_t n = os_read(u->fd, u->input, INPUT_SIZE, u->what, err);

    if (n < 0)
        return -1;
    u->size = (size_t)n;
    u->next = 0;
    u->consumed += (uint64_t)n;
    return 0;
}

/* ---- others: libarchive's filters over no format --------------------------------------------------------------- */

static la_ssize_t other_input(struct archive *a, void *cookie, const void **bytes)
{
    struct unpack *u = cookie;

    if (u->next >= u->size && fill(u, &u->read_err) < 0) {
        archive_set_error(a, EIO, "%s", u->read_err.message);
        return -1;
    }
    *bytes = u->input + u->next;
    u->next = u->size;
    return (la_ssize_t)(u->size - (size_t)((const unsigned char *)*bytes - u->input));
}

static int other_failed(const struct unpack *u, struct err *err)
{
    if (u->read_err.class != ERR_NONE) {
        *err = u->read_err;
        return -1;
    }
    return err_set(err, ERR_DAMAGED, "can't decompress %s: %s", u->what, archive_error_string(u->other));
}

static int other_open(struct unpack *u, struct err *err)
{
    struct archive_entry *entry;

    u->other = archive_read_new();
    if (u->other == NULL)
        return err_no_memory(err);
    /* By name: "all" would include those that start programs of the host. */
    archive_read_support_filter_zstd(u->other);
    archive_read_support_filter_xz(u->other);
    archive_read_support_filter_bzip2(u->other);
    archive_read_support_filter_lz4(u->other);
    archive_read_support_format_raw(u->other);
    if (archive_read_open(u->other, u, NULL, other_input, NULL) != ARCHIVE_OK ||
        archive_read_next_header(u->other, &entry) != ARCHIVE_OK)
        return other_failed(u, err);
    return 0;
}

static ssize_t other_read(struct unpack *u, void *bytes, size_t n, struct err *err)
{
    la_ssize_t got = archive_read_data(u->other, bytes, n);

    return got < 0 ? other_failed(u, err) : got;
}

/* ---- gzip ------------------------------------------------------------------------------------------------------ */

static int gzip_open(struct unpack *u, struct err *err)
{
    if (inflateInit2(&u->z, GZIP_WINDOW) != Z_OK)
        return err_no_memory(err);
    u->z_open = true;
    return 0;
}

/* The file ends where a member ends, or it is cut. */
static ssize_t gzip_ended(struct unpack *u, struct err *err)
{
    if (u->in_member)
        return err_set(err, ERR_DAMAGED, "%s ends in the middle of its compressed data, after %llu bytes", u->what,
                       (unsigned long long)u->consumed);
    u->at_end = true;
    return 0;
}

static ssize_t gzip_read(struct unpack *u, void *bytes, size_t n, struct err *err)
{
    u->z.next_out = bytes;
    u->z.avail_out = (uInt)n;
    while (u->z.avail_out > 0) {
        int status;

        if (u->next >= u->size && fill(u, err) < 0)
            return -1;
        if (u->size == 0) {
            if (gzip_ended(u, err) < 0)
                return -1;
            break;
        }
        u->in_member = true;
        u->z.next_in = u->input + u->next;
        u->z.avail_in = (uInt)(u->size - u->next);
        status = inflate(&u->z, Z_NO_FLUSH);
        u->next = u->size - u->z.avail_in;
        if (status == Z_STREAM_END) {
            u->in_member = false;
            inflateReset(&u->z);
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return err_set(err, ERR_DAMAGED, "%s is damaged near byte %llu: %s", u->what,
                           (unsigned long long)(u->consumed - (u->size - u->next)),
                           u->z.msg != NULL ? u->z.msg : "not compressed data");
        }
    }
    return (ssize_t)(n - u->z.avail_out);
}

/* ---- any of them ----------------------------------------------------------------------------------------------- */

static ssize_t plain_read(struct unpack *u, void *bytes, size_t n, struct err *err)
{
    size_t done = 0;

    while (done < n) {
        size_t piece;

        if (u->next >= u->size && fill(u, err) < 0)
            return -1;
        if (u->size == 0)
            break;
        piece = u->size - u->next < n - done ? u->size - u->next : n - done;
        memcpy((char *)bytes + done, u->input + u->next, piece);
        u->next += piece;
        done += piece;
    }
    return (ssize_t)done;
}

struct unpack *unpack_open(int fd, const char *what, struct err *err)
{
    struct unpack *u = calloc(1, sizeof *u);

    if (u == NULL || (u->input = malloc(INPUT_SIZE)) == NULL) {
        err_no_memory(err);
        goto fail;
    }
    u->fd = fd;
    u->what = what;
    if (fill(u, err) < 0)
        goto fail;
    u->method = detect(u->input, u->size);
    if ((u->method == GZIP && gzip_open(u, err) < 0) || (u->method == OTHER && other_open(u, err) < 0))
        goto fail;
    return u;
fail:
    unpack_close(u);
    return NULL;
}

ssize_t unpack_read(struct unpack *u, void *bytes, size_t n, struct err *err)
{
    ssize_t got;

    if (u->at_end)
        return 0;
    switch (u->method) {
    case GZIP:
        got = gzip_read(u, bytes, n, err);
        break;
    case OTHER:
        got = other_read(u, bytes, n, err);
        break;
    default:
        got = plain_read(u, bytes, n, err);
    }
    if (got == 0)
        u->at_end = true;
    return got;
}

uint64_t unpack_consumed(const struct unpack *u)
{
    return u->consumed;
}

void unpack_close(struct unpack *u)
{
    if (u == NULL)
        return;
    if (u->z_open)
        inflateEnd(&u->z);
    if (u->other != NULL)
        archive_read_free(u->other);
    free(u->input);
    free(u);
}
