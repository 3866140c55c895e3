/* SPDX-License-Identifier: PostgreSQL */
/* archive_build.h - custom archives as a test wants them: whole, strange or broken.
 *
 * Written from the format alone (core/pg/archive.h), with nothing of core/ in it, so that a mistake there is not made
 * here too. Not for the product: memory is never checked.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct built {
    uint8_t *bytes;
    size_t n, capacity;
    int minor; /* of version 1.x */
};

static inline void b_bytes(struct built *b, const void *bytes, size_t n)
{
    if (b->n + n > b->capacity) {
        b->capacity = (b->n + n) * 2;
        b->bytes = realloc(b->bytes, b->capacity);
    }
    if (n > 0)
        memcpy(b->bytes + b->n, bytes, n);
    b->n += n;
}

static inline void b_byte(struct built *b, int value)
{
    uint8_t byte = (uint8_t)value;

    b_bytes(b, &byte, 1);
}

static inline void b_int(struct built *b, int64_t value)
{
    uint64_t size = (uint64_t)(value < 0 ? -value : value);

    b_byte(b, value < 0);
    for (int i = 0; i < 4; i++)
        b_byte(b, (int)(size >> 8 * i & 255));
}

static inline void b_text(struct built *b, const char *text)
{
    if (text == NULL) {
        b_int(b, -1);
        return;
    }
    b_int(b, (int64_t)strlen(text));
    b_bytes(b, text, strlen(text));
}

static inline void b_offset(struct built *b, int state, uint64_t offset)
{
    b_byte(b, state);
    for (int i = 0; i < 8; i++)
        b_byte(b, (int)(offset >> 8 * i & 255));
}

/* method: as in 1.15; before, the level becomes 0 or 6. */
static inline void b_header(struct built *b, int minor, int method)
{
    static const int when[] = { 56, 34, 12, 23, 9, 125, 0 }; /* 2025-10-23 12:34:56 */

    b->minor = minor;
    b_bytes(b, "PGDMP", 5);
    b_byte(b, 1);
    b_byte(b, minor);
    b_byte(b, 0);
    b_byte(b, 4);
    b_byte(b, 8);
    b_byte(b, 1);
    if (minor >= 15)
        b_byte(b, method);
    else
        b_int(b, method == 0 ? 0 : 6);
    for (size_t i = 0; i < sizeof when / sizeof *when; i++)
        b_int(b, when[i]);
    b_text(b, "shop");
    b_text(b, "15.8");
    b_text(b, "15.9");
}

struct b_entry {
    int id;
    bool has_data;
    const char *tag, *desc, *defn, *copy, *schema, *owner;
    int section;
    const char *depends[8];
    int state; /* 0: unknown with data, else none */
    uint64_t offset;
};

static inline void b_put_entry(struct built *b, const struct b_entry *e)
{
    b_int(b, e->id);
    b_int(b, e->has_data);
    b_text(b, "1259");
    b_text(b, "4000000000"); /* oids are unsigned */
    b_text(b, e->tag);
    b_text(b, e->desc);
    b_int(b, e->section == 0 ? 3 : e->section);
    b_text(b, e->defn);
    b_text(b, "");
    b_text(b, e->copy);
    b_text(b, e->schema);
    b_text(b, NULL);
    if (b->minor >= 14)
        b_text(b, "heap");
    if (b->minor >= 16)
        b_int(b, 'r');
    b_text(b, e->owner);
    b_text(b, "false");
    for (size_t i = 0; i < 8 && e->depends[i] != NULL; i++)
        b_text(b, e->depends[i]);
    b_text(b, NULL);
    b_offset(b, e->state != 0 ? e->state : e->has_data ? 1 : 3, e->offset);
}

/* A table's entry with data; id, and a name that is "t" and the id. */
static inline void b_table(struct built *b, int id)
{
    char tag[16], copy[64];

    snprintf(tag, sizeof tag, "t%d", id);
    snprintf(copy, sizeof copy, "COPY public.t%d (a, b) FROM stdin;\n", id);
    struct b_entry e = { .id = id,
                         .has_data = true,
                         .tag = tag,
                         .desc = "TABLE DATA",
                         .defn = "",
                         .copy = copy,
                         .schema = "public",
                         .owner = "me" };

    b_put_entry(b, &e);
}

static inline void b_objects_entry(struct built *b, int id)
{
    struct b_entry e = { .id = id, .has_data = true, .tag = "BLOBS", .desc = "BLOBS", .owner = "" };

    b_put_entry(b, &e);
}

/* Chunks of at most `size` bytes, and the 0 that ends them. */
static inline void b_chunks(struct built *b, const void *bytes, size_t n, size_t size)
{
    const uint8_t *from = bytes;

    while (n > 0) {
        size_t part = n < size ? n : size;

        b_int(b, (int64_t)part);
        b_bytes(b, from, part);
        from += part;
        n -= part;
    }
    b_int(b, 0);
}

/* A stream as pg_dump writes it: text as it is, or one zlib stream in chunks of 4 KiB. */
static inline void b_stream(struct built *b, int method, const void *text, size_t n, size_t chunk)
{
    uLongf packed_n = compressBound(n);
    uint8_t *packed;

    if (method == 0) {
        b_chunks(b, text, n, chunk);
        return;
    }
    packed = malloc(packed_n);
    compress2(packed, &packed_n, text, n, 6);
    b_chunks(b, packed, packed_n, chunk);
    free(packed);
}

static inline void b_block(struct built *b, int type, int id)
{
    b_byte(b, type);
    b_int(b, id);
}

#define B_END "\\.\n\n\n" /* behind a table's last row */

static inline void b_rows(struct built *b, int method, int id, const char *rows, size_t chunk)
{
    size_t n = strlen(rows);
    char *text = malloc(n + sizeof B_END);

    memcpy(text, rows, n);
    memcpy(text + n, B_END, sizeof B_END);
    b_block(b, 1, id);
    b_stream(b, method, text, n + sizeof B_END - 1, chunk);
    free(text);
}

static inline void b_free(struct built *b)
{
    free(b->bytes);
    memset(b, 0, sizeof *b);
}

/* ---- reading from memory ------------------------------------------------------------------------------------- */

/* n pseudo-random bytes, the same for the same seed: compressible or not, as the caller makes of them. */
static inline uint32_t b_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}
