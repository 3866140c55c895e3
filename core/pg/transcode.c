/* SPDX-License-Identifier: PostgreSQL */
/* The feeder: takes the pipe apart and fills jobs. It runs on the caller's thread and must keep up with pg_dump, which
 * writes a chunk for every row; so rows are copied once, from the read buffer to the job. */
#include "core/pg/transcode.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include "core/pg/archive_in.h"
#include "core/pg/transcode_job.h"

#define READ_SIZE JOB_TEXT                      /* as much as a pipe may hold */
#define TOC_MEMORY ((size_t)1024 * 1024 * 1024) /* pg_dump is trusted with more than a file from anywhere */

struct feeder {
    struct transcoder t;
    struct archive_in in;
    struct job *job;     /* being filled; NULL: none yet */
    struct piece *piece; /* the open stream's, the last in the job; NULL: no stream is open */
    uint64_t told;       /* how far progress knows */
    size_t next_entry;   /* blocks come in the order of their entries */
};

/* ---- jobs ---------------------------------------------------------------------------------------------------- */

static void tell_progress(struct feeder *f)
{
    uint64_t at = archive_in_tell(&f->in);

    if (f->t.params->progress != NULL)
        f->t.params->progress(f->t.params->progress_cookie, at - f->told);
    f->told = at;
}

static void submit(struct feeder *f)
{
    pool_submit(f->t.pool, f->job);
    f->job = NULL;
    tell_progress(f);
}

static int new_job(struct feeder *f, struct err *err)
{
    f->job = pool_next(f->t.pool);
    if (f->job == NULL) {
        pool_finish(f->t.pool, err);
        return -1;
    }
    f->job->in_n = 0;
    f->job->pieces_n = 0;
    return 0;
}

/* A new piece at the end of the job, or of the next when this one has no room for more. */
static int add_piece(struct feeder *f, struct archive_entry *e, enum archive_block_type type, struct err *err)
{
    if (f->job != NULL && (f->job->pieces_n == JOB_PIECES || f->job->in_n == JOB_TEXT))
        submit(f);
    if (f->job == NULL && new_job(f, err) < 0)
        return -1;
    f->piece = &f->job->pieces[f->job->pieces_n++];
    memset(f->piece, 0, offsetof(struct piece, object_tally));
    f->piece->entry = e;
    f->piece->type = type;
    f->piece->in_at = f->job->in_n;
    return 0;
}

/* Takes the open piece's text from `from` on over to a new job; what stays behind is submitted. */
static int move_on(struct feeder *f, size_t from, const struct piece *as, struct err *err)
{
    struct job *old = f->job;
    size_t n = old->in_n - from;
    struct piece copy = *as;

    old->in_n = from;
    submit(f);
    if (new_job(f, err) < 0)
        return -1;
    memcpy(f->job->in, old->in + from, n); /* nobody writes to a job's text, and it is not reused before its turn */
    f->job->in_n = n;
    f->piece = &f->job->pieces[f->job->pieces_n++];
    *f->piece = copy;
    f->piece->in_at = 0;
    return 0;
}

/* The job is full and more of the stream is to come. Where a stream is cut depends on its own text alone: in segments
 * of JOB_TEXT or up to the last row's end in them, counted from its start; so one that shares its job moves out. */
