/* SPDX-License-Identifier: PostgreSQL */
/* archive_memory.h - bytes in memory as the sources and sinks that the archive engine takes. */
#pragma once
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include "core/pg/archive_in.h"
#include "core/pg/transcode.h"
#include "core/pg/walk.h"

struct memory {
    const uint8_t *bytes;
    size_t n, at;
    size_t step; /* at most so many bytes at a time; 0: no limit */
};

static inline ssize_t memory_read(void *cookie, void *bytes, size_t n, struct err *err)
{
    struct memory *m = cookie;

    (void)err;
    if (n > m->n - m->at)
        n = m->n - m->at;
    if (m->step != 0 && n > m->step)
        n = m->step;
    if (n > 0)
        memcpy(bytes, m->bytes + m->at, n);
    m->at += n;
    return (ssize_t)n;
}

static inline ssize_t memory_read_at(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    const struct memory *m = cookie;

    (void)err;
    if (offset > m->n)
        offset = m->n;
    if (n > m->n - offset)
        n = m->n - offset;
    if (n > 0)
        memcpy(bytes, m->bytes + offset, n);
    return (ssize_t)n;
}

/* Header and contents. */
static inline int memory_archive(struct archive *a, const void *bytes, size_t n, size_t max_memory, struct err *err)
{
    struct memory m = { .bytes = bytes, .n = n };
    struct archive_in in;
    int rc = archive_in_open(&in, (struct archive_source){ memory_read, &m }, 65536, err);

    memset(err, 0, sizeof *err);
    memset(a, 0, sizeof *a);
    if (rc == 0)
        rc = archive_read(a, &in, max_memory, NULL, NULL, err);
    archive_in_close(&in);
    return rc;
}

static inline int memory_walk(const void *bytes, size_t n, unsigned jobs, struct walk_result *out, struct err *err)
{
    struct memory m = { .bytes = bytes, .n = n };
    struct walk_params p = { .file = { memory_read_at, &m, n }, .jobs = jobs };

    memset(err, 0, sizeof *err);
    return walk(&p, out, err);
}

/* ---- a sink -------------------------------------------------------------------------------------------------- */

struct memory_sink {
    uint8_t *bytes;
    size_t n, capacity;
    size_t fail_at; /* no more than so many bytes fit; 0: no limit */
};

static inline int sink_write(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct memory_sink *s = cookie;

    if (s->fail_at != 0 && s->n + n > s->fail_at)
        return err_set(err, ERR_SPACE, "the disk is full");
    if (s->n + n > s->capacity) {
        s->capacity = (s->n + n) * 2;
        s->bytes = realloc(s->bytes, s->capacity);
    }
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
    return 0;
}

static inline int sink_patch(void *cookie, uint64_t offset, const void *bytes, size_t n, struct err *err)
{
    struct memory_sink *s = cookie;

    (void)err;
    assert_true(offset + n <= s->n);
    memcpy(s->bytes + offset, bytes, n);
    return 0;
}

/* A descriptor to read the bytes from: a file without a name. */
static inline int memory_fd(const void *bytes, size_t n)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);

    assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

struct slow_pipe {
    const uint8_t *bytes;
    size_t n, step;
    int fd;
};

static inline void *slow_pipe_main(void *cookie)
{
    struct slow_pipe *p = cookie;

    for (size_t at = 0; at < p->n; at += p->step) {
        size_t n = p->n - at < p->step ? p->n - at : p->step;

        if (write(p->fd, p->bytes + at, n) != (ssize_t)n)
            break;
    }
    close(p->fd);
    return NULL;
}
