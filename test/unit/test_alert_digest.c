/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"
#include "test/unit/settings.h"

#include "core/watch/alert_digest.h"

#define NOW 1761200000 /* 2025-10-23 06:13:20 UTC */
#define HOUR 3600
#define DAY 86400
#define MIB ((uint64_t)1024 * 1024)

static struct err err;
static struct settings *settings;

static struct run *add_run(struct status_facts *f, enum run_kind kind, time_t started, int exit_code, double seconds)
{
    struct run *r;

    f->history.runs = realloc(f->history.runs, (f->history.n + 1) * sizeof *r);
    r = &f->history.runs[f->history.n++];
    memset(r, 0, sizeof *r);
    r->kind = kind;
    r->started = started;
    r->exit_code = exit_code;
    r->seconds = seconds;
    r->begun = true;
    r->size = 100 * MIB;
    r->verified = r->stored = exit_code == 0;
    r->tables = 12;
    r->rows = 1234567;
    run_set(&r->environment, "production", &err);
    return r;
}

/* A backup at four each morning, for ten days; a drill yesterday. */
static struct status_facts fine(void)
{
    struct status_facts f = { .schedule_hours = 24, .rto_minutes = 60, .drill_days = 36 };
    struct run *drill;

    f.environment = strdup("production");
    f.n_backups = 10;
    f.backups = calloc(f.n_backups, sizeof *f.backups);
    for (int day = 0; day < 10; day++)
        f.backups[day] = (struct status_backup){ .file = strdup("backup-20251023-020000.dump"),
                                                 .started = NOW - 2 * HOUR - day * DAY,
                                                 .size = 100 * MIB,
                                                 .ran = true };
    for (int day = 9; day >= 0; day--)
        add_run(&f, RUN_BACKUP, NOW - 2 * HOUR - day * DAY, 0, 600 + 60 * day);
    drill = add_run(&f, RUN_DRILL, NOW - DAY, 0, 400);
    drill->proven = true;
    drill->taken = NOW - DAY - 2 * HOUR;
    drill->recovery_seconds = 300;
    f.store_asked = f.store_listed = true;
    f.stored[TIER_DAILY] = 10;
    f.stored[TIER_WEEKLY] = 2;
    f.stored_bytes[TIER_DAILY] = 1000 * MIB;
    f.certificate = NOW + 60 * DAY;
    return f;
}

/* The digest as a mail's text, "" when there is nothing to tell; the caller frees. */
static char *written(struct status_facts *f, enum alert_digest kind)
{
    struct status s;
    struct alert a;
    struct buf out;
    int rc;

    buf_init(&out, (size_t)256 * 1024);
    status_judge(f, NOW, &s);
    rc = alert_digest_write(&a, kind, &s, settings, &err);
    assert_in_range(rc, 0, 1);
    if (rc > 0) {
        buf_printf(&out, "%s\n", a.headline);
        alert_plain(&out, &a);
        alert_release(&a);
    }
    status_release_facts(f);
    return buf_take(&out, &err);
}

static void assert_says(char *text, const char *piece)
{
    if (!strstr(text, piece))
        fail_msg("missing: %s\nin:\n%s", piece, text);
}

static void silence(void **state)
{
    struct status_facts f = fine();
    char *text = written(&f, ALERT_DAILY);

    (void)state;
    assert_string_equal(text, "");
    free(text);
}

static void daily(void **state)
{
    struct status_facts f = fine();
    char *text;

    (void)state;
    f.history.runs[9].seconds = 4320;
    text = written(&f, ALERT_DAILY);
    assert_says(
        text,
        "⚠️ Database backups need attention\nDaily Backup Digest\n\nEnvironment: production\n"
        "Time: 2025-10-23 06:13:20 UTC\nBackup duration: warning: 1h 12m 0s\n\nAction Required: Run `sfb status`");
    free(text);
}

static void slow_before(void **state)
{
    struct status_facts f = fine();
    char *text;

    (void)state;
    f.history.runs[8].started = NOW - 23 * HOUR;
    f.history.runs[8].seconds = 4320;
    text = written(&f, ALERT_DAILY);
    assert_says(text, "Backup duration: warning: 1h 12m 0s at 2025-10-22 07:13:20 UTC\n");
    free(text);
    f = fine();
    f.history.runs[8].started = NOW - 25 * HOUR; /* yesterday's digest had it */
    f.history.runs[8].seconds = 4320;
    text = written(&f, ALERT_DAILY);
    assert_string_equal(text, "");
    free(text);
}

