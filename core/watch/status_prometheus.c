/* SPDX-License-Identifier: PostgreSQL */
/* status_prometheus.c - the same as metrics: Prometheus's text format, for the textfile collector.
 *
 * All samples of a metric stand together, so the table of metrics is walked, and for each the environments. What is not
 * known has no sample, and a metric without any is left out. Times are seconds since 1970, as Prometheus wants them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/watch/status_impl.h"
#include "version.h"

/* Adds samples with this name, for one environment. */
typedef void sampler(struct buf *out, const char *name, const struct status *s);

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static void put_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            buf_putc(out, '\\');
        if (*value == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *value);
    }
    buf_putc(out, '"');
}

/* label NULL: the environment alone */
static void put_sample(struct buf *out, const char *name, const struct status *s, const char *label, const char *value,
                       double number)
{
    buf_printf(out, "%s{", name);
    put_label(out, "environment", s->facts->environment);
    if (label != NULL) {
        buf_putc(out, ',');
        put_label(out, label, value);
    }
    buf_printf(out, "} %.17g\n", round(number * 1000) / 1000);
}

static void put_one(struct buf *out, const char *name, const struct status *s, double number)
{
    put_sample(out, name, s, NULL, NULL, number);
}

/* ---- how it stands ----------------------------------------------------------------------------------------------- */

static void level(struct buf *out, const char *name, const struct status *s)
{
    put_one(out, name, s, (double)s->level);
}

