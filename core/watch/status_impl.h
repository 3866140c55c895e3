/* SPDX-License-Identifier: PostgreSQL */
/* status_impl.h - for the status*.c files: how a check is added, and who adds which. */
#pragma once
#include "core/base/text.h"
#include "core/watch/status.h"

#define STATUS_MINUTE 60.0
#define STATUS_HOUR 3600.0
#define STATUS_DAY 86400.0

/* The check, its text written; what is beyond STATUS_CHECKS lands in the last one. */
struct status_check *status_add(struct status *s, const char *name, const char *title, enum status_level level,
                                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* What it measures. The limits are told; with status_judge_value they also decide: beyond `critical` (NAN: none) it is
 * critical, beyond `warning` a warning. */
void status_measure(struct status_check *c, enum status_unit unit, double value, double warning, double critical);
enum status_level status_judge_value(double value, double warning, double critical);

/* "40 s", "12 min", "3 h", "2 d": never more than is known, rounded down. */
const char *status_span(char out[TEXT_SHORT], double seconds);

/* status_backups.c: what was made. status_proofs.c: what was proven. status_places.c: where it is. */
void status_check_backups(struct status *s);
void status_check_proofs(struct status *s);
void status_check_places(struct status *s);
