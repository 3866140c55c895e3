/* SPDX-License-Identifier: PostgreSQL */
/* The scanner: goes through the archive from start to end, checks its structure and hands the streams to the workers. */
#include "core/pg/walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "core/base/os.h"
#include "core/pg/archive_in.h"
#include "core/pg/walk_job.h"

#define READ_SIZE (4 * WALK_TEXT)
#define PIECE ((size_t)64 * 1024)
#define THREADS 12                         /* more would cost more memory than a verification should take */
#define MEMORY ((size_t)180 * 1024 * 1024) /* that, contents included; a thread's part of it: */
#define THREAD_MEMORY (5 * WALK_TEXT)

struct scanner {
    struct walker t;
    struct archive_in in;
    uint64_t position, told;
    size_t next_entry;
    struct walk_job *job; /* being filled; NULL: none */
};

/* ---- jobs ---------------------------------------------------------------------------------------------------- */

static void submit(struct scanner *s)
{
    uint64_t at = archive_in_tell(&s->in);

    if (s->job != NULL)
        pool_submit(s->t.pool, s->job);
    s->job = NULL;
    if (s->t.params->progress != NULL)
        s->t.params->progress(s->t.params->progress_cookie, at - s->told);
    s->told = at;
}

/* A new piece with room for n bytes. NULL: a job failed. */
static struct walk_piece *add_piece(struct scanner *s, enum walk_way way, struct archive_block *block, uint32_t object,
                                    size_t n, struct err *err)
{
    if (s->job != NULL && (s->job->pieces_n == WALK_PIECES || WALK_CHUNK - s->job->in_n < n))
        submit(s);
    if (s->job == NULL) {
        s->job = pool_next(s->t.pool);
        if (s->job == NULL) {
            pool_finish(s->t.pool, err);
            return NULL;
        }
        s->job->in_n = s->job->pieces_n = 0;
    }
    struct walk_piece *p = &s->job->pieces[s->job->pieces_n++];

    memset(p, 0, sizeof *p);
    p->way = way;
    p->block = block;
    p->object = object;
    p->in_at = s->job->in_n;
    return p;
}

