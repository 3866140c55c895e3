/* SPDX-License-Identifier: PostgreSQL */
/* clock.h - the time of day, always UTC, and elapsed time.
 *
 * Policy (retention, signing, names) takes a time_t as a parameter and never calls clock_now; applets and drivers do.
 * SFB_TEST_NOW (seconds since 1970) sets what clock_now returns, so that tests can live in other years.
 */
#pragma once
#include <stdbool.h>
#include <time.h>

#define CLOCK_TEXT 32

time_t clock_now(void);
void clock_wait_past(
    time_t t); /* until clock_now() is later than t; at most some seconds, and not when it stands still */
double clock_monotonic(void); /* seconds from some start, never backwards; not touched by SFB_TEST_NOW */

const char *clock_log(char out[CLOCK_TEXT], time_t t);   /* 2025-10-23 14:32:15 */
const char *clock_stamp(char out[CLOCK_TEXT], time_t t); /* 20251023-143215, as in backup names */
const char *clock_iso(char out[CLOCK_TEXT], time_t t);   /* 2025-10-23T14:32:15Z */
const char *clock_date(char out[CLOCK_TEXT], time_t t);  /* 2025-10-23 */

/* ISO 8601: 2025-10-23, 2025-10-23T12:00[:00[.5]], a space for the T, and Z, +02:00, +0200 or +02 at the end; without
 * a zone it is UTC. A day or time that does not exist is refused. */
bool clock_parse_iso(const char *text, time_t *t);
bool clock_parse_stamp(const char *text, time_t *t); /* exactly YYYYMMDD-HHMMSS, followed by anything */

/* The first day (Monday) of t's ISO week and of t's month, at 00:00 UTC. */
time_t clock_week_start(time_t t);
time_t clock_month_start(time_t t);
