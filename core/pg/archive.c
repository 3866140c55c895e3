/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/archive.h"

#include <stdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/text.h"
#include "core/pg/archive_index.h"

struct archive_index {
    int id;
    uint32_t entry;
};

static int by_id(const void *a, const void *b)
{
    int x = ((const struct archive_index *)a)->id, y = ((const struct archive_index *)b)->id;

    return x < y ? -1 : x > y;
}

int archive_index_build(struct archive *a, enum err_class damage, struct err *err)
{
    if (a->n == 0)
        return 0;
    a->index = malloc(a->n * sizeof *a->index);
    if (a->index == NULL)
        return err_no_memory(err);
    a->memory += a->n * sizeof *a->index;
    for (size_t i = 0; i < a->n; i++)
        a->index[i] = (struct archive_index){ .id = a->entries[i].id, .entry = (uint32_t)i };
    qsort(a->index, a->n, sizeof *a->index, by_id);
    for (size_t i = 1; i < a->n; i++)
        if (a->index[i].id == a->index[i - 1].id)
            return err_set(err, damage, "offset %" PRIu64 ": entry %d stands twice in the table of contents",
                           a->entries[a->index[i].entry].offset_at, a->index[i].id);
    return 0;
}

struct archive_entry *archive_find(const struct archive *a, int id)
{
    struct archive_index key = { .id = id };
    const struct archive_index *found = NULL;

    if (a->n > 0)
        found = bsearch(&key, a->index, a->n, sizeof *a->index, by_id);
    return found == NULL ? NULL : &a->entries[found->entry];
}

struct archive_entry *archive_next_data(const struct archive *a, size_t *at)
{
    while (*at < a->n && !a->entries[*at].has_data)
        ++*at;
    return *at < a->n ? &a->entries[*at] : NULL;
}

void archive_release(struct archive *a)
{
    free(a->entries);
    free(a->index);
    free(a->depends_pool);
    free(a->bytes);
    memset(a, 0, sizeof *a);
}

const char *archive_method_name(enum archive_method method)
{
    static const char *const names[] = { "none", "gzip", "lz4", "zstd" };

    return (unsigned)method < sizeof names / sizeof *names ? names[method] : "unknown";
}

static const char *label(const char *before, const struct archive_entry *e, char *out, size_t size)
{
    struct buf name;

    buf_init(&name, 4096);
    buf_puts(&name, before);
    text_visible(&name, e->desc);
    buf_putc(&name, ' ');
    if (e->schema != NULL && *e->schema != '\0') {
        text_visible(&name, e->schema);
        buf_putc(&name, '.');
    }
    text_visible(&name, e->tag);
    snprintf(out, size, "%s", name.data);
    buf_release(&name);
    return out;
}

const char *archive_entry_label(const struct archive_entry *e, char *out, size_t size)
{
    return label("", e, out, size);
}

const char *archive_entry_name(const struct archive_entry *e, char *out, size_t size)
{
    return label("the data of ", e, out, size);
}

bool archive_is_copy(const struct archive_entry *e)
{
    return e->copy != NULL && strncmp(e->copy, "COPY ", 5) == 0;
}

/* ---- patches ------------------------------------------------------------------------------------------------- */

size_t archive_offset_field(const struct archive *a, uint64_t offset, uint8_t out[ARCHIVE_PATCH])
{
    out[0] = OFFSET_KNOWN;
    for (int i = 0; i < a->offset_size; i++)
        out[1 + i] = (uint8_t)(offset >> 8 * i);
    return (size_t)a->offset_size + 1;
}

size_t archive_put_int(const struct archive *a, int64_t value, uint8_t out[ARCHIVE_PATCH])
{
    uint64_t size = (uint64_t)(value < 0 ? -value : value);

    out[0] = value < 0;
    for (int i = 0; i < a->int_size; i++)
        out[1 + i] = (uint8_t)(size >> 8 * i);
    return (size_t)a->int_size + 1;
}

size_t archive_method_field(const struct archive *a, enum archive_method method, int level, uint8_t out[ARCHIVE_PATCH])
{
    if (a->version < ARCHIVE_VERSION(1, 15))
        return archive_put_int(a, method == ARCHIVE_NONE ? 0 : level, out);
    out[0] = (uint8_t)method;
    return 1;
}

/* ---- blocks -------------------------------------------------------------------------------------------------- */

void archive_blocks_release(struct archive_blocks *b)
{
    free(b->items);
    memset(b, 0, sizeof *b);
}

struct archive_block *archive_blocks_add(struct archive_blocks *b, struct err *err)
{
    if (b->n == b->capacity) {
        size_t capacity = b->capacity == 0 ? 64 : b->capacity * 2;
        struct archive_block *items = realloc(b->items, capacity * sizeof *items);

        if (items == NULL) {
            err_no_memory(err);
            return NULL;
        }
        b->items = items;
        b->capacity = capacity;
    }
    memset(&b->items[b->n], 0, sizeof *b->items);
    return &b->items[b->n++];
}
