/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_archive.c - any bytes whatever, taken for an archive: contents, list, COPY statements, every block, one entry,
 * and the transcoder. Nothing to expect but that nothing breaks, that a refusal says something, and that what is
 * accepted as a whole can be transcoded, and is then accepted with the same rows in it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/pg/archive.h"
#include "core/pg/tally.h"
#include "core/pg/transcode.h"
#include "core/pg/walk.h"

struct bytes {
    const uint8_t *data;
    size_t n;
};

static void must(int holds)
{
    if (!holds)
        abort();
}

static ssize_t read_at(void *cookie, void *out, size_t n, uint64_t offset, struct err *err)
{
    const struct bytes *b = cookie;

    (void)err;
    if (offset > b->n)
        offset = b->n;
    if (n > b->n - offset)
        n = b->n - (size_t)offset;
    memcpy(out, b->data + offset, n);
    return (ssize_t)n;
}

static int ignore(void *cookie, uint32_t object, const void *bytes, size_t n, struct err *err)
{
    (void)cookie, (void)object, (void)bytes, (void)n, (void)err;
    return 0;
}

/* A refusal has a class and a message. */
static int refused(int rc, const struct err *err)
{
    if (rc < 0)
        must(err->class != ERR_NONE && err->class != ERR_INTERNAL && err->message[0] != '\0');
    return rc < 0;
}

static void look_at_contents(const struct walk_file *file)
{
    struct archive a;
    struct err err = { 0 };
    struct buf list;

    if (refused(walk_contents(file, &a, &err), &err))
        return;
    buf_init(&list, (size_t)64 << 20);
    must(archive_list(&a, &list, &err) == 0);
    buf_release(&list);
    for (size_t i = 0; i < a.n; i++) {
        struct archive_copy copy;

        must(archive_find(&a, a.entries[i].id) == &a.entries[i]);
        memset(&err, 0, sizeof err);
        if (a.entries[i].copy != NULL && !refused(archive_copy_parse(&a.entries[i], &copy, &err), &err))
            archive_copy_release(&copy);
        memset(&err, 0, sizeof err);
        if (i < 20 && a.entries[i].has_data)
            refused(walk_entry(file, &a, &a.entries[i], ignore, NULL, &err), &err);
    }
    archive_release(&a);
}

struct sink {
    uint8_t *data;
    size_t n, capacity;
};

static int sink_write(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct sink *s = cookie;

    (void)err;
    if (s->n + n > s->capacity) {
        s->capacity = 2 * (s->n + n);
        s->data = realloc(s->data, s->capacity);
    }
    memcpy(s->data + s->n, bytes, n);
    s->n += n;
    return 0;
}

static int sink_patch(void *cookie, uint64_t offset, const void *bytes, size_t n, struct err *err)
{
    struct sink *s = cookie;

    (void)err;
    must(offset + n <= s->n);
    memcpy(s->data + offset, bytes, n);
    return 0;
}

/* The archive transcoded; 0 when it was taken. */
static int transcoded(const struct bytes *b, struct sink *out)
{
    int fd = memfd_create("fuzz", 0);
    struct transcode_params p = { .in_fd = fd, .method = ARCHIVE_GZIP, .level = 1, .jobs = 2 };
    struct transcode_result r;
    struct err err = { 0 };
    int rc = -1;

    must(fd >= 0 && write(fd, b->data, b->n) == (ssize_t)b->n && lseek(fd, 0, SEEK_SET) == 0);
    p.sink = (struct transcode_sink){ .write = sink_write, .patch = sink_patch, .cookie = out };
    if (!refused(transcode(&p, &r, &err), &err)) {
        transcode_result_release(&r);
        rc = 0;
    }
    close(fd);
    return rc;
}

/* Where the last block ends: behind it a file may have its contents once more, a stream may not. */
static size_t end_of_blocks(const struct walk_result *r)
{
    const struct archive_block *last = r->blocks.n > 0 ? &r->blocks.items[r->blocks.n - 1] : NULL;

    return last != NULL ? last->offset + last->stored : r->toc.data_at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes b = { data, n };
    struct walk_params p = { .file = { read_at, &b, n }, .jobs = 2 };
    struct walk_result whole, again;
    struct err err = { 0 };
    struct sink out = { 0 };

    look_at_contents(&p.file);
    int taken = !refused(walk(&p, &whole, &err), &err);
    int wrote = transcoded(&b, &out) == 0;
    if (taken && whole.toc.method == ARCHIVE_NONE) {
        if (!wrote) {
            b.n = end_of_blocks(&whole);
            out.n = 0;
            must(b.n < n && transcoded(&b, &out) == 0);
        }
        struct bytes packed = { out.data, out.n };
        p.file = (struct walk_file){ read_at, &packed, out.n, 0 };
        memset(&err, 0, sizeof err);
        must(walk(&p, &again, &err) == 0);
        must(tally_same(&whole.tables, &again.tables) && tally_same(&whole.objects, &again.objects));
        walk_result_release(&again);
    }
    if (taken)
        walk_result_release(&whole);
    free(out.data);
    return 0;
}
