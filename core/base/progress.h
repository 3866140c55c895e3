/* SPDX-License-Identifier: PostgreSQL */
/* progress.h - a bar on a terminal; silence everywhere else.
 *
 * Drawn on standard error when that is a terminal, at most ten times a second: what was done, a bar when the total is
 * known or guessed, the rate, the time left. log.h wipes it before it writes a line. One at a time. Thread-safe.
 */
#pragma once
#include <stdint.h>

void progress_start(const char *what, uint64_t expected_bytes); /* 0: not known */
void progress_add(uint64_t bytes);
void progress_end(void); /* wiped, nothing stays on the terminal */

void progress_wipe(void); /* for log.c: takes the bar off the line; the next progress_add draws it again */
