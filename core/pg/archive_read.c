/* SPDX-License-Identifier: PostgreSQL */
/* archive_read.c - the header and the table of contents. The bytes stay in memory as they are in the file; strings
 * point into them. */
#include "core/pg/archive.h"

#include <stdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/pg/archive_in.h"
#include "core/pg/archive_index.h"

#define MEMORY_MAX ((size_t)160 * 1024 * 1024)
#define PIECE 65536 /* memory grows by what has arrived, in such steps */

struct reader {
    struct archive *a;
    struct archive_in *in;
    struct err *err;
    const char *where; /* for messages: "the header", "the table of contents" */
    char entry[96];    /* the same, when it is one of the entries */
    char *bytes;       /* all that was taken, n of capacity */
    size_t n, capacity;
    int *depends;
    size_t depends_n, depends_capacity;
    size_t entries_capacity;
    size_t memory_max;
};

/* While the bytes still move when they grow, a string is known by where it starts; 0 is no string, for nothing starts
 * there. The same goes for dependencies. finish_entry() makes pointers of both. */
static const char *as_pointer(size_t at)
{
    return (const char *)(uintptr_t)at;
}

static int damaged(struct reader *r, const char *what)
{
    return err_set(r->err, r->in->damage, "offset %zu: %s, in %s", r->n, what, r->where);
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

static int grow(struct reader *r, void *array, size_t *capacity, size_t wanted, size_t size)
{
    size_t bigger = *capacity + *capacity / 2 > wanted ? *capacity + *capacity / 2 : wanted;
    void **place = array;
    void *moved;

    if ((bigger - *capacity) > (r->memory_max - r->a->memory) / size)
        return err_set(r->err, r->in->damage, "offset %zu: %s needs more than %zu MiB of memory", r->n, r->where,
                       r->memory_max >> 20);
    moved = realloc(*place, bigger * size);
    if (moved == NULL)
        return err_no_memory(r->err);
    *place = moved;
    r->a->memory += (bigger - *capacity) * size;
    *capacity = bigger;
    return 0;
}

/* Takes n more bytes from the archive; they stand at bytes[n before the call]. */
static int take(struct reader *r, uint64_t n)
{
    while (n > 0) {
        size_t step = n < PIECE ? (size_t)n : PIECE;

        if (archive_in_need(r->in, step, r->where, r->err) < 0)
            return -1;
        if (r->capacity - r->n < step + 1 && /* the last string's NUL */
            grow(r, &r->bytes, &r->capacity, r->n + PIECE + 1, 1) < 0)
            return -1;
        memcpy(r->bytes + r->n, r->in->buf + r->in->at, step);
        r->in->at += step;
        r->n += step;
        n -= step;
    }
    return 0;
}

/* ---- the primitives ------------------------------------------------------------------------------------------ */

static int get_byte(struct reader *r, int *value)
{
    if (take(r, 1) < 0)
        return -1;
    *value = (uint8_t)r->bytes[r->n - 1];
    return 0;
}

static int get_int(struct reader *r, int64_t *value)
{
    size_t size = (size_t)r->a->int_size;
    uint64_t sum = 0;

    if (take(r, size + 1) < 0)
        return -1;
    const uint8_t *bytes = (const uint8_t *)r->bytes + r->n - size;
    for (size_t i = size; i > 0; i--)
        sum = sum << 8 | bytes[i - 1];
    if (bytes[-1] > 1 || sum > (uint64_t)INT32_MAX + bytes[-1])
        return damaged(r, "no number where one should be");
    *value = bytes[-1] ? -(int64_t)sum : (int64_t)sum;
    return 0;
}

static int get_small(struct reader *r, int *value)
{
    int64_t wide;

    if (get_int(r, &wide) < 0)
        return -1;
    *value = (int)wide;
    return 0;
}

/* Looks at each piece as it comes: behind every string stands a number, which has zeros, so a length that is wrong is
 * found out here, long before all of it has been read. */
static int take_text(struct reader *r, uint64_t n)
{
    while (n > 0) {
        size_t start = r->n, step = n < PIECE ? (size_t)n : PIECE;

        if (take(r, step) < 0)
            return -1;
        if (memchr(r->bytes + start, '\0', step) != NULL)
            return damaged(r, "a string with a NUL in it");
        n -= step;
    }
    return 0;
}

/* *n is the length, -1 when there is no string. */
static int get_string(struct reader *r, const char **at, int64_t *n)
{
    if (get_int(r, n) < 0)
        return -1;
    if (*n < -1)
        return damaged(r, "a string of negative length");
    *at = *n < 0 ? NULL : as_pointer(r->n);
    return *n < 0 ? 0 : take_text(r, (uint64_t)*n);
}

static int get_text(struct reader *r, const char **at)
{
    int64_t n;

    return get_string(r, at, &n);
}

static int get_number_text(struct reader *r, const char *what, uint64_t max, uint64_t *value, bool *there)
{
    const char *at;
    int64_t n;

    *value = 0;
    if (get_string(r, &at, &n) < 0)
        return -1;
    *there = n >= 0;
    if (n == 0 || n > 10)
        return damaged(r, what);
    for (int64_t i = 0; i < n; i++) {
        char c = r->bytes[r->n - (size_t)n + (size_t)i];

        if (c < '0' || c > '9')
            return damaged(r, what);
        *value = *value * 10 + (uint64_t)(c - '0');
    }
    return *value > max ? damaged(r, what) : 0;
}

static int get_oid(struct reader *r, uint32_t *oid)
{
    uint64_t value;
    bool there;

    if (get_number_text(r, "no oid where one should be", UINT32_MAX, &value, &there) < 0)
        return -1;
    *oid = (uint32_t)value;
    return there ? 0 : damaged(r, "no oid where one should be");
}

/* ---- the header ---------------------------------------------------------------------------------------------- */

bool archive_is(const void *bytes, size_t n)
{
    return n >= 5 && memcmp(bytes, "PGDMP", 5) == 0;
}

static int check_magic(struct reader *r)
{
    ssize_t ready = archive_in_fill(r->in, 11, r->err);

    if (ready < 0)
        return -1;
    if (ready == 0)
        return err_set(r->err, r->in->damage, "the archive is empty: it has no bytes at all");
    if (!archive_is(r->in->buf + r->in->at, (size_t)ready))
        return err_set(r->err, r->in->damage,
                       "offset 0: this is no custom archive of pg_dump, which starts with PGDMP");
    return take(r, 5);
}

static int get_version(struct reader *r)
{
    int major, minor;

    if (get_byte(r, &major) < 0 || get_byte(r, &minor) < 0 || get_byte(r, &r->a->revision) < 0)
        return -1;
    r->a->version = ARCHIVE_VERSION(major, minor);
    if (r->a->version > ARCHIVE_VERSION(1, 16)) {
        err_set(r->err, r->in->damage,
                "offset 5: archive version %d.%d is newer than sfb can read (up to 1.16, PostgreSQL 18)", major, minor);
        err_hint(r->err, "use a newer sfb, or the pg_restore of the PostgreSQL that wrote it");
        return -1;
    }
    if (r->a->version < ARCHIVE_VERSION(1, 12))
        return err_set(r->err, r->in->damage,
                       "offset 5: archive version %d.%d is older than sfb can read (from 1.12 on, PostgreSQL 9.0)",
                       major, minor);
    if (r->a->revision != 0) /* pg_restore believes it, and crashes */
        return err_set(r->err, r->in->damage, "offset 7: there is no archive version %d.%d-%d", major, minor,
                       r->a->revision);
    return 0;
}

static int get_sizes(struct reader *r)
{
    int format;

    if (get_byte(r, &r->a->int_size) < 0 || get_byte(r, &r->a->offset_size) < 0 || get_byte(r, &format) < 0)
        return -1;
    if (r->a->int_size < 4 || r->a->int_size > 8)
        return damaged(r, "impossible size of numbers");
    if (r->a->offset_size < 4 || r->a->offset_size > 8)
        return damaged(r, "impossible size of offsets");
    if (format != 1)
        return damaged(r, format == 3   ? "this belongs to a tar archive"
                          : format == 5 ? "this belongs to a directory archive"
                                        : "unknown archive format");
    return 0;
}

static int get_method(struct reader *r)
{
    struct archive *a = r->a;
    int byte;

    a->method_at = r->n;
    if (a->version >= ARCHIVE_VERSION(1, 15)) {
        if (get_byte(r, &byte) < 0)
            return -1;
        if (byte > ARCHIVE_ZSTD)
            return damaged(r, "unknown compression method");
        a->method = (enum archive_method)byte;
        return 0;
    }
    if (get_small(r, &a->level) < 0)
        return -1;
    if (a->level < -1 || a->level > 9)
        return damaged(r, "impossible compression level");
    a->method = a->level == 0 ? ARCHIVE_NONE : ARCHIVE_GZIP;
    return 0;
}

static int get_header(struct reader *r)
{
    struct archive *a = r->a;
    int *times[] = { &a->second, &a->minute, &a->hour, &a->day, &a->month, &a->year, &a->is_dst };

    r->where = "the header";
    if (check_magic(r) < 0 || get_version(r) < 0 || get_sizes(r) < 0 || get_method(r) < 0)
        return -1;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (get_small(r, times[i]) < 0)
            return -1;
    if (get_text(r, &a->database) < 0 || get_text(r, &a->server_version) < 0 || get_text(r, &a->dump_version) < 0)
        return -1;
    return 0;
}

/* ---- the entries --------------------------------------------------------------------------------------------- */

static int get_depends(struct reader *r, struct archive_entry *e)
{
    size_t start = r->depends_n;
    uint64_t id;
    bool there;

    for (;;) {
        if (get_number_text(r, "no entry's number where one should be", INT32_MAX, &id, &there) < 0)
            return -1;
        if (!there)
            break;
        if (r->depends_n == r->depends_capacity &&
            grow(r, &r->depends, &r->depends_capacity, r->depends_n + 64, sizeof *r->depends) < 0)
            return -1;
        r->depends[r->depends_n++] = (int)id;
    }
    e->depends_n = r->depends_n - start;
    return 0;
}

static int get_offset(struct reader *r, struct archive_entry *e)
{
    int state;

    e->offset_at = r->n;
    if (get_byte(r, &state) < 0)
        return -1;
    if (state < OFFSET_UNKNOWN || state > OFFSET_NO_DATA)
        return damaged(r, "no offset where one should be");
    e->state = (enum archive_offset)state;
    if (take(r, (uint64_t)r->a->offset_size) < 0)
        return -1;
    for (int i = 1; i <= r->a->offset_size; i++)
        e->offset = e->offset << 8 | (uint8_t)r->bytes[r->n - (size_t)i];
    if (e->state != OFFSET_KNOWN)
        e->offset = 0;
    return 0;
}

/* "true", else "false"; only archives older than 12 have the former. */
static int get_with_oids(struct reader *r, struct archive_entry *e)
{
    const char *at;
    int64_t n;

    if (get_string(r, &at, &n) < 0)
        return -1;
    e->with_oids = n == 4 && memcmp(r->bytes + r->n - 4, "true", 4) == 0;
    if (!e->with_oids && !(n == 5 && memcmp(r->bytes + r->n - 5, "false", 5) == 0))
        return damaged(r, "neither true nor false where one should be");
    return 0;
}

static int get_entry(struct reader *r, struct archive_entry *e)
{
    int version = r->a->version;
    int has_data;

    if (get_small(r, &e->id) < 0)
        return -1;
    if (e->id <= 0)
        return damaged(r, "an entry's number is not above 0");
    if (get_small(r, &has_data) < 0)
        return -1;
    if (has_data != 0 && has_data != 1)
        return damaged(r, "neither 0 nor 1 where one should be");
    e->has_data = has_data;
    if (get_oid(r, &e->class_oid) < 0 || get_oid(r, &e->oid) < 0 || get_text(r, &e->tag) < 0 ||
        get_text(r, &e->desc) < 0 || get_small(r, &e->section) < 0 || get_text(r, &e->defn) < 0 ||
        get_text(r, &e->drop) < 0 || get_text(r, &e->copy) < 0 || get_text(r, &e->schema) < 0 ||
        get_text(r, &e->tablespace) < 0 || (version >= ARCHIVE_VERSION(1, 14) && get_text(r, &e->tableam) < 0) ||
        (version >= ARCHIVE_VERSION(1, 16) && get_small(r, &e->relkind) < 0) || get_text(r, &e->owner) < 0 ||
        get_with_oids(r, e) < 0 || get_depends(r, e) < 0 || get_offset(r, e) < 0)
        return -1;
    if (e->tag == NULL || e->desc == NULL)
        return damaged(r, "an entry without a name or a kind");
    if (e->section < SECTION_NONE || e->section > SECTION_POST_DATA)
        return damaged(r, "an entry of an unknown section");
    return 0;
}

static int get_contents(struct reader *r)
{
    struct archive *a = r->a;
    int64_t n;

    r->where = "the table of contents";
    if (get_int(r, &n) < 0)
        return -1;
    if (n < 0)
        return damaged(r, "a negative number of entries");
    r->where = r->entry;
    for (int64_t i = 0; i < n; i++) {
        snprintf(r->entry, sizeof r->entry, "entry %" PRId64 " of %" PRId64 " of the table of contents", i + 1, n);
        if (a->n == r->entries_capacity &&
            grow(r, &a->entries, &r->entries_capacity, a->n + 256, sizeof *a->entries) < 0)
            return -1;
        memset(&a->entries[a->n], 0, sizeof *a->entries);
        if (get_entry(r, &a->entries[a->n]) < 0)
            return -1;
        a->n++;
    }
    r->where = "the table of contents";
    return 0;
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

/* A string's pointer, and a NUL behind it: on the first byte of what follows, which has been read by now. The bytes of
 * its own length, in front of it, are still there: the NUL of the string before can only be on their sign. */
static void finish_text(const struct reader *r, const char **text)
{
    size_t at = (size_t)(uintptr_t)*text;
    uint64_t n = 0;

    if (at == 0)
        return;
    for (int i = 1; i <= r->a->int_size; i++)
        n = n << 8 | (uint8_t)r->bytes[at - (size_t)i];
    r->bytes[at + n] = '\0';
    *text = r->bytes + at;
}

static void finish_strings(struct reader *r)
{
    struct archive *a = r->a;
    const char **header[] = { &a->database, &a->server_version, &a->dump_version };
    size_t depends = 0;

    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        finish_text(r, header[i]);
    for (size_t i = 0; i < a->n; i++) {
        struct archive_entry *e = &a->entries[i];
        const char **texts[] = { &e->tag,    &e->desc,       &e->defn,    &e->drop, &e->copy,
                                 &e->schema, &e->tablespace, &e->tableam, &e->owner };

        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            finish_text(r, texts[k]);
        e->depends = e->depends_n > 0 ? r->depends + depends : NULL;
        depends += e->depends_n;
    }
}

int archive_read(struct archive *a, struct archive_in *in, size_t max_memory, archive_raw *raw, void *cookie,
                 struct err *err)
{
    struct reader r = { .a = a, .in = in, .err = err, .memory_max = max_memory > 0 ? max_memory : MEMORY_MAX };
    int rc = -1;

    memset(a, 0, sizeof *a);
    if (get_header(&r) < 0)
        goto out;
    a->contents_at = r.n;
    if (get_contents(&r) < 0)
        goto out;
    a->data_at = r.n;
    if (raw != NULL && raw(cookie, a, r.bytes, r.n, err) < 0)
        goto out;
    finish_strings(&r);
    if (archive_index_build(a, in->damage, err) == 0)
        rc = archive_circle_check(a, in->damage, err);
out:
    a->bytes = r.bytes;
    a->depends_pool = r.depends;
    if (rc < 0)
        archive_release(a);
    return rc;
}
