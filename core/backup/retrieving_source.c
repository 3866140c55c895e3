/* SPDX-License-Identifier: PostgreSQL */
/* retrieving_source.c - a backup of which only some tables are read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/retrieving.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/io/digest.h"

#define CONTENTS_MAX ((uint64_t)1024 * 1024 * 1024)

/* ---- the file, or the object ------------------------------------------------------------------------------------- */

static int open_file(struct retrieval *r, struct err *err)
{
    const char *path = r->choice.path;
    char *companion = manifest_path_of(path);
    struct err trouble = { 0 };
    int rc = -1;

    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0) {
        err_set(err, ERR_NOT_FOUND, "can't open backup %s: %s", path, strerror(errno));
        goto out;
    }
    if (companion != NULL && manifest_load(companion, &r->own, &trouble) == 0) {
        r->has_own = true;
        r->manifest = &r->own;
    } else if (companion != NULL && trouble.class != ERR_NOT_FOUND) {
        *err = trouble;
        goto out;
    }
    rc = walk_file_fd(&r->file, &r->fd, err);
out:
    free(companion);
    return rc;
}

static int open_object(struct retrieval *r, struct err *err)
{
    const struct fetched *f = &r->choice.fetched;

    if (f->has_manifest)
        r->manifest = &f->manifest;
    r->is_doubted = fetch_doubts(f, "its table of contents and its rows");
    return stored_open(&r->stored, f->store, f->key, &f->info, &r->file, err);
}

/* What the manifest does not vouch for. */
static int refuse_doubted(const struct retrieval *r, const char *what, struct err *err)
{
    err_set(err, ERR_DAMAGED,
            "%s was replaced, or copied by other tools, and its manifest can't tell whether %s is as it was",
            r->choice.shown, what);
    err_hint(err, "`sfb verify %s` reads all of it, and tells; a restore of the whole does, too", r->choice.shown);
    return -1;
}

static int open_backup(struct retrieval *r, struct err *err)
{
    if (choice_bring_cached(&r->wanted, &r->choice, err) < 0)
        return -1;
    if ((r->choice.path != NULL ? open_file(r, err) : open_object(r, err)) < 0)
        return -1;
    if (r->manifest != NULL && r->manifest->size != r->file.size)
        return err_set(err, ERR_DAMAGED, "%s has %llu bytes, its manifest says %llu: it was cut or changed",
                       r->choice.shown, (unsigned long long)r->file.size, (unsigned long long)r->manifest->size);
    return 0;
}

/* ---- its contents ------------------------------------------------------------------------------------------------ */

static int read_all(struct retrieval *r, char *bytes, size_t n, struct err *err)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got = r->file.read_at(r->file.cookie, bytes + done, n - done, done, err);

        if (got < 0)
            return -1;
        if (got == 0)
            return err_set(err, ERR_DAMAGED, "%s ends within its table of contents", r->choice.shown);
        done += (size_t)got;
    }
    return 0;
}

static int check_contents(const struct retrieval *r, const char *bytes, size_t n, struct err *err)
{
    struct digest *d = digest_new(DIGEST_SHA256);
    struct digest_sum sum;
    char hex[65];

    if (d == NULL)
        return err_no_memory(err);
    digest_put(d, bytes, n);
    digest_end(d, &sum);
    digest_free(d);
    if (strcmp(text_hex(hex, sum.sha256, sizeof sum.sha256), r->manifest->contents_sha256) == 0)
        return 0;
    return err_set(err, ERR_DAMAGED, "%s: its table of contents is not the one that its manifest knows",
                   r->choice.shown);
}

/* The manifest says how much they take, and what their SHA-256 is: they are read once and compared first. */
static int read_known_contents(struct retrieval *r, struct err *err)
{
    size_t n = (size_t)r->manifest->contents_size;
    char *bytes = malloc(n);
    const struct walk_bytes contents = { bytes, n };
    const struct walk_file file = walk_file_bytes(&contents);
    int rc = -1;

    if (bytes == NULL)
        err_no_memory(err);
    else if (read_all(r, bytes, n, err) == 0 && check_contents(r, bytes, n, err) == 0)
        rc = walk_contents(&file, &r->toc, err);
    free(bytes);
    return rc;
}

static int read_contents(struct retrieval *r, struct err *err)
{
    uint64_t known = r->manifest != NULL ? r->manifest->contents_size : 0;
    char magic[5];
    ssize_t n;

    if (known > 0 && known <= CONTENTS_MAX)
        return read_known_contents(r, err);
    n = r->file.read_at(r->file.cookie, magic, sizeof magic, 0, err);
    if (n < 0)
        return -1;
    if (archive_is(magic, (size_t)n) && r->is_doubted)
        return refuse_doubted(r, "its table of contents", err);
    if (archive_is(magic, (size_t)n))
        return walk_contents(&r->file, &r->toc, err);
    err_set(err, ERR_USAGE, "%s is no custom archive: single tables can't be taken out of it", r->choice.shown);
    err_hint(err, "if it is plain SQL, restore all of it to a scratch database, and take them from there");
    return -1;
}

/* ---- its tables -------------------------------------------------------------------------------------------------- */

const struct manifest_table *retrieving_expected(const struct retrieval *r, const struct excerpt_table *t)
{
    return r->manifest != NULL ? manifest_find_table(r->manifest, t->schema, t->name) : NULL;
}

uint64_t retrieving_bytes(const struct retrieval *r)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < r->excerpt.n; i++) {
        const struct archive_entry *rows = r->excerpt.tables[i].rows;
        uint64_t n = rows != NULL ? walk_extent(&r->file, &r->toc, rows) : 0;

        if (rows != NULL && n == 0)
            return 0;
        sum += n;
    }
    return sum;
}

