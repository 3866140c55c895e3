/* SPDX-License-Identifier: PostgreSQL */
/* buf.h - a growing buffer of bytes that has a maximum size.
 *
 * data is always followed by a NUL that size does not count, so that text in a buffer is a C string; an untouched
 * buffer's data is an empty string, never NULL. Going beyond the maximum, or without memory, makes the buffer
 * `failed`: it keeps what it had, ignores what comes, and buf_check() tells. So a chain of appends is checked once.
 *
 *     struct buf b;
 *     buf_init(&b, 64 * 1024);
 *     buf_printf(&b, "%s=%d", name, n);
 *     if (buf_check(&b, err) < 0) ...
 *     buf_release(&b);
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "core/base/err.h"

struct buf {
    char *data;
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated, 0 while data is the shared empty string */
    size_t max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b); /* fine on a zeroed or released buffer; leaves it ready for buf_init */
void buf_reset(struct buf *b);   /* empty again, memory kept, not failed any more */

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* n writable bytes at the end, to be counted in by buf_commit; NULL when they can't be had (the buffer has failed). */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

void buf_cut(struct buf *b, size_t size); /* no longer than size */

/* 0, or -1 and err (ERR_INTERNAL) when anything did not fit. */
int buf_check(const struct buf *b, struct err *err);

/* The text, now the caller's to free; NULL and err when the buffer has failed. The buffer is released. */
char *buf_take(struct buf *b, struct err *err);