static void check_levels(struct buf *out, const char *name, const struct status *s)
{
    for (size_t i = 0; i < s->n; i++)
        put_sample(out, name, s, "check", s->checks[i].name, (double)s->checks[i].level);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static const struct run *last(const struct status *s, int kind, int success)
{
    return history_newest(&s->facts->history, (enum run_kind)kind, success);
}

typedef double reader(const struct run *r);

static double started(const struct run *r)
{
    return (double)r->started;
}

static double seconds(const struct run *r)
{
    return r->seconds;
}

static double code(const struct run *r)
{
    return r->exit_code;
}

/* Of the last run of each kind (success 1: that succeeded). */
static void put_runs(struct buf *out, const char *name, const struct status *s, int success, reader *read)
{
    for (int kind = RUN_NONE + 1; kind < RUN_KINDS; kind++) {
        const struct run *r = last(s, kind, success);

        if (r != NULL)
            put_sample(out, name, s, "kind", run_kind_name(r->kind), read(r));
    }
}

static void run_times(struct buf *out, const char *name, const struct status *s)
{
    put_runs(out, name, s, -1, started);
}

static void run_successes(struct buf *out, const char *name, const struct status *s)
{
    put_runs(out, name, s, 1, started);
}

static void run_durations(struct buf *out, const char *name, const struct status *s)
{
    put_runs(out, name, s, -1, seconds);
}

static void run_codes(struct buf *out, const char *name, const struct status *s)
{
    put_runs(out, name, s, -1, code);
}

/* ---- backups ----------------------------------------------------------------------------------------------------- */

static void backup_time(struct buf *out, const char *name, const struct status *s)
{
    if (s->newest != NULL)
        put_one(out, name, s, (double)s->newest->started);
}

static void backup_size(struct buf *out, const char *name, const struct status *s)
{
    if (s->newest != NULL)
        put_one(out, name, s, (double)s->newest->size);
}

static void database_size(struct buf *out, const char *name, const struct status *s)
{
    if (last(s, RUN_BACKUP, 1) != NULL)
        put_one(out, name, s, (double)last(s, RUN_BACKUP, 1)->database_size);
}

static void backup_tables(struct buf *out, const char *name, const struct status *s)
{
    if (last(s, RUN_BACKUP, 1) != NULL)
        put_one(out, name, s, (double)last(s, RUN_BACKUP, 1)->tables);
}

static void backup_rows(struct buf *out, const char *name, const struct status *s)
{
    if (last(s, RUN_BACKUP, 1) != NULL)
        put_one(out, name, s, (double)last(s, RUN_BACKUP, 1)->rows);
}

/* What a check has counted. */
static void put_check(struct buf *out, const char *name, const struct status *s, const char *check, double divisor)
{
    const struct status_check *c = status_find(s, check);

    if (c != NULL && c->known)
        put_one(out, name, s, c->value / divisor);
}

static void success_ratio(struct buf *out, const char *name, const struct status *s)
{
    put_check(out, name, s, "backup_success", 100);
}

static void upload_failures(struct buf *out, const char *name, const struct status *s)
{
    put_check(out, name, s, "upload_failures", 1);
}

static void missed(struct buf *out, const char *name, const struct status *s)
{
    put_check(out, name, s, "schedule", 1);
}

/* ---- proofs ------------------------------------------------------------------------------------------------------ */

static void proven_time(struct buf *out, const char *name, const struct status *s)
{
    if (s->proven != 0)
        put_one(out, name, s, (double)s->proven);
}

static void recovery(struct buf *out, const char *name, const struct status *s)
{
    if (s->drills > 0)
        put_one(out, name, s, s->recovery);
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

static void store_up(struct buf *out, const char *name, const struct status *s)
{
    if (s->facts->store_asked && !s->facts->store_denied)
        put_one(out, name, s, s->facts->store_listed);
}

static void store_backups(struct buf *out, const char *name, const struct status *s)
{
    for (int tier = 0; s->facts->store_listed && tier < TIER_COUNT; tier++)
        put_sample(out, name, s, "tier", manifest_tier_name((enum tier)tier), (double)s->facts->stored[tier]);
}

static void store_bytes(struct buf *out, const char *name, const struct status *s)
{
    for (int tier = 0; s->facts->store_listed && tier < TIER_COUNT; tier++)
        put_sample(out, name, s, "tier", manifest_tier_name((enum tier)tier), (double)s->facts->stored_bytes[tier]);
}

static void store_damaged(struct buf *out, const char *name, const struct status *s)
{
    if (s->facts->store_listed)
        put_one(out, name, s, (double)(s->facts->orphans + s->facts->disagreements));
}

static void store_uploads(struct buf *out, const char *name, const struct status *s)
{
    if (s->facts->uploads_known)
        put_one(out, name, s, (double)s->facts->open_uploads);
}

static void clock_skew(struct buf *out, const char *name, const struct status *s)
{
    if (s->facts->clock_known)
        put_one(out, name, s, s->facts->clock_ahead);
}

static void certificate(struct buf *out, const char *name, const struct status *s)
{
    if (s->facts->certificate != 0)
        put_one(out, name, s, (double)s->facts->certificate);
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static const struct metric {
    const char *name, *help;
    sampler *sample;
} metrics[] = {
    { "sfb_status", "How backups stand: 0 fine, 1 warning, 2 critical, 3 unknown.", level },
    { "sfb_check_status", "One check of it: 0 fine, 1 warning, 2 critical, 3 unknown.", check_levels },
    { "sfb_backup_last_success_timestamp_seconds", "When the newest good backup was started.", backup_time },
    { "sfb_backup_last_size_bytes", "Size of the newest good backup.", backup_size },
    { "sfb_backup_last_database_size_bytes", "Size of the database at its newest backup.", database_size },
    { "sfb_backup_last_tables", "Tables in the newest backup.", backup_tables },
    { "sfb_backup_last_rows", "Rows in the newest backup.", backup_rows },
    { "sfb_backup_success_ratio", "Share of the backups of the last 7 days that succeeded.", success_ratio },
    { "sfb_backup_missed", "Scheduled backups of the last 7 days that were not made.", missed },
    { "sfb_backup_upload_failures", "Backups of the last 7 days that could not be uploaded.", upload_failures },
    { "sfb_backup_proven_timestamp_seconds", "The moment that the newest proven backup holds.", proven_time },
    { "sfb_recovery_duration_seconds", "How long the newest rehearsed recovery took.", recovery },
    { "sfb_run_last_timestamp_seconds", "When the last run of a kind was started.", run_times },
    { "sfb_run_last_success_timestamp_seconds", "When the last run that succeeded was started.", run_successes },
    { "sfb_run_last_duration_seconds", "How long the last run of a kind took.", run_durations },
    { "sfb_run_last_exit_code", "What the last run of a kind exited with.", run_codes },
    { "sfb_store_up", "1 when the store could be listed.", store_up },
    { "sfb_store_backups", "Whole backups in the store.", store_backups },
    { "sfb_store_size_bytes", "Bytes of the dumps in the store.", store_bytes },
    { "sfb_store_damaged_backups", "Backups that are gone from the store, or changed.", store_damaged },
    { "sfb_store_open_uploads", "Multipart uploads that are open for more than a day.", store_uploads },
    { "sfb_store_clock_skew_seconds", "This host's clock minus the store's.", clock_skew },
    { "sfb_store_certificate_expiry_timestamp_seconds", "When the store's certificate ends.", certificate },
};

void status_prometheus(struct buf *out, const struct status *const *all, size_t n)
{
    buf_puts(out, "# HELP sfb_build_info The sfb that wrote this.\n# TYPE sfb_build_info gauge\n"
                  "sfb_build_info{version=\"" SFB_VERSION "\"} 1\n");
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        const struct metric *m = &metrics[i];
        size_t before = out->size, head;

        buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", m->name, m->help, m->name);
        head = out->size;
        for (size_t j = 0; j < n; j++)
            m->sample(out, m->name, all[j]);
        if (out->size == head)
            buf_cut(out, before);
    }
}
