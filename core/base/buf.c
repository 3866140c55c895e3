/* SPDX-License-Identifier: PostgreSQL */
/* buf.c - a growing buffer of bytes that has a maximum size. */
#include "core/base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What data points to while nothing is allocated. Never written: capacity 0 guards it. */
static char untouched[1] = "";

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .data = untouched, .max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2 }; /* sums can't overflow */
}

void buf_release(struct buf *b)
{
    if (b->capacity > 0)
        free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->size = 0;
    b->failed = false;
    if (b->capacity > 0)
        b->data[0] = '\0';
    else
        b->data = untouched; /* also makes a zeroed buffer safe to read */
}

/* Room for n more bytes and the NUL; false, and failed, when that can't be. */
static bool make_room(struct buf *b, size_t n)
{
    size_t capacity = b->capacity > 64 ? b->capacity : 64;
    char *data;

    if (b->failed)
        return false;
    if (n > b->max - b->size) {
        b->failed = true;
        return false;
    }
    if (b->size + n + 1 <= b->capacity)
        return true;
    while (capacity < b->size + n + 1)
        capacity *= 2;
    if (capacity > b->max + 1)
        capacity = b->max + 1;
    data = realloc(b->capacity > 0 ? b->data : NULL, capacity);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    b->data[b->size] = '\0';
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0 || !make_room(b, n))
        return;
    memcpy(b->data + b->size, bytes, n);
    buf_commit(b, n);
}

void buf_puts(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_putc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        b->failed = true;
    else if (n > 0 && make_room(b, (size_t)n)) {
        vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

char *buf_reserve(struct buf *b, size_t n)
{
    return make_room(b, n) ? b->data + b->size : NULL;
}

void buf_commit(struct buf *b, size_t n)
{
    b->size += n;
    b->data[b->size] = '\0';
}

void buf_cut(struct buf *b, size_t size)
{
    if (size < b->size) {
        b->size = size;
        b->data[size] = '\0';
    }
}

int buf_check(const struct buf *b, struct err *err)
{
    if (!b->failed)
        return 0;
    return err_set(err, ERR_INTERNAL, "a text or block grew beyond %zu bytes, or memory ran out", b->max);
}

char *buf_take(struct buf *b, struct err *err)
{
    char *text = NULL;

    if (buf_check(b, err) < 0)
        goto out;
    text = b->capacity > 0 ? b->data : calloc(1, 1);
    if (!text) {
        err_no_memory(err);
        goto out;
    }
    b->capacity = 0; /* the memory is the caller's now */
out:
    buf_release(b);
    return text;
}
