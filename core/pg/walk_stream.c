/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/walk_stream.h"

#include <inttypes.h>
#include <string.h>

static ssize_t read_on(void *cookie, void *bytes, size_t n, struct err *err)
{
    struct walk_stream *s = cookie;
    uint64_t end = s->position < s->limit ? s->limit : s->file->size;

    if (n > end - s->position)
        n = (size_t)(end - s->position);
    ssize_t got = n == 0 ? 0 : s->file->read_at(s->file->cookie, bytes, n, s->position, err);
    if (got > 0)
        s->position += (uint64_t)got;
    return got;
}

int walk_stream_open(struct walk_stream *s, const struct walk_file *file, const struct archive *a, size_t read_size,
                     pthread_mutex_t *big, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->file = file;
    s->a = a;
    s->codec = walk_codec_new(a->method, big, err);
    if (s->codec == NULL)
        return -1;
    return archive_in_open(&s->in, (struct archive_source){ read_on, s }, read_size, err);
}

void walk_stream_close(struct walk_stream *s)
{
    archive_in_close(&s->in);
    walk_codec_free(s->codec);
    s->codec = NULL;
}

void walk_stream_seek(struct walk_stream *s, uint64_t offset, uint64_t limit)
{
    s->in.source.cookie = s; /* it may have been moved since it was opened */
    s->in.at = s->in.end = 0;
    s->in.offset = s->position = offset;
    s->limit = limit;
}

static int broken(struct walk_stream *s, const struct walk_target *to, const char *what, struct err *err)
{
    char name[160];

    if (what == NULL)
        return -1; /* err is set */
    archive_entry_name(to->entry, name, sizeof name);
    if (to->object != 0)
        return err_set(err, ERR_DAMAGED, "offset %" PRIu64 ": %s (large object %u): %s", archive_in_tell(&s->in), name,
                       to->object, what);
    return err_set(err, ERR_DAMAGED, "offset %" PRIu64 ": %s: %s", archive_in_tell(&s->in), name, what);
}

static int feed_chunk(struct walk_stream *s, uint64_t n, const struct walk_target *to, struct err *err)
{
    char name[160];

    while (n > 0) {
        const char *what = NULL;

        if (archive_in_ready(&s->in) == 0 &&
            archive_in_need(&s->in, 1, archive_entry_name(to->entry, name, sizeof name), err) < 0)
            return -1;
        size_t part = archive_in_ready(&s->in) < n ? archive_in_ready(&s->in) : (size_t)n;
        if (walk_codec_feed(s->codec, s->in.buf + s->in.at, part, part == n, to, &what, err) < 0)
            return broken(s, to, what, err);
        s->in.at += part;
        n -= part;
    }
    return 0;
}

int walk_stream_data(struct walk_stream *s, const struct archive_entry *e, uint32_t object, walk_data *data,
                     void *cookie, struct err *err)
{
    const struct walk_target to = { .entry = e, .object = object, .data = data, .cookie = cookie };
    const char *what = NULL;
    int64_t n;

    if (walk_codec_begin(s->codec, err) < 0)
        return -1;
    while ((n = archive_in_chunk(&s->in, s->a, e, err)) > 0)
        if (feed_chunk(s, (uint64_t)n, &to, err) < 0) {
            n = -1;
            break;
        }
    if (walk_codec_end(s->codec, &what) < 0 && n == 0)
        return broken(s, &to, what, err);
    return n < 0 ? -1 : 0;
}
