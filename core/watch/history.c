/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/watch/history_impl.h"

#define LOCK_SECONDS 10 /* others hold it for as long as one line takes */

/* ---- the file -------------------------------------------------------------------------------------------------- */

/* The file's end, at most n bytes of it, from the beginning of a line on. */
static int read_tail(int fd, const char *path, size_t n, struct buf *out, struct err *err)
{
    uint64_t from;
    struct stat st;
    ssize_t got;
    char *room;

    if (fstat(fd, &st) < 0)
        return err_errno(err, "can't read %s", path);
    from = (uint64_t)st.st_size > n ? (uint64_t)st.st_size - n : 0;
    room = buf_reserve(out, n);
    if (room == NULL)
        return buf_check(out, err);
    got = os_pread(fd, room, n, from, path, err);
    if (got < 0)
        return -1;
    buf_commit(out, (size_t)got);
    if (from > 0) { /* most likely in the middle of a line */
        const char *end = memchr(out->data, '\n', out->size);
        size_t cut = end != NULL ? (size_t)(end + 1 - out->data) : out->size;

        memmove(out->data, out->data + cut, out->size - cut);
        buf_cut(out, out->size - cut);
    }
    return 0;
}

/* All of it or nothing, and safe on the disk. A line that a crash cut short before it gets its end first. */
static int add_lines(int fd, const char *path, const struct buf *lines, struct err *err)
{
    struct buf text;
    struct stat st;
    char last = '\n';
    int rc = -1;

    buf_init(&text, lines->size + 1);
    if (fstat(fd, &st) < 0) {
        err_errno(err, "can't write to %s", path);
        goto out;
    }
    if (st.st_size > 0 && os_pread(fd, &last, 1, (uint64_t)st.st_size - 1, path, err) < 0)
        goto out;
    if (last != '\n')
        buf_putc(&text, '\n');
    buf_add(&text, lines->data, lines->size);
    if (buf_check(&text, err) < 0)
        goto out;
    rc = os_write(fd, text.data, text.size, path, err);
    if (rc == 0 && fsync(fd) < 0)
        rc = err_errno(err, "can't write to %s", path);
    if (rc < 0 && ftruncate(fd, st.st_size) < 0)
        errno = 0; /* what is left is a line cut short, and the next one heals it */
out:
    buf_release(&text);
    return rc;
}

static int trim(int fd, const char *path, struct err *err)
{
    struct buf newest;
    struct stat st;
    int rc = 0;

    buf_init(&newest, HISTORY_BYTES);
    if (fstat(fd, &st) == 0 && (uint64_t)st.st_size > HISTORY_BYTES) {
        rc = read_tail(fd, path, HISTORY_BYTES / 2, &newest, err);
        if (rc == 0)
            rc = os_write_file(path, newest.data, newest.size, err);
    }
    buf_release(&newest);
    return rc;
}

int history_add_lines(const struct places *p, const struct buf *lines, struct err *err)
{
    char *path = os_path(p->state, "history.jsonl"), *lock_path = os_path(p->state, "history.lock");
    struct os_lock lock = OS_LOCK_NONE;
    int fd = -1, rc = -1;

    if (path == NULL || lock_path == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (os_lock_take(&lock, lock_path, LOCK_SECONDS, err) < 0)
        goto out;
    fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_errno(err, "can't open %s", path);
        goto out;
    }
    if (add_lines(fd, path, lines, err) == 0 && trim(fd, path, err) == 0)
        rc = os_sync_dir_of(path, err);
out:
    if (fd >= 0)
        close(fd);
    os_lock_release(&lock);
    free(path);
    free(lock_path);
    return rc;
}

int history_append(const struct places *p, const struct run *r, struct err *err)
{
    struct buf line;
    int rc;

    if (p->state == NULL)
        return 0;
    buf_init(&line, RUN_LINE_MAX);
    rc = run_write(r, &line, err);
    buf_putc(&line, '\n');
    if (rc == 0)
        rc = buf_check(&line, err);
    if (rc == 0)
        rc = history_add_lines(p, &line, err);
    buf_release(&line);
    return rc;
}

/* ---- in memory ------------------------------------------------------------------------------------------------- */

