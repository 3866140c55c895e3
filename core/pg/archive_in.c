/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/archive_in.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/base/os.h"

int archive_in_open(struct archive_in *in, struct archive_source source, size_t capacity, struct err *err)
{
    memset(in, 0, sizeof *in);
    in->source = source;
    in->damage = ERR_DAMAGED;
    in->capacity = capacity;
    in->buf = malloc(capacity + ARCHIVE_IN_SLACK);
    return in->buf == NULL ? err_no_memory(err) : 0;
}

void archive_in_close(struct archive_in *in)
{
    free(in->buf);
    in->buf = NULL;
}

ssize_t archive_in_fill(struct archive_in *in, size_t n, struct err *err)
{
    while (archive_in_ready(in) < n) {
        if (in->at > 0) { /* less than n bytes: little to move, and the source gets room for a large read */
            memmove(in->buf, in->buf + in->at, archive_in_ready(in));
            in->offset += in->at;
            in->end -= in->at;
            in->at = 0;
        }
        ssize_t got = in->source.read(in->source.cookie, in->buf + in->end, in->capacity - in->end, err);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        in->end += (size_t)got;
    }
    return (ssize_t)archive_in_ready(in);
}

static int ends_early(struct archive_in *in, const char *what, struct err *err)
{
    return err_set(err, in->damage, "the archive ends at offset %" PRIu64 ", in the middle of %s", in->offset + in->end,
                   what);
}

int archive_in_need(struct archive_in *in, size_t n, const char *what, struct err *err)
{
    if (archive_in_ready(in) >= n)
        return 0;
    ssize_t ready = archive_in_fill(in, n, err);
    if (ready < 0)
        return -1;
    return (size_t)ready < n ? ends_early(in, what, err) : 0;
}

int archive_in_skip(struct archive_in *in, uint64_t n, const char *what, struct err *err)
{
    while (n > 0) {
        ssize_t ready = archive_in_fill(in, 1, err);

        if (ready < 0)
            return -1;
        if (ready == 0)
            return ends_early(in, what, err);
        size_t part = (uint64_t)ready < n ? (size_t)ready : (size_t)n;
        in->at += part;
        n -= part;
    }
    return 0;
}

int archive_in_int(struct archive_in *in, const struct archive *a, const char *what, int64_t *value, struct err *err)
{
    size_t n = (size_t)a->int_size + 1;
    uint64_t sum = 0;

    if (archive_in_need(in, n, what, err) < 0)
        return -1;
    const uint8_t *bytes = (const uint8_t *)in->buf + in->at;
    for (size_t i = n - 1; i > 0; i--)
        sum = sum << 8 | bytes[i];
    if (bytes[0] > 1 || sum > UINT32_MAX) /* writers have ints of 32 bits, however wide they are stored */
        return err_set(err, in->damage, "offset %" PRIu64 ": no number where one should be, in %s", archive_in_tell(in),
                       what);
    *value = bytes[0] ? -(int64_t)sum : (int64_t)sum;
    in->at += n;
    return 0;
}

int archive_in_block(struct archive_in *in, const struct archive *a, enum archive_block_type *type,
                     struct archive_entry **entry, struct err *err)
{
    uint64_t start = archive_in_tell(in);
    ssize_t ready = archive_in_fill(in, 1, err);
    int64_t id;

    if (ready <= 0)
        return (int)ready;
    int byte = (uint8_t)in->buf[in->at];
    if (byte != BLOCK_DATA && byte != BLOCK_OBJECTS)
        return err_set(err, in->damage, "offset %" PRIu64 ": no data block starts here (type %d)", start, byte);
    in->at++;
    if (archive_in_int(in, a, "a data block's header", &id, err) < 0)
        return -1;
    *type = (enum archive_block_type)byte;
    *entry = id > 0 && id <= INT32_MAX ? archive_find(a, (int)id) : NULL;
    if (*entry == NULL)
        return err_set(err, in->damage,
                       "offset %" PRIu64 ": a data block of entry %" PRId64
                       ", which the table of contents does not have",
                       start, id);
    if (!(*entry)->has_data)
        return err_set(err, in->damage,
                       "offset %" PRIu64 ": a data block of entry %" PRId64 " (%s %s), which should have none", start,
                       id, (*entry)->desc, (*entry)->tag);
    return 1;
}

int64_t archive_in_chunk(struct archive_in *in, const struct archive *a, const struct archive_entry *e, struct err *err)
{
    char what[160];
    int64_t n;

    /* The usual case first: this runs once for each row of a database, and the name is for errors only. */
    if (a->int_size == 4 && archive_in_ready(in) >= 5) {
        const uint8_t *b = (const uint8_t *)in->buf + in->at;

        if (b[0] == 0 && b[4] < 0x80) {
            in->at += 5;
            return (int64_t)(b[1] | (uint32_t)b[2] << 8 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 24);
        }
    }
    archive_entry_name(e, what, sizeof what);
    if (archive_in_int(in, a, what, &n, err) < 0)
        return -1;
    if (n < 0 || n > INT32_MAX)
        return err_set(err, in->damage, "offset %" PRIu64 ": a chunk of %" PRId64 " bytes in %s", archive_in_tell(in),
                       n, what);
    return n;
}

/* ---- a descriptor -------------------------------------------------------------------------------------------- */

static ssize_t read_fd(void *cookie, void *bytes, size_t n, struct err *err)
{
    struct pollfd ready = { .fd = *(int *)cookie, .events = POLLIN };

    for (;;) {
        if (os_check_interrupt(err) < 0)
            return -1;
        /* A signal that comes between the check and a read would go unseen for as long as nothing is written. */
        if (poll(&ready, 1, 250) <= 0)
            continue;
        ssize_t got = read(ready.fd, bytes, n);
        if (got >= 0)
            return got;
        if (errno != EINTR && errno != EAGAIN)
            return err_errno(err, "can't read the archive");
    }
}

struct archive_source archive_source_fd(int *fd)
{
    return (struct archive_source){ .read = read_fd, .cookie = fd };
}
