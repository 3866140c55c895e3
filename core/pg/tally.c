/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK 64 /* bytes looked at in one step, one bit of a mask for each */

static const char copy_end[] = "\\.\n\n\n";
enum { COPY_END = sizeof copy_end - 1 };

struct tally_stream {
    XXH3_state_t hash; /* of the open row or object; first, for it wants to be aligned */
    bool open;
    char last[COPY_END + 1]; /* the end of the text so far, for the mark and the newline before it */
    size_t last_n;
};

static void fingerprint_add(struct tally *t, uint64_t high, uint64_t low)
{
    t->low += low;
    t->high += high + (t->low < low);
}

static void fingerprint_subtract(struct tally *t, uint64_t high, uint64_t low)
{
    t->high -= high + (t->low < low);
    t->low -= low;
}

static void add_row(struct tally *t, const char *row, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(row, n);

    fingerprint_add(t, h.high64, h.low64);
    t->rows++;
}

/* ---- newlines ------------------------------------------------------------------------------------------------ */

/* One bit for each of BLOCK bytes, set where it is a newline. The masks of a block are walked bit by bit, which costs
 * less than a memchr for each row when rows are short, above all with musl's. */
static inline uint64_t newlines(const char *text)
{
    uint64_t mask = 0;
#ifdef __SSE2__
    const __m128i newline = _mm_set1_epi8('\n');

    for (int i = 0; i < BLOCK; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(text + i));
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, newline)) << i;
    }
#else
    for (int i = 0; i < BLOCK; i++)
        mask |= (uint64_t)(text[i] == '\n') << i;
#endif
    return mask;
}

/* The same for the n < BLOCK bytes at the end of a text, without reading beyond it. */
static uint64_t newlines_end(const char *text, size_t n)
{
    char block[BLOCK];

    memset(block, 0, sizeof block);
    memcpy(block, text, n);
    return newlines(block);
}

/* Adds all rows that end in text; returns where the last one ends. */
static size_t add_rows(struct tally *t, const char *text, size_t n)
{
    size_t row = 0;

    for (size_t at = 0; at < n; at += BLOCK) {
        uint64_t mask = n - at >= BLOCK ? newlines(text + at) : newlines_end(text + at, n - at);

        while (mask != 0) {
            size_t newline = at + (size_t)__builtin_ctzll(mask);

            add_row(t, text + row, newline - row);
            row = newline + 1;
            mask &= mask - 1;
        }
    }
    return row;
}

void tally_rows(struct tally *t, const char *text, size_t n)
{
    add_rows(t, text, n);
    t->bytes += n;
}

/* ---- sums ---------------------------------------------------------------------------------------------------- */

void tally_add(struct tally *t, const struct tally *more)
{
    t->rows += more->rows;
    t->bytes += more->bytes;
    fingerprint_add(t, more->high, more->low);
}

bool tally_same(const struct tally *a, const struct tally *b)
{
    return a->rows == b->rows && a->high == b->high && a->low == b->low;
}

const char *tally_fingerprint(char out[TALLY_TEXT], const struct tally *t)
{
    snprintf(out, TALLY_TEXT, "%016llx%016llx", (unsigned long long)t->high, (unsigned long long)t->low);
    return out;
}

static bool parse_half(const char *text, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < 16; i++) {
        int digit = text[i] >= '0' && text[i] <= '9' ? text[i] - '0'
                  : text[i] >= 'a' && text[i] <= 'f' ? text[i] - 'a' + 10
                                                     : -1;
        if (digit < 0)
            return false;
        *value = *value << 4 | (unsigned)digit;
    }
    return true;
}

bool tally_parse_fingerprint(const char *text, struct tally *t)
{
    return strnlen(text, TALLY_TEXT) == TALLY_TEXT - 1 && parse_half(text, &t->high) && parse_half(text + 16, &t->low);
}

/* ---- pieces -------------------------------------------------------------------------------------------------- */

void tally_piece(struct tally_piece *p, const char *text, size_t n)
{
    const char *newline = n == 0 ? NULL : memchr(text, '\n', n);

    memset(p, 0, sizeof *p);
    p->tail = n;
    if (newline == NULL)
        return;
    p->head = (size_t)(newline - text) + 1;
    add_row(&p->first, text, p->head - 1);
    p->first.bytes = p->head;
    size_t rows = add_rows(&p->rest, text + p->head, n - p->head);
    p->rest.bytes = rows;
    p->tail = n - p->head - rows;
}