int history_add(struct history *h, struct run *r, struct err *err)
{
    if ((h->n & (h->n - 1)) == 0) { /* no room beyond a power of two */
        struct run *runs = reallocarray(h->runs, h->n > 0 ? h->n * 2 : 1, sizeof *runs);

        if (runs == NULL) {
            run_release(r);
            return err_no_memory(err);
        }
        h->runs = runs;
    }
    h->runs[h->n++] = *r;
    return 0;
}

static int oldest_first(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    double x_end = (double)x->started + x->seconds, y_end = (double)y->started + y->seconds;

    if (x->started != y->started)
        return x->started < y->started ? -1 : 1;
    return (x_end > y_end) - (x_end < y_end);
}

void history_sort(struct history *h)
{
    if (h->n > 0)
        qsort(h->runs, h->n, sizeof *h->runs, oldest_first);
}

static bool is_of(const struct run *r, const char *environment)
{
    return environment == NULL || r->environment == NULL || strcmp(r->environment, environment) == 0 ||
           (r->source != NULL && strcmp(r->source, environment) == 0);
}

static int read_line(struct history *h, const char *line, size_t n, const char *environment, struct err *err)
{
    struct err trouble = { 0 };
    struct run r;

    if (n == 0)
        return 0;
    if (run_parse(line, n, &r, &trouble) < 0) {
        h->skipped++;
        return trouble.class == ERR_INTERNAL ? (*err = trouble, -1) : 0;
    }
    if (is_of(&r, environment))
        return history_add(h, &r, err);
    run_release(&r);
    return 0;
}

int history_read(const struct places *p, const char *environment, struct history *h, struct err *err)
{
    char *path = p->state != NULL ? os_path(p->state, "history.jsonl") : NULL;
    struct buf text;
    int fd = -1, rc = -1;

    memset(h, 0, sizeof *h);
    buf_init(&text, 2 * HISTORY_BYTES);
    if (p->state != NULL && path == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (path == NULL || ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0 && errno == ENOENT)) {
        rc = 0;
        goto out;
    }
    if (fd < 0) {
        err_errno(err, "can't read %s", path);
        goto out;
    }
    if (read_tail(fd, path, 2 * HISTORY_BYTES, &text, err) < 0)
        goto out;
    rc = 0;
    for (const char *line = text.data, *all = text.data + text.size; line < all && rc == 0;) {
        const char *end = memchr(line, '\n', (size_t)(all - line));

        end = end != NULL ? end : all;
        rc = read_line(h, line, (size_t)(end - line), environment, err);
        line = end + 1;
    }
    history_sort(h);
out:
    if (fd >= 0)
        close(fd);
    buf_release(&text);
    free(path);
    if (rc < 0)
        history_release(h);
    return rc;
}

void history_release(struct history *h)
{
    for (size_t i = 0; i < h->n; i++)
        run_release(&h->runs[i]);
    free(h->runs);
    memset(h, 0, sizeof *h);
}

const struct run *history_newest(const struct history *h, enum run_kind kind, int success)
{
    for (size_t i = h->n; i > 0; i--) {
        const struct run *r = &h->runs[i - 1];

        if (r->kind == kind && r->exit_code != RUN_BUSY && (success < 0 || (success > 0) == (r->exit_code == 0)))
            return r;
    }
    return NULL;
}

/* Has a drill after the run found that the backup does not bring the database back? */
static bool is_refuted(const struct run *r, const struct proofs *proofs, const char *environment)
{
    const struct proofs_item *last = proofs_of(proofs, environment, r->backup);

    return last != NULL && last->verdict == PROOFS_FAILED && difftime(last->drilled, r->started) > r->seconds + 1;
}

const struct run *history_newest_proven(const struct history *h, const struct proofs *proofs, const char *environment)
{
    const struct run *newest = NULL;

    for (size_t i = 0; i < h->n; i++) {
        const struct run *r = &h->runs[i];
        const char *subject = run_subject(r);

        if (r->proven && subject != NULL && strcmp(subject, environment) == 0 &&
            (newest == NULL || r->taken >= newest->taken) && !is_refuted(r, proofs, environment))
            newest = r;
    }
    return newest;
}
