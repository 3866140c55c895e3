/* SPDX-License-Identifier: PostgreSQL */
/* text.h - numbers and names as people read them, and the little that C's strings lack.
 *
 * The text_* functions that return `const char *` write into the array they are given and return it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/buf.h"

#define TEXT_SHORT 32

/* "0 B", "512 B", "1.2 GB" (contract: "Size: 1.2 GB"); powers of 1024, one decimal from KB up. */
const char *text_size(char out[TEXT_SHORT], uint64_t bytes);
/* "0s", "42s", "3m 26s", "2h 5m 1s" */
const char *text_duration(char out[TEXT_SHORT], double seconds);
/* "less than a minute", "1 minute", "26 hours", "3 days", "2 years": an age, in words */
const char *text_age(char out[TEXT_SHORT], double seconds);
/* "1,245,678" */
const char *text_count(char out[TEXT_SHORT], uint64_t n);
/* Lower-case hexadecimal; out has room for 2 * n + 1. */
const char *text_hex(char *out, const void *bytes, size_t n);

bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
bool text_parse_u64(const char *text, uint64_t *value); /* all of it decimal digits, no overflow */
bool text_parse_int(const char *text, int low, int high, int *value);
bool text_parse_bool(const char *text, bool *value); /* 1 0 true false yes no on off */

/* Appends text with control characters and invalid UTF-8 made visible (\n as "\n", others as "\xNN"): for messages. */
void text_visible(struct buf *out, const char *text);

/* The distance of two words in edits, for "did you mean". */
unsigned text_distance(const char *a, const char *b);

/* Overwrites bytes so that no compiler leaves it out: for keys and passwords. */
void text_wipe(void *bytes, size_t n);
