/* SPDX-License-Identifier: PostgreSQL */
/* log.h - what the program says while it works.
 *
 * Standard output carries the contract's lines: log_say() as it is, log_step() with "[YYYY-MM-DD HH:MM:SS] " before it.
 * Standard error carries warnings, errors and, with --verbose, debugging. Nothing has control characters of its own;
 * what comes from outside (names, server messages) is made visible. Output is flushed line by line, so that a log
 * file shows how far a run got. A progress bar that stands on the terminal is wiped before a line is written.
 */
#pragma once
#include <stdbool.h>
#include "core/base/err.h"

void log_verbose(bool on); /* off until set */
bool log_is_verbose(void);
void log_quiet(bool on); /* no log_say and log_step: for --json and the like */

void log_say(const char *format, ...) __attribute__((format(printf, 1, 2)));   /* a line as it is; "" an empty one */
void log_step(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* [time] line */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* stderr: ⚠️  line */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2))); /* stderr, only when verbose */

/* stderr: "❌ message", then "   hint" on a line of its own when there is one. */
void log_error(const struct err *err);