int retrieving_open_source(struct retrieval *r, struct err *err)
{
    const struct retrieval_params *p = &r->params;

    if (open_backup(r, err) < 0 || read_contents(r, err) < 0)
        return -1;
    r->has_toc = true;
    if (excerpt_choose(&r->toc, p->tables, p->n_tables, p->data_only, &r->excerpt, err) < 0)
        return -1;
    r->tallies = calloc(r->excerpt.n + 1, sizeof *r->tallies);
    return r->tallies != NULL ? 0 : err_no_memory(err);
}

void retrieving_close_source(struct retrieval *r)
{
    free(r->tallies);
    excerpt_release(&r->excerpt);
    if (r->has_toc)
        archive_release(&r->toc);
    if (r->has_own)
        manifest_release(&r->own);
    stored_close(&r->stored);
    if (r->fd >= 0)
        close(r->fd);
}

/* ---- their rows -------------------------------------------------------------------------------------------------- */

struct sending {
    struct retrieval *r;
    int fd;
    struct tally_stream *stream;
    struct tally *tally;
};

static int put_bytes(struct sending *s, const void *bytes, size_t n, struct err *err)
{
    if (os_write(s->fd, bytes, n, "the pipe to pg_restore", err) == 0)
        return 0;
    s->r->is_unheard = err->class == ERR_IO;
    return -1;
}

static int put(struct sending *s, struct buf *framing, struct err *err)
{
    int rc = buf_check(framing, err) == 0 ? put_bytes(s, framing->data, framing->size, err) : -1;

    buf_reset(framing);
    return rc;
}

static int send_piece(void *cookie, uint32_t object, const void *bytes, size_t n, struct err *err)
{
    struct sending *s = cookie;
    struct buf framing;
    int rc;

    (void)object;
    tally_stream_text(s->stream, s->tally, bytes, n);
    buf_init(&framing, 64);
    excerpt_chunk(&s->r->excerpt, n, &framing);
    rc = put(s, &framing, err);
    buf_release(&framing);
    if (rc == 0)
        rc = put_bytes(s, bytes, n, err);
    progress_add(n);
    return os_check_interrupt(err) < 0 ? -1 : rc;
}

/* Is it what the manifest says? What was not dumped as COPY text can't be counted. */
static int check_rows(struct sending *s, const struct excerpt_table *t, struct err *err)
{
    const struct manifest_table *expected = retrieving_expected(s->r, t);
    char there[TEXT_SHORT], told[TEXT_SHORT];

    if (s->r->is_doubted && (!archive_is_copy(t->rows) || expected == NULL))
        return refuse_doubted(s->r, t->name, err);
    if (!archive_is_copy(t->rows))
        return 0;
    if (!tally_stream_end_copy(s->stream, s->tally))
        return err_set(err, ERR_DAMAGED, "the rows of %s.%s do not end as they should", t->schema, t->name);
    if (expected == NULL || tally_same(&expected->tally, s->tally))
        return 0;
    if (expected->tally.rows != s->tally->rows)
        return err_set(err, ERR_DAMAGED, "the backup has %s rows of %s.%s, its manifest says %s",
                       text_count(there, s->tally->rows), t->schema, t->name, text_count(told, expected->tally.rows));
    return err_set(err, ERR_DAMAGED, "the rows of %s.%s are not those of the manifest", t->schema, t->name);
}

/* The chunk of length 0, without which pg_restore does not go on, comes when the rows are known to be right. */
static int send_table(struct retrieval *r, struct sending *s, size_t i, struct err *err)
{
    const struct excerpt_table *t = &r->excerpt.tables[i];
    uint64_t extent = walk_extent(&r->file, &r->toc, t->rows);
    struct buf framing;
    int rc = -1;

    buf_init(&framing, 64);
    s->tally = &r->tallies[i];
    excerpt_block_begin(&r->excerpt, t->rows, &framing);
    if (put(s, &framing, err) < 0)
        goto out;
    if (r->stored.store != NULL && stored_expect(&r->stored, t->rows->offset, t->rows->offset + extent, err) < 0)
        goto out;
    if (walk_entry(&r->file, &r->toc, t->rows, send_piece, s, err) < 0 || check_rows(s, t, err) < 0)
        goto out;
    excerpt_chunk(&r->excerpt, 0, &framing);
    rc = put(s, &framing, err);
out:
    buf_release(&framing);
    return rc;
}

int retrieving_send(struct retrieval *r, int fd, struct err *err)
{
    struct sending s = { .r = r, .fd = fd, .stream = tally_stream_new() };
    uint64_t expected = 0;
    struct buf contents;
    int rc = -1;

    buf_init(&contents, CONTENTS_MAX);
    if (s.stream == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (excerpt_contents(&r->excerpt, &contents, err) < 0 || put(&s, &contents, err) < 0)
        goto out;
    for (size_t i = 0; i < r->excerpt.n; i++) {
        const struct manifest_table *m = retrieving_expected(r, &r->excerpt.tables[i]);

        expected += m != NULL ? m->tally.bytes : 0;
    }
    progress_start("restoring", expected);
    rc = 0;
    for (size_t i = 0; i < r->excerpt.n && rc == 0; i++)
        if (r->excerpt.tables[i].rows != NULL)
            rc = send_table(r, &s, i, err);
    progress_end();
out:
    tally_stream_free(s.stream);
    buf_release(&contents);
    return rc;
}