static int make_room(struct feeder *f, struct err *err)
{
    struct piece *p = f->piece;
    struct piece rest = *p;

    if (p->in_at > 0) {
        f->job->pieces_n--;
        return move_on(f, p->in_at, &rest, err);
    }
    const char *newline = p->type == BLOCK_DATA ? memrchr(f->job->in, '\n', f->job->in_n) : NULL;
    size_t cut = newline != NULL ? (size_t)(newline - f->job->in) + 1 : f->job->in_n;

    p->in_n = cut;
    rest.block_begin = rest.stream_begin = false;
    return move_on(f, cut, &rest, err);
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

/* Most chunks are rows, short ones: whole sixteens are copied, over the end, for both buffers have room there. */
static inline void copy_row(char *to, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        memcpy(to + i, from + i, 16);
}

/* Takes whole small chunks as long as they stand in the buffer and fit in the job. */
static void feed_rows(struct feeder *f)
{
    const char *from = f->in.buf + f->in.at, *end = f->in.buf + f->in.end;
    char *to = f->job->in + f->job->in_n, *full = f->job->in + JOB_TEXT;

    while (end - from > 5) {
        const uint8_t *b = (const uint8_t *)from;
        size_t n = b[1] | (size_t)b[2] << 8;

        if (b[0] != 0 || (b[3] | b[4]) != 0 || n == 0 || n > (size_t)(end - from) - 5 || n > (size_t)(full - to))
            break;
        copy_row(to, from + 5, n);
        to += n;
        from += 5 + n;
    }
    f->in.at = (size_t)(from - f->in.buf);
    f->job->in_n = (size_t)(to - f->job->in);
}

/* One chunk of any size. */
static int feed_chunk(struct feeder *f, size_t n, struct err *err)
{
    char name[160];

    while (n > 0) {
        if (f->job->in_n == JOB_TEXT && make_room(f, err) < 0)
            return -1;
        if (archive_in_ready(&f->in) == 0 &&
            archive_in_need(&f->in, 1, archive_entry_name(f->piece->entry, name, sizeof name), err) < 0)
            return -1;
        size_t part = JOB_TEXT - f->job->in_n;
        if (part > n)
            part = n;
        if (part > archive_in_ready(&f->in))
            part = archive_in_ready(&f->in);
        memcpy(f->job->in + f->job->in_n, f->in.buf + f->in.at, part);
        f->in.at += part;
        f->job->in_n += part;
        n -= part;
    }
    return 0;
}

/* A stream, up to the 0 that ends it. The piece it starts in is there. */
static int feed_stream(struct feeder *f, struct err *err)
{
    int64_t n;

    f->piece->stream = f->piece->stream_begin = true;
    do {
        if (f->t.result->toc.int_size == 4)
            feed_rows(f);
        n = archive_in_chunk(&f->in, &f->t.result->toc, f->piece->entry, err);
        if (n < 0 || feed_chunk(f, (size_t)n, err) < 0)
            return -1;
    } while (n > 0);
    f->piece->in_n = f->job->in_n - f->piece->in_at;
    f->piece->stream_end = true;
    return 0;
}

static int feed_objects(struct feeder *f, struct archive_entry *e, struct err *err)
{
    int64_t oid;

    if (add_piece(f, e, BLOCK_OBJECTS, err) < 0)
        return -1;
    f->piece->block_begin = true;
    for (;;) {
        if (archive_in_int(&f->in, &f->t.result->toc, "the large objects", &oid, err) < 0 ||
            add_piece(f, e, BLOCK_OBJECTS, err) < 0)
            return -1;
        if (oid == 0)
            break;
        f->piece->object = (uint32_t)oid;
        if (feed_stream(f, err) < 0)
            return -1;
    }
    f->piece->block_end = true;
    return 0;
}

static int feed_table(struct feeder *f, struct archive_entry *e, struct err *err)
{
    if (add_piece(f, e, BLOCK_DATA, err) < 0)
        return -1;
    f->piece->block_begin = true;
    if (feed_stream(f, err) < 0)
        return -1;
    f->piece->block_end = true;
    return 0;
}

/* ---- blocks -------------------------------------------------------------------------------------------------- */

static int feed_blocks(struct feeder *f, struct err *err)
{
    enum archive_block_type type;
    struct archive_entry *e;
    char name[160];
    int rc;

    while ((rc = archive_in_block(&f->in, &f->t.result->toc, &type, &e, err)) > 0) {
        if (e != archive_next_data(&f->t.result->toc, &f->next_entry))
            return err_set(err, ERR_DUMP, "offset %" PRIu64 ": %s comes out of order", archive_in_tell(&f->in),
                           archive_entry_name(e, name, sizeof name));
        if ((type == BLOCK_OBJECTS ? feed_objects(f, e, err) : feed_table(f, e, err)) < 0)
            return -1;
        f->next_entry++;
    }
    if (rc == 0 && (e = archive_next_data(&f->t.result->toc, &f->next_entry)) != NULL)
        return err_set(err, ERR_DUMP, "the archive ends at offset %" PRIu64 ", before %s", archive_in_tell(&f->in),
                       archive_entry_name(e, name, sizeof name));
    if (rc == 0 && f->job != NULL)
        submit(f);
    return rc;
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

static int write_contents(void *cookie, const struct archive *a, const void *bytes, size_t n, struct err *err)
{
    struct transcoder *t = cookie;
    const struct transcode_sink *sink = &t->params->sink;
    const uint8_t *from = bytes;
    uint8_t field[ARCHIVE_PATCH];
    size_t field_n;

    if (a->method != ARCHIVE_NONE)
        return err_set(err, ERR_DUMP, "the archive is compressed already (%s)", archive_method_name(a->method));
    if (t->method == ARCHIVE_ZSTD && a->version < ARCHIVE_VERSION(1, 15))
        return err_set(err, ERR_CONFIG, "zstd needs PostgreSQL 16 or newer: older ones could not read the backup");
    field_n = archive_method_field(a, t->method, t->level, field);
    if (sink->begin != NULL && sink->begin(sink->cookie, n, err) < 0)
        return -1;
    if (sink->write(sink->cookie, from, a->method_at, err) < 0 || sink->write(sink->cookie, field, field_n, err) < 0 ||
        sink->write(sink->cookie, from + a->method_at + field_n, n - a->method_at - field_n, err) < 0)
        return -1;
    t->written = n;
    return 0;
}

static int patch_offsets(struct transcoder *t, struct err *err)
{
    const struct transcode_sink *sink = &t->params->sink;
    uint8_t field[ARCHIVE_PATCH];

    for (size_t i = 0; i < t->result->blocks.n && sink->patch != NULL; i++) {
        struct archive_block *b = &t->result->blocks.items[i];
        size_t n = archive_offset_field(&t->result->toc, b->offset, field);

        b->entry->state = OFFSET_KNOWN;
        b->entry->offset = b->offset;
        if (sink->patch(sink->cookie, b->entry->offset_at, field, n, err) < 0)
            return -1;
    }
    return 0;
}

static int run(struct feeder *f, struct err *err)
{
    struct transcoder *t = &f->t;

    f->in.damage = ERR_DUMP;
    if (archive_read(&t->result->toc, &f->in, TOC_MEMORY, write_contents, t, err) < 0)
        return -1;
    t->result->toc.method = t->method;
    t->result->toc.level = t->result->toc.version < ARCHIVE_VERSION(1, 15) ? t->level : 0;
    unsigned threads = transcode_threads(t);
    t->pool = pool_new(&transcode_ops, t, threads, 4 + threads / 2, err);
    if (t->pool == NULL || feed_blocks(f, err) < 0 || pool_finish(t->pool, err) < 0 || patch_offsets(t, err) < 0)
        return -1;
    tell_progress(f);
    t->result->bytes_in = archive_in_tell(&f->in);
    t->result->bytes_out = t->written;
    return 0;
}

static void choose_method(struct transcoder *t)
{
    t->method = t->params->method;
    t->level = t->params->level;
    if (t->method == ARCHIVE_GZIP && t->level == 0)
        t->method = ARCHIVE_NONE;
    if (t->method == ARCHIVE_ZSTD && t->level == 0)
        t->level = 3;
    if (t->method == ARCHIVE_NONE)
        t->level = 0;
}

int transcode(const struct transcode_params *p, struct transcode_result *out, struct err *err)
{
    int fd = p->in_fd;
    struct feeder f = { .t.params = p, .t.result = out };
    int rc = -1;

    memset(out, 0, sizeof *out);
    choose_method(&f.t);
    if (f.t.method == ARCHIVE_LZ4)
        return err_set(err, ERR_CONFIG, "archives are not written with lz4: choose gzip, zstd or none");
    (void)fcntl(fd, F_SETPIPE_SZ, READ_SIZE); /* fewer switches between pg_dump and us; a smaller one works too */
    f.t.stream = tally_stream_new();
    if (f.t.stream == NULL)
        err_no_memory(err);
    else if (archive_in_open(&f.in, archive_source_fd(&fd), READ_SIZE, err) == 0)
        rc = run(&f, err);
    pool_free(f.t.pool);
    tally_stream_free(f.t.stream);
    archive_in_close(&f.in);
    if (rc < 0)
        transcode_result_release(out);
    return rc;
}

void transcode_result_release(struct transcode_result *r)
{
    archive_blocks_release(&r->blocks);
    archive_release(&r->toc);
    memset(r, 0, sizeof *r);
}