struct tally_stream *tally_stream_new(void)
{
    struct tally_stream *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);

    if (s != NULL) {
        memset(s, 0, sizeof *s);
        XXH3_128bits_reset(&s->hash);
    }
    return s;
}

void tally_stream_free(struct tally_stream *s)
{
    free(s);
}

static void remember_last(struct tally_stream *s, const char *text, size_t n)
{
    if (n < sizeof s->last) {
        size_t keep = s->last_n < sizeof s->last - n ? s->last_n : sizeof s->last - n;

        memmove(s->last, s->last + s->last_n - keep, keep);
        memcpy(s->last + keep, text, n);
        s->last_n = keep + n;
    } else {
        memcpy(s->last, text + n - sizeof s->last, sizeof s->last);
        s->last_n = sizeof s->last;
    }
}

/* A row may end in "\\.", so the mark counts only on a line of its own. */
static bool has_copy_end(const struct tally_stream *s)
{
    const char *mark = s->last + s->last_n - COPY_END;

    return s->last_n >= COPY_END && memcmp(mark, copy_end, COPY_END) == 0 && (mark == s->last || mark[-1] == '\n');
}

static void close_row(struct tally_stream *s, struct tally *t)
{
    XXH128_hash_t h = XXH3_128bits_digest(&s->hash);

    fingerprint_add(t, h.high64, h.low64);
    t->rows++;
    s->open = false;
}

void tally_stream_join(struct tally_stream *s, struct tally *t, const struct tally_piece *p, const char *text, size_t n)
{
    if (n == 0)
        return;
    if (p->head > 0 && s->open) {
        XXH3_128bits_update(&s->hash, text, p->head - 1);
        close_row(s, t);
        t->bytes += p->head;
    } else if (p->head > 0) {
        tally_add(t, &p->first);
    }
    tally_add(t, &p->rest);
    if (p->tail > 0) {
        if (!s->open)
            XXH3_128bits_reset(&s->hash);
        XXH3_128bits_update(&s->hash, text + n - p->tail, p->tail);
        t->bytes += p->tail;
        s->open = true;
    }
    remember_last(s, text, n);
}

void tally_stream_text(struct tally_stream *s, struct tally *t, const char *text, size_t n)
{
    struct tally_piece p;

    tally_piece(&p, text, n);
    tally_stream_join(s, t, &p, text, n);
}

bool tally_stream_end_copy(struct tally_stream *s, struct tally *t)
{
    bool complete = has_copy_end(s);

    if (complete) { /* the rows "\." and twice "" were counted; a sum can be taken back */
        XXH128_hash_t end = XXH3_128bits(copy_end, 2);
        XXH128_hash_t empty = XXH3_128bits(copy_end, 0);

        fingerprint_subtract(t, end.high64, end.low64);
        fingerprint_subtract(t, empty.high64, empty.low64);
        fingerprint_subtract(t, empty.high64, empty.low64);
        t->rows -= 3;
        t->bytes -= COPY_END;
    }
    s->open = false;
    s->last_n = 0;
    return complete;
}

/* ---- large objects ------------------------------------------------------------------------------------------- */

static void object_start(XXH3_state_t *hash, uint32_t oid)
{
    char name[16];
    int n = snprintf(name, sizeof name, "%u:", oid);

    XXH3_128bits_reset(hash);
    XXH3_128bits_update(hash, name, (size_t)n);
}

void tally_stream_object_begin(struct tally_stream *s, uint32_t oid)
{
    object_start(&s->hash, oid);
    s->open = true;
    s->last_n = 0;
}

void tally_stream_object_data(struct tally_stream *s, struct tally *t, const void *bytes, size_t n)
{
    XXH3_128bits_update(&s->hash, bytes, n);
    t->bytes += n;
}

void tally_stream_object_end(struct tally_stream *s, struct tally *t)
{
    close_row(s, t);
}

void tally_object(struct tally *t, uint32_t oid, const void *bytes, size_t n)
{
    XXH3_state_t hash;
    XXH128_hash_t h;

    object_start(&hash, oid);
    if (n > 0)
        XXH3_128bits_update(&hash, bytes, n);
    h = XXH3_128bits_digest(&hash);
    fingerprint_add(t, h.high64, h.low64);
    t->rows++;
    t->bytes += n;
}