/* Moves n bytes that stand in the buffer to the end of the job, where its last piece is. */
static void take(struct scanner *s, struct walk_piece *p, size_t n)
{
    memcpy(s->job->in + s->job->in_n, s->in.buf + s->in.at, n);
    s->job->in_n += n;
    s->in.at += n;
    p->in_n += n;
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

static int skip_chunks(struct scanner *s, const struct archive_entry *e, struct err *err)
{
    char name[160];
    int64_t n;

    while ((n = archive_in_chunk(&s->in, &s->t.result->toc, e, err)) > 0)
        if (archive_in_skip(&s->in, (uint64_t)n, archive_entry_name(e, name, sizeof name), err) < 0)
            return -1;
    return n < 0 ? -1 : 0;
}

/* The stream that starts (or, with its beginning taken, started) at `start` is for a worker to read on its own. */
static int send_far(struct scanner *s, struct archive_block *block, uint32_t object, uint64_t start, struct err *err)
{
    struct walk_piece *p = add_piece(s, WALK_FAR, block, object, 0, err);

    if (p == NULL)
        return -1;
    p->offset = start;
    submit(s);
    return 0;
}

/* Is the chunk of n bytes in the buffer the last of its stream? It and what follows it are brought there. */
static int is_last(struct scanner *s, const struct archive_entry *e, size_t n, struct err *err)
{
    size_t length = (size_t)s->t.result->toc.int_size + 1;
    char name[160];

    if (archive_in_ready(&s->in) < n + length &&
        archive_in_need(&s->in, n + length, archive_entry_name(e, name, sizeof name), err) < 0)
        return -1;
    for (size_t i = 0; i < length; i++)
        if (s->in.buf[s->in.at + n + i] != 0)
            return 0;
    return 1;
}

/* Could the chunk be decompressed alone, though others follow? Ours can. */
static bool stands_alone(const struct scanner *s, size_t n)
{
    const char *chunk = s->in.buf + s->in.at;

    switch (s->t.result->toc.method) {
    case ARCHIVE_GZIP:
        return n >= 4 && memcmp(chunk + n - 4, "\0\0\xff\xff", 4) == 0;
    case ARCHIVE_ZSTD:
        return ZSTD_findFrameCompressedSize(chunk, n) == n;
    default:
        return false;
    }
}

/* The first chunk, of n bytes, stands in the buffer; each goes to a job of its own. */
static int scan_parts(struct scanner *s, struct archive_block *block, uint32_t object, uint64_t start, int64_t n,
                      struct err *err)
{
    bool begin = true;
    int last = 0;

    for (; n > 0; n = archive_in_chunk(&s->in, &s->t.result->toc, block->entry, err)) {
        if (n <= WALK_CHUNK && (last = is_last(s, block->entry, (size_t)n, err)) < 0)
            return -1;
        submit(s);
        struct walk_piece *p = add_piece(s, WALK_PART, block, object, 0, err);
        if (p == NULL)
            return -1;
        p->offset = start;
        p->begin = begin;
        p->end = last;
        begin = false;
        if (n <= WALK_CHUNK) {
            take(s, p, (size_t)n);
            continue;
        }
        p->wrong = p->end = true; /* none of ours is that long */
        char name[160];
        if (archive_in_skip(&s->in, (uint64_t)n, archive_entry_name(block->entry, name, sizeof name), err) < 0)
            return -1;
        return skip_chunks(s, block->entry, err);
    }
    submit(s);
    return n < 0 ? -1 : 0;
}

static int scan_compressed(struct scanner *s, struct archive_block *block, uint32_t object, struct err *err)
{
    uint64_t start = archive_in_tell(&s->in);
    int64_t n = archive_in_chunk(&s->in, &s->t.result->toc, block->entry, err);
    char name[160];

    if (n < 0)
        return -1;
    if (n > 0 && n <= WALK_CHUNK) {
        int last = is_last(s, block->entry, (size_t)n, err);

        if (last < 0)
            return -1;
        if (!last && stands_alone(s, (size_t)n))
            return scan_parts(s, block, object, start, n, err);
        if (last) {
            struct walk_piece *p = add_piece(s, WALK_WHOLE, block, object, (size_t)n, err);

            if (p == NULL)
                return -1;
            p->offset = start;
            p->begin = p->end = true;
            take(s, p, (size_t)n);
            return skip_chunks(s, block->entry, err); /* the 0 that ends it */
        }
    }
    if (send_far(s, block, object, start, err) < 0 ||
        archive_in_skip(&s->in, (uint64_t)n, archive_entry_name(block->entry, name, sizeof name), err) < 0)
        return -1;
    return n == 0 ? 0 : skip_chunks(s, block->entry, err);
}

/* Without a method the chunks are the text, often a row each. They are joined in jobs and cut wherever those are full. */
static int scan_text(struct scanner *s, struct archive_block *block, uint32_t object, struct err *err)
{
    struct walk_piece *p = add_piece(s, WALK_PART, block, object, 0, err);
    uint64_t start = archive_in_tell(&s->in);
    char name[160];
    int64_t n;

    if (p == NULL)
        return -1;
    p->offset = start;
    p->begin = true;
    while ((n = archive_in_chunk(&s->in, &s->t.result->toc, block->entry, err)) > 0)
        while (n > 0) {
            if (s->job->in_n == WALK_CHUNK) {
                submit(s);
                if ((p = add_piece(s, WALK_PART, block, object, 0, err)) == NULL)
                    return -1;
                p->offset = start;
            }
            if (archive_in_ready(&s->in) == 0 &&
                archive_in_need(&s->in, 1, archive_entry_name(block->entry, name, sizeof name), err) < 0)
                return -1;
            size_t part = archive_in_ready(&s->in) < (uint64_t)n ? archive_in_ready(&s->in) : (size_t)n;
            if (part > WALK_CHUNK - s->job->in_n)
                part = WALK_CHUNK - s->job->in_n;
            take(s, p, part);
            n -= (int64_t)part;
        }
    p->end = true;
    return n < 0 ? -1 : 0;
}

static int scan_stream(struct scanner *s, struct archive_block *block, uint32_t object, struct err *err)
{
    return s->t.result->toc.method == ARCHIVE_NONE ? scan_text(s, block, object, err)
                                                   : scan_compressed(s, block, object, err);
}

static int scan_objects(struct scanner *s, struct archive_block *block, struct err *err)
{
    int64_t oid;

    do {
        if (archive_in_int(&s->in, &s->t.result->toc, "the large objects", &oid, err) < 0)
            return -1;
        if (oid != 0 && scan_stream(s, block, (uint32_t)oid, err) < 0)
            return -1;
    } while (oid != 0);
    return 0;
}

/* ---- blocks -------------------------------------------------------------------------------------------------- */

static int check_place(const struct archive_entry *e, const struct archive_entry *expected, uint64_t start,
                       struct err *err)
{
    char name[160];

    archive_entry_name(e, name, sizeof name);
    if (e != expected)
        return err_set(err, ERR_DAMAGED, "offset %" PRIu64 ": %s comes twice or out of order", start, name);
    if (e->state == OFFSET_KNOWN && e->offset != start)
        return err_set(err, ERR_DAMAGED, "offset %" PRIu64 ": %s starts here, but the table of contents says %" PRIu64,
                       start, name, e->offset);
    if (e->state == OFFSET_NO_DATA)
        return err_set(err, ERR_DAMAGED,
                       "offset %" PRIu64 ": %s starts here, but the table of contents says there is none", start, name);
    return 0;
}

static int read_exactly(const struct walk_file *file, char *bytes, size_t n, uint64_t offset, struct err *err)
{
    while (n > 0) {
        ssize_t got = file->read_at(file->cookie, bytes, n, offset, err);

        if (got <= 0)
            return got < 0 ? -1 : err_set(err, ERR_DAMAGED, "the archive ends at offset %" PRIu64, offset);
        bytes += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

/* Makes equal what may differ: in n bytes that stood at `at`, the offsets of the entries. *next goes through these. */
static void blank_offsets(const struct archive *toc, size_t *next, uint64_t at, char *bytes, size_t n)
{
    for (size_t i = *next; i < toc->n && toc->entries[i].offset_at < at + n; i++) {
        uint64_t from = toc->entries[i].offset_at, to = from + (uint64_t)toc->offset_size + 1;

        *next = i; /* it may go on in the next piece */
        if (to <= at)
            continue;
        from = from > at ? from - at : 0;
        to = to < at + n ? to - at : n;
        memset(bytes + from, 0, (size_t)(to - from));
    }
}

/* Do the contents stand at `start` once more? As pg_dump writes them a second time: archive.h. 1, 0, or -1 and err. */
static int is_contents_again(const struct scanner *s, uint64_t start, struct err *err)
{
    const struct archive *toc = &s->t.result->toc;
    uint64_t size = toc->data_at - toc->contents_at;
    size_t next_a = 0, next_b = 0;
    char *a = NULL, *b = NULL;
    int rc = 0;

    if (s->t.params->file.size - start != size)
        return 0;
    a = malloc(PIECE);
    b = malloc(PIECE);
    if (a == NULL || b == NULL)
        rc = err_no_memory(err);
    for (uint64_t at = toc->contents_at; rc == 0 && at < toc->data_at; at += PIECE) {
        size_t n = toc->data_at - at < PIECE ? (size_t)(toc->data_at - at) : PIECE;

        rc = os_check_interrupt(err);
        if (rc < 0 || (rc = read_exactly(&s->t.params->file, a, n, at, err)) < 0 ||
            (rc = read_exactly(&s->t.params->file, b, n, start + at - toc->contents_at, err)) < 0)
            break;
        blank_offsets(toc, &next_a, at, a, n);
        blank_offsets(toc, &next_b, at, b, n);
        rc = memcmp(a, b, n) == 0 ? 0 : 1;
    }
    free(a);
    free(b);
    return rc < 0 ? -1 : rc == 0;
}

/* Every entry has had its block. */
static int check_end(struct scanner *s, uint64_t end, struct err *err)
{
    if (s->t.params->file.size == WALK_STREAM) {
        ssize_t ready = archive_in_fill(&s->in, 1, err);

        return ready == 0 ? 0
             : ready < 0  ? -1
                          : err_set(err, ERR_DAMAGED, "offset %" PRIu64 ": the archive should end here", end);
    }
    uint64_t more = s->t.params->file.size - end;
    int again = more == 0 ? 1 : is_contents_again(s, end, err);

    if (again == 0)
        err_set(err, ERR_DAMAGED, "offset %" PRIu64 ": %" PRIu64 " byte%s the end of the archive", end, more,
                more == 1 ? " follows" : "s follow");
    return again > 0 ? 0 : -1;
}

/* The archive's next block. 0: there is none. */
static int scan_block(struct scanner *s, struct err *err)
{
    struct archive *toc = &s->t.result->toc;
    struct archive_entry *expected = archive_next_data(toc, &s->next_entry);
    uint64_t start = archive_in_tell(&s->in);
    enum archive_block_type type;
    struct archive_entry *e;
    char name[160];
    int rc;

    if (expected == NULL)
        return check_end(s, start, err);
    rc = archive_in_block(&s->in, toc, &type, &e, err);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(err, ERR_DAMAGED, "the archive ends at offset %" PRIu64 ", before %s", start,
                       archive_entry_name(expected, name, sizeof name));
    if (check_place(e, expected, start, err) < 0)
        return -1;
    s->next_entry++;
    struct archive_block *block = &s->t.result->blocks.items[s->t.result->blocks.n++];
    block->entry = e;
    block->type = type;
    block->counted = type == BLOCK_OBJECTS || archive_is_copy(e);
    block->offset = start;
    if ((type == BLOCK_OBJECTS ? scan_objects(s, block, err) : scan_stream(s, block, 0, err)) < 0)
        return -1;
    block->stored = archive_in_tell(&s->in) - start;
    return 1;
}

/* Room for all blocks at once: the workers hold pointers into it. */
static int prepare_blocks(struct walk_result *r, struct err *err)
{
    size_t n = 0;

    for (size_t at = 0; archive_next_data(&r->toc, &at) != NULL; at++)
        n++;
    r->blocks.items = calloc(n + 1, sizeof *r->blocks.items);
    r->blocks.capacity = n + 1;
    return r->blocks.items == NULL ? err_no_memory(err) : 0;
}

/* The streams where a guess was wrong. */
static int look_again(struct scanner *s, struct err *err)
{
    for (size_t i = 0; i < s->t.again_n; i++)
        if (send_far(s, s->t.again[i].block, s->t.again[i].object, s->t.again[i].offset, err) < 0)
            return -1;
    return pool_finish(s->t.pool, err);
}

/* Everything, once the pool is there. What is wrong with data is found later than what is wrong with the structure
 * behind it, but stands before it in the file, and is what to tell. */
static int scan(struct scanner *s, struct err *err)
{
    struct err structure;
    int rc;

    err_clear(&structure);
    do
        rc = scan_block(s, &structure);
    while (rc > 0);
    if (rc == 0 || (s->job != NULL && structure.class == ERR_DAMAGED))
        submit(s);
    if (rc < 0 && structure.class == ERR_SIGNAL) {
        *err = structure;
        return -1;
    }
    if (pool_finish(s->t.pool, err) < 0 || look_again(s, err) < 0)
        return -1;
    if (rc < 0)
        *err = structure;
    return rc;
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

static ssize_t read_on(void *cookie, void *bytes, size_t n, struct err *err)
{
    struct scanner *s = cookie;
    const struct walk_file *file = &s->t.params->file;

    if (os_check_interrupt(err) < 0)
        return -1;
    if (n > file->size - s->position)
        n = (size_t)(file->size - s->position);
    ssize_t got = n == 0 ? 0 : file->read_at(file->cookie, bytes, n, s->position, err);
    if (got > 0) {
        s->position += (uint64_t)got;
        if (s->t.params->seen != NULL)
            s->t.params->seen(s->t.params->seen_cookie, bytes, (size_t)got);
    }
    return got;
}

static unsigned threads_for(const struct walker *t)
{
    size_t spare = t->result->toc.memory < MEMORY ? MEMORY - t->result->toc.memory : 0;
    unsigned wanted = t->params->jobs > 0 ? t->params->jobs : os_cpus();
    unsigned most = spare / THREAD_MEMORY < THREADS ? (unsigned)(spare / THREAD_MEMORY) : THREADS;

    if (most < 2)
        most = 2;
    return wanted < most ? wanted : most;
}

static int run(struct scanner *s, struct err *err)
{
    struct walk_result *r = s->t.result;

    if (archive_read(&r->toc, &s->in, walk_memory(&s->t.params->file), NULL, NULL, err) < 0 ||
        prepare_blocks(r, err) < 0)
        return -1;
    unsigned threads = threads_for(&s->t);
    s->t.pool = pool_new(&walk_ops, &s->t, threads, 4 + threads / 2, err);
    if (s->t.pool == NULL || scan(s, err) < 0)
        return -1;
    for (size_t i = 0; i < r->blocks.n; i++)
        tally_add(r->blocks.items[i].type == BLOCK_DATA ? &r->tables : &r->objects, &r->blocks.items[i].tally);
    return 0;
}

int walk(const struct walk_params *p, struct walk_result *out, struct err *err)
{
    struct scanner s = { .t.params = p, .t.result = out };
    int rc = -1;

    memset(out, 0, sizeof *out);
    pthread_mutex_init(&s.t.big, NULL);
    s.t.stream = tally_stream_new();
    if (s.t.stream == NULL)
        err_no_memory(err);
    else if (archive_in_open(&s.in, (struct archive_source){ read_on, &s }, READ_SIZE, err) == 0)
        rc = run(&s, err);
    pool_free(s.t.pool);
    tally_stream_free(s.t.stream);
    archive_in_close(&s.in);
    pthread_mutex_destroy(&s.t.big);
    free(s.t.again);
    if (rc < 0)
        walk_result_release(out);
    return rc;
}

void walk_result_release(struct walk_result *r)
{
    archive_blocks_release(&r->blocks);
    archive_release(&r->toc);
    memset(r, 0, sizeof *r);
}
