/* SPDX-License-Identifier: PostgreSQL */
/* clock.c - the time of day, always UTC, and elapsed time. */
#include "core/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define DAY 86400

time_t clock_now(void)
{
    const char *fixed = getenv("SFB_TEST_NOW");
    char *end = NULL;

    if (fixed && *fixed) {
        long long t = strtoll(fixed, &end, 10);
        if (*end == '\0')
            return (time_t)t;
    }
    return time(NULL);
}

void clock_wait_past(time_t t)
{
    const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };
    const double patience = 5;
    double from = clock_monotonic();

    if (getenv("SFB_TEST_NOW") != NULL)
        return;
    while (clock_now() <= t && clock_monotonic() - from < patience)
        nanosleep(&moment, NULL);
}

double clock_monotonic(void)
{
    struct timespec t = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- out ----------------------------------------------------------------------------------------------------- */

static const char *format_time(char out[CLOCK_TEXT], const char *format, time_t t)
{
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(out, CLOCK_TEXT, format, &tm) == 0)
        memcpy(out, "?", 2); /* a year that no calendar has */
    return out;
}

const char *clock_log(char out[CLOCK_TEXT], time_t t)
{
    return format_time(out, "%Y-%m-%d %H:%M:%S", t);
}

const char *clock_stamp(char out[CLOCK_TEXT], time_t t)
{
    return format_time(out, "%Y%m%d-%H%M%S", t);
}

const char *clock_iso(char out[CLOCK_TEXT], time_t t)
{
    return format_time(out, "%Y-%m-%dT%H:%M:%SZ", t);
}

const char *clock_date(char out[CLOCK_TEXT], time_t t)
{
    return format_time(out, "%Y-%m-%d", t);
}

/* ---- in ------------------------------------------------------------------------------------------------------ */

/* Exactly n digits at *p, which moves behind them. */
static bool digits(const char **p, int n, int *value)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *p += n;
    *value = v;
    return true;
}

static bool literal(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

/* timegm, but a date that the calendar lacks (30 February, 25 o'clock) is refused, not carried over. */
static bool real_time(struct tm given, time_t *t)
{
    struct tm tm = given;
    time_t result;

    if (given.tm_hour > 23 || given.tm_min > 59 || given.tm_sec > 59)
        return false;
    result = timegm(&tm);
    if (tm.tm_year != given.tm_year || tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday)
        return false;
    *t = result;
    return true;
}

/* :MM[:SS[.f]], and anything or nothing after the minutes. A fraction is dropped: backups are named by the second. */
static bool parse_minutes(const char **p, struct tm *tm)
{
    if (!literal(p, ':') || !digits(p, 2, &tm->tm_min))
        return false;
    if (!literal(p, ':'))
        return true;
    if (!digits(p, 2, &tm->tm_sec))
        return false;
    if (literal(p, '.') || literal(p, ',')) {
        size_t n = strspn(*p, "0123456789");
        *p += n;
        return n > 0;
    }
    return true;
}

/* Z, +02, +0200, +02:00 or nothing; seconds east of Greenwich. */
static bool parse_zone(const char **p, long *offset)
{
    int hours = 0, minutes = 0;
    bool west;

    *offset = 0;
    if (!**p || literal(p, 'Z') || literal(p, 'z'))
        return true;
    west = **p == '-';
    if (!literal(p, '+') && !literal(p, '-'))
        return false;
    if (!digits(p, 2, &hours))
        return false;
    if (**p) {
        literal(p, ':');
        if (!digits(p, 2, &minutes))
            return false;
    }
    if (hours > 15 || minutes > 59)
        return false;
    *offset = (hours * 60L + minutes) * 60 * (west ? -1 : 1);
    return true;
}

bool clock_parse_iso(const char *text, time_t *t)
{
    const char *p = text;
    struct tm tm = { 0 };
    int year;
    long offset = 0;
    time_t local;

    if (!digits(&p, 4, &year) || !literal(&p, '-') || !digits(&p, 2, &tm.tm_mon) || !literal(&p, '-') ||
        !digits(&p, 2, &tm.tm_mday))
        return false;
    if (*p) {
        if (!literal(&p, 'T') && !literal(&p, 't') && !literal(&p, ' '))
            return false;
        if (!digits(&p, 2, &tm.tm_hour) || !parse_minutes(&p, &tm) || !parse_zone(&p, &offset) || *p)
            return false;
    }
    tm.tm_year = year - 1900;
    tm.tm_mon--;
    if (!real_time(tm, &local))
        return false;
    *t = local - offset;
    return true;
}

bool clock_parse_stamp(const char *text, time_t *t)
{
    const char *p = text;
    struct tm tm = { 0 };
    int year;

    if (!digits(&p, 4, &year) || !digits(&p, 2, &tm.tm_mon) || !digits(&p, 2, &tm.tm_mday) || !literal(&p, '-') ||
        !digits(&p, 2, &tm.tm_hour) || !digits(&p, 2, &tm.tm_min) || !digits(&p, 2, &tm.tm_sec))
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon--;
    return real_time(tm, t);
}

/* ---- weeks and months ---------------------------------------------------------------------------------------- */

static time_t day_start(time_t t)
{
    return t - ((t % DAY) + DAY) % DAY;
}

time_t clock_week_start(time_t t)
{
    time_t day = day_start(t);
    struct tm tm;

    if (!gmtime_r(&day, &tm))
        return day;
    return day - (time_t)((tm.tm_wday + 6) % 7) * DAY; /* tm_wday 0 is Sunday: the last of its week */
}

time_t clock_month_start(time_t t)
{
    time_t day = day_start(t);
    struct tm tm;

    if (!gmtime_r(&day, &tm))
        return day;
    return day - (time_t)(tm.tm_mday - 1) * DAY;
}