static void critical(void **state)
{
    struct status_facts f = fine();
    char *text;

    (void)state;
    run_set(&add_run(&f, RUN_BACKUP, NOW - HOUR, 1, 5)->error, "no connection with hunter22", &err);
    text = written(&f, ALERT_DAILY);
    assert_says(
        text,
        "Backup success rate: critical: failed at 2025-10-23 05:13:20 UTC (exit code 1): no connection with ***\n");
    free(text);
}

static void nothing_known(void **state)
{
    struct status_facts f = { .environment = strdup("production"), .schedule_hours = 24 };
    char *text = written(&f, ALERT_DAILY);

    (void)state;
    assert_says(text, "Last successful backup: unknown: nothing is known on this host");
    free(text);
}

static void weekly(void **state)
{
    struct status_facts f = fine();
    char *text = written(&f, ALERT_WEEKLY);

    (void)state;
    assert_says(
        text, "✅ Database backups of the week: 7 of 7 successful\nWeekly Backup Summary\n\nEnvironment: production\n");
    assert_says(text, "\nStatus: OK\nBackups: 7 of 7 successful\nNewest: backup-20251023-020000.dump, 100.0 MB\n"
                      "Rows: 1,234,567 in 12 tables\nDuration: median 13m 0s, longest 16m 0s\n");
    assert_says(text, "\nRestore Drills: 1 of 1 succeeded in the last 92 days\n");
    assert_says(text, "\nRecovery Time: median 5m 0s, worst 5m 0s\n");
    assert_says(text, "\nStored: 10 daily, 2 weekly; 1000.0 MB\n");
    assert_says(text, "\n2025-10-17 04:13:20 UTC: ✅ 100.0 MB in 16m 0s, verified, stored\n");
    assert_says(text, "\n2025-10-23 04:13:20 UTC: ✅ 100.0 MB in 10m 0s, verified, stored\n");
    assert_null(strstr(text, "2025-10-16"));
    assert_null(strstr(text, "Action Required"));
    free(text);
}

static void bad_week(void **state)
{
    struct status_facts f = fine();
    char *text;

    (void)state;
    f.history.runs[7].exit_code = 2;
    f.history.runs[7].upload_failed = false;
    run_set(&f.history.runs[7].error, "the disk is full", &err);
    text = written(&f, ALERT_WEEKLY);
    assert_says(text, "⚠️ Database backups of the week: 6 of 7 successful\n");
    assert_says(text, "\nBackup success rate: warning: 6 of 7 in the last 7 days\n");
    assert_says(text, ": ❌ exit code 2: the disk is full\n");
    assert_says(text, "Action Required: ");
    free(text);
}

static void many_runs(void **state)
{
    struct status_facts f = fine();
    char *text;

    (void)state;
    for (int i = 0; i < 200; i++)
        add_run(&f, RUN_BACKUP, NOW - 7200 + 30 * i, 0, 10);
    text = written(&f, ALERT_WEEKLY);
    assert_says(text, "207 of 207 successful");
    assert_says(text, "\nHost: ");
    assert_says(text, "2025-10-23 05:52:50 UTC: "); /* the newest */
    free(text);
}

static void words(void **state)
{
    enum alert_digest kind;

    (void)state;
    assert_true(alert_digest_parse("daily", &kind) && kind == ALERT_DAILY);
    assert_true(alert_digest_parse("weekly", &kind) && kind == ALERT_WEEKLY);
    assert_false(alert_digest_parse("monthly", &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a day on which all is well has no digest", silence),
        PROMISE("a backup of more than an hour is a warning in the daily digest", daily),
        PROMISE("also when a quicker one came after it, and once", slow_before),
        PROMISE("a failure stands in the digest with its words, without its secrets", critical),
        PROMISE("that nothing is known at all is worth a digest", nothing_known),
        PROMISE("the weekly summary says what was backed up, how large, how long, and proven", weekly),
        PROMISE("a bad week's summary says what was bad", bad_week),
        PROMISE("of very many runs the newest are listed", many_runs),
        PROMISE("digests are daily or weekly", words),
    };
    int rc;

    setenv("PGPASSWORD", "hunter22", 1);
    settings = unit_settings("/dev/null", &err);
    rc = RUN_PROMISES(tests);
    settings_free(settings);
    return rc;
}
