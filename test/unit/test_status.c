/* SPDX-License-Identifier: PostgreSQL */
/* test_status.c - how backups stand: every limit from both sides, by facts and a time alone. */
#include "test/unit/unit.h"

#include <math.h>

#include "core/watch/status.h"

#define NOW 1761200000 /* 2025-10-23 06:13:20 UTC */
#define HOUR 3600
#define DAY 86400
#define MIB ((uint64_t)1024 * 1024)

static struct err err;

/* ---- facts ------------------------------------------------------------------------------------------------------- */

static void add_backup(struct status_facts *f, time_t started, uint64_t size, const char *format)
{
    struct status_backup *b;

    f->backups = realloc(f->backups, (f->n_backups + 1) * sizeof *f->backups);
    b = &f->backups[f->n_backups++];
    *b = (struct status_backup){ .started = started, .size = size, .ran = true };
    assert_true(asprintf(&b->file, "backup-%ld.dump", (long)started) > 0);
    b->format = format != NULL ? strdup(format) : NULL;
}

static struct run *add_run(struct status_facts *f, enum run_kind kind, time_t started, int exit_code)
{
    struct run *r;

    f->history.runs = realloc(f->history.runs, (f->history.n + 1) * sizeof *r);
    r = &f->history.runs[f->history.n++];
    memset(r, 0, sizeof *r);
    r->kind = kind;
    r->started = started;
    r->exit_code = exit_code;
    r->begun = true;
    run_set(&r->environment, f->environment, &err);
    if (exit_code != 0)
        run_set(&r->error, "the disk | is full\nof cats", &err);
    return r;
}

/* Daily backups for ten days, all good, proven yesterday: nothing to complain about. */
static struct status_facts fine(void)
{
    struct status_facts f = { .schedule_hours = 24, .rto_minutes = 60, .drill_days = 36 };
    struct run *drill;

    f.environment = strdup("production");
    for (int day = 0; day < 10; day++)
        add_backup(&f, NOW - 4 * HOUR - day * DAY, 100 * MIB, "custom gzip 6");
    for (int day = 9; day >= 0; day--)
        add_run(&f, RUN_BACKUP, NOW - 4 * HOUR - day * DAY, 0)->seconds = 600;
    drill = add_run(&f, RUN_DRILL, NOW - DAY, 0);
    drill->proven = true;
    drill->taken = NOW - DAY - 2 * HOUR;
    drill->recovery_seconds = 300;
    f.store_asked = f.store_listed = true;
    f.uploads_known = f.clock_known = true;
    f.certificate = NOW + 60 * DAY;
    return f;
}

static struct status judged(const struct status_facts *f)
{
    struct status s;

    status_judge(f, NOW, &s);
    return s;
}

/* The level of one check; that of a check that is not made is -1. */
static int level_of(const struct status_facts *f, const char *name)
{
    struct status s = judged(f);
    const struct status_check *c = status_find(&s, name);

    return c != NULL ? (int)c->level : -1;
}

static void assert_level(const struct status_facts *f, const char *name, int level)
{
    if (level_of(f, name) != level)
        fail_msg("%s is %d, not %d", name, level_of(f, name), level);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void test_fine(void **state)
{
    struct status_facts f = fine();
    struct status s = judged(&f);

    (void)state;
    for (size_t i = 0; i < s.n; i++)
        if (s.checks[i].level != STATUS_OK)
            fail_msg("%s: %s", s.checks[i].name, s.checks[i].text);
    assert_int_equal(s.level, STATUS_OK);
    assert_string_equal(s.summary, "newest backup 4 h ago, proven 26 h ago");
    assert_int_equal(s.n, 15);
    status_release_facts(&f);
}

static void test_worst(void **state)
{
    struct status_facts f = fine();
    struct status s;

    (void)state;
    f.open_uploads = 1;
    assert_int_equal(judged(&f).level, STATUS_WARNING);
    f.clock_ahead = 1000;
    s = judged(&f);
    assert_int_equal(s.level, STATUS_CRITICAL);
    assert_string_equal(s.summary, "Clock: 16m 40s ahead of the store's; 1 warning");
    status_release_facts(&f);
}

static void test_unknown(void **state)
{
    struct status_facts nothing = { .environment = "production", .schedule_hours = 24 };
    struct status_facts f = fine();

    (void)state;
    assert_int_equal(judged(&nothing).level, STATUS_UNKNOWN);
    nothing.store_listed = true; /* it is known that there is none */
    assert_int_equal(judged(&nothing).level, STATUS_CRITICAL);
    f.store_denied = true; /* one check is not known: no reason to wake anybody */
    f.store_listed = false;
    assert_level(&f, "store", STATUS_UNKNOWN);
    assert_int_equal(judged(&f).level, STATUS_OK);
    status_release_facts(&f);
}

/* ---- backups ----------------------------------------------------------------------------------------------------- */

static void test_age(void **state)
{
    struct status_facts f = fine();

    (void)state;
    f.backups[0].started = NOW - 25 * HOUR;
    assert_level(&f, "backup_age", STATUS_OK);
    f.backups[0].started--;
    assert_level(&f, "backup_age", STATUS_CRITICAL);
    f.schedule_hours = 168;
    assert_level(&f, "backup_age", STATUS_OK);
    f.backups[0].started = f.backups[1].started = NOW - 169 * HOUR;
    assert_level(&f, "backup_age", STATUS_OK);
    f.n_backups = 1;
    f.backups[0].started--;
    assert_level(&f, "backup_age", STATUS_CRITICAL);
    f.schedule_hours = 0; /* no schedule, no limit */
    assert_level(&f, "backup_age", STATUS_OK);
    assert_level(&f, "schedule", -1);
    f.n_backups = 10;
    status_release_facts(&f);
}

static void test_tomorrow(void **state)
{
    struct status_facts f = fine();

    (void)state;
    f.backups[0].started = NOW + 2 * HOUR; /* of a clock that was wrong: it must not hide that none came since */
    f.backups[1].started = NOW - 26 * HOUR;
    assert_level(&f, "backup_age", STATUS_CRITICAL);
    status_release_facts(&f);
}

static double missed(const struct status_facts *f)
{
    struct status s = judged(f);

    return status_find(&s, "schedule")->value;
}

static void test_schedule(void **state)
{
    struct status_facts f = fine();

    (void)state;
    assert_true(missed(&f) == 0);
    for (int i = 3; i < 10; i++) /* a gap of 25 h */
        f.backups[i].started -= HOUR;
    assert_true(missed(&f) == 0);
    for (int i = 3; i < 10; i++) /* and a second */
        f.backups[i].started--;
    assert_true(missed(&f) == 1);
    assert_level(&f, "schedule", STATUS_WARNING);
    for (int i = 3; i < 10; i++)
        f.backups[i].started -= DAY;
    assert_true(missed(&f) == 2);
    for (int i = 3; i < 10; i++) /* what was before the window does not count, nor what no backup came after */
        f.backups[i].started -= 20 * DAY;
    assert_true(missed(&f) == 4);
    status_release_facts(&f);
}

static void test_young_history(void **state)
{
    struct status_facts f = fine();

    (void)state;
    while (f.n_backups > 1) {
        f.n_backups--;
        free(f.backups[f.n_backups].file);
        free(f.backups[f.n_backups].format);
    }
    assert_true(missed(&f) == 0); /* before the first backup none was missed */
    assert_level(&f, "size_growth", -1);
    status_release_facts(&f);
}

static void test_success(void **state)
{
    struct status_facts f = fine();
    struct status s;

    (void)state;
    f.history.runs[5].exit_code = 2;
    assert_level(&f, "backup_success", STATUS_WARNING);
    f.history.runs[5].started = NOW - 7 * DAY;
    assert_level(&f, "backup_success", STATUS_WARNING);
    f.history.runs[5].started--;
    assert_level(&f, "backup_success", STATUS_OK);
    add_run(&f, RUN_BACKUP, NOW - HOUR, RUN_BUSY); /* another one was at work: neither */
    assert_level(&f, "backup_success", STATUS_OK);
    add_run(&f, RUN_BACKUP, NOW - HOUR, 1);
    s = judged(&f);
    assert_int_equal(status_find(&s, "backup_success")->level, STATUS_CRITICAL);
    assert_non_null(strstr(s.summary, "the disk | is full"));
    add_run(&f, RUN_BACKUP, NOW - HOUR + 1, 0);
    assert_level(&f, "backup_success", STATUS_WARNING);
    status_release_facts(&f);
}

static void test_uploads(void **state)
{
    struct status_facts f = fine();

    (void)state;
    f.history.runs[5].upload_failed = true;
    assert_level(&f, "upload_failures", STATUS_WARNING);
    f.history.runs[5].started = NOW - 7 * DAY - 1;
    assert_level(&f, "upload_failures", STATUS_OK);
    f.history.runs[9].upload_failed = true;
    assert_level(&f, "upload_failures", STATUS_CRITICAL);
    status_release_facts(&f);
}

static void test_duration(void **state)
{
    struct status_facts f = fine();

    (void)state;
    f.history.runs[9].seconds = 3600;
    assert_level(&f, "backup_duration", STATUS_OK);
    f.history.runs[9].seconds = 3600.5;
    assert_level(&f, "backup_duration", STATUS_WARNING);
    status_release_facts(&f);
}

static void test_growth(void **state)
{
    struct status_facts f = fine();

    (void)state;
    f.backups[0].size = 150 * MIB;
    assert_level(&f, "size_growth", STATUS_OK);
    f.backups[0].size++;
    assert_level(&f, "size_growth", STATUS_WARNING);
    f.backups[7].size = 101 * MIB; /* the one of seven days ago is what it is compared with */
    assert_level(&f, "size_growth", STATUS_OK);
    f.backups[7].size = 100 * MIB;
    f.backups[0].size = 50 * MIB;
    assert_level(&f, "size_growth", STATUS_OK);
    f.backups[0].size--;
    assert_level(&f, "size_growth", STATUS_WARNING); /* what was half of it is gone */
    status_release_facts(&f);
}

static void test_growth_of_others(void **state)
{
    struct status_facts f = fine();

    (void)state;
    f.backups[0].size = 1000 * MIB;
    free(f.backups[0].format);
    f.backups[0].format = strdup("custom none 0"); /* nothing to compare it with */
    assert_level(&f, "size_growth", -1);
    free(f.backups[0].format);
    f.backups[0].format = NULL; /* the store's list knows the ending alone */
    assert_level(&f, "size_growth", STATUS_WARNING);
    for (size_t i = 0; i < f.n_backups; i++)
        f.backups[i].size /= 1024;
    assert_level(&f, "size_growth", STATUS_OK); /* small ones double without meaning anything */
    for (size_t i = 1; i < f.n_backups; i++)    /* a backup of long ago says nothing about seven days */
        f.backups[i].started -= 14 * DAY;
    assert_level(&f, "size_growth", -1);
    status_release_facts(&f);
}

/* ---- proofs ------------------------------------------------------------------------------------------------------ */

static void test_drills(void **state)
{
    struct status_facts f = fine();

    (void)state;
    add_run(&f, RUN_DRILL, NOW - HOUR, 5);
    assert_level(&f, "drill_success", STATUS_CRITICAL);
    add_run(&f, RUN_DRILL, NOW, 0);
    assert_level(&f, "drill_success", STATUS_OK);
    status_release_facts(&f);
}

static void test_reports(void **state)
{
    struct status_facts f = fine();

    (void)state;
    run_release(&f.history.runs[--f.history.n]); /* the history knows of no drill, a report does */
    assert_level(&f, "drill_success", -1);
    assert_level(&f, "proof_age", STATUS_WARNING);
    f.proofs.items = calloc(1, sizeof *f.proofs.items);
    f.proofs.n = 1;
    f.proofs.items[0] = (struct proofs_item){ .name = strdup("n"),
                                              .environment = strdup("production"),
                                              .backup = strdup("backup-20251022-020000"),
                                              .drilled = NOW - DAY,
                                              .taken = NOW - DAY,
                                              .verdict = PROOFS_PASSED };
    assert_level(&f, "drill_success", STATUS_OK);
    assert_level(&f, "proof_age", STATUS_OK);
    f.proofs.items[0].verdict = PROOFS_FAILED;
    assert_level(&f, "drill_success", STATUS_CRITICAL);
    assert_level(&f, "proof_age", STATUS_WARNING);
    status_release_facts(&f);
}

static void test_proof_age(void **state)
{
    struct status_facts f = fine();
    struct run *drill = &f.history.runs[f.history.n - 1], *restore;

    (void)state;
    drill->taken = NOW - 36 * DAY;
    assert_level(&f, "proof_age", STATUS_OK);
    drill->taken--;
    assert_level(&f, "proof_age", STATUS_WARNING);
    drill->taken++;
    drill->exit_code = 5; /* in a smoke test: every row came back all the same */
    assert_level(&f, "proof_age", STATUS_OK);
    drill->proven = false;
    assert_level(&f, "proof_age", STATUS_WARNING);
    restore = add_run(&f, RUN_RESTORE, NOW - HOUR, 0); /* into staging, of production's backup */
    run_set(&restore->environment, "staging", &err);
    run_set(&restore->source, "production", &err);
    restore->proven = true;
    restore->taken = NOW - DAY;
    assert_level(&f, "proof_age", STATUS_OK);
    run_set(&restore->source, NULL, &err); /* of staging's own: it proves nothing about production's */
    assert_level(&f, "proof_age", STATUS_WARNING);
    f.drill_days = 0; /* none are expected */
    assert_level(&f, "proof_age", -1);
    status_release_facts(&f);
}

static void test_recovery(void **state)
{
    static const double others[] = { 100, 900, 200, 800, 150 };
    struct status_facts f = fine();
    struct run *drill;
    struct status s;

    (void)state;
    f.history.runs[f.history.n - 1].recovery_seconds = 3600;
    assert_level(&f, "recovery_time", STATUS_OK);
    f.history.runs[f.history.n - 1].recovery_seconds = 3601;
    assert_level(&f, "recovery_time", STATUS_WARNING);
    f.rto_minutes = 0;
    assert_level(&f, "recovery_time", STATUS_OK);
    for (int i = 0; i < 5; i++) {
        drill = add_run(&f, RUN_DRILL, NOW - HOUR + i, 0);
        drill->recovery_seconds = others[i];
    }
    drill = add_run(&f, RUN_DRILL, NOW, 5);
    drill->recovery_seconds = 1; /* it failed: no recovery */
    s = judged(&f);
    assert_int_equal(s.drills, 5);
    assert_true(s.recovery == 150 && s.recovery_median == 200 && s.recovery_worst == 900);
    status_release_facts(&f);
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static void test_store(void **state)
{
    struct status_facts f = fine();

    (void)state;
    f.store_listed = false;
    f.store_trouble = strdup("no route to it");
    assert_level(&f, "store", STATUS_WARNING);
    assert_level(&f, "copies", -1);
    f.store_asked = false;
    assert_level(&f, "store", -1);
    status_release_facts(&f);
}

static void test_copies(void **state)
{
    struct status_facts f = fine();

    (void)state;
    assert_level(&f, "copies", STATUS_OK);
    f.orphans = 1;
    f.orphan = strdup("production/daily/backup-20251022-020000");
    assert_level(&f, "copies", STATUS_CRITICAL);
    f.orphans = 0;
    f.disagreements = 1;
    f.disagreement = strdup("backup-20251022-020000.dump is gone");
    assert_level(&f, "copies", STATUS_CRITICAL);
    f.unfinished = 1;
    assert_level(&f, "unfinished", STATUS_WARNING);
    status_release_facts(&f);
}

static void test_way_there(void **state)
{
    struct status_facts f = fine();

    (void)state;
    f.clock_ahead = -60;
    assert_level(&f, "clock", STATUS_OK);
    f.clock_ahead = -60.5;
    assert_level(&f, "clock", STATUS_WARNING);
    f.clock_ahead = 900;
    assert_level(&f, "clock", STATUS_WARNING);
    f.clock_ahead = 900.5;
    assert_level(&f, "clock", STATUS_CRITICAL);
    f.certificate = NOW + 14 * DAY;
    assert_level(&f, "certificate", STATUS_OK);
    f.certificate = NOW + 14 * DAY - 1;
    assert_level(&f, "certificate", STATUS_WARNING);
    f.certificate = NOW + 3 * DAY;
    assert_level(&f, "certificate", STATUS_WARNING);
    f.certificate = NOW + 3 * DAY - 1;
    assert_level(&f, "certificate", STATUS_CRITICAL);
    f.certificate = 0;
    f.clock_known = f.uploads_known = false;
    assert_level(&f, "certificate", -1);
    assert_level(&f, "clock", -1);
    assert_level(&f, "open_uploads", -1);
    status_release_facts(&f);
}

static void test_others(void **state)
{
    struct status_facts f = fine();

    (void)state;
    add_run(&f, RUN_VERIFY, NOW - 7 * DAY - 1, 2);
    assert_level(&f, "verification", -1);
    add_run(&f, RUN_VERIFY, NOW - 7 * DAY, 2);
    assert_level(&f, "verification", STATUS_CRITICAL);
    add_run(&f, RUN_VERIFY, NOW - 6 * DAY, 1); /* a name that was mistyped */
    assert_level(&f, "verification", STATUS_WARNING);
    run_set(&add_run(&f, RUN_VERIFY, NOW - 5 * DAY, 2)->environment, NULL, &err); /* of no backup */
    assert_level(&f, "verification", STATUS_WARNING);
    add_run(&f, RUN_PRUNE, NOW - DAY, 3);
    assert_level(&f, "prune", STATUS_WARNING);
    add_run(&f, RUN_PRUNE, NOW, 0);
    assert_level(&f, "prune", STATUS_OK);
    f.history.skipped = 1;
    assert_level(&f, "history", STATUS_WARNING);
    status_release_facts(&f);
}

/* ---- printed ----------------------------------------------------------------------------------------------------- */

static void assert_audit(const struct status_facts *f, enum status_level level, const char *text)
{
    struct status s = judged(f);
    const struct status_check *c = status_find(&s, "audit");

    assert_non_null(c);
    assert_int_equal(c->level, level);
    assert_string_equal(c->text, text);
}

static void test_audit(void **state)
{
    struct status_facts f = fine();

    (void)state;
    assert_level(&f, "audit", -1);
    f.audit_read = true;
    f.audit_entries = 57;
    f.audit_first = 1;
    assert_audit(&f, STATUS_OK, "all 57 entries are as written");
    f.audit_first = 9000;
    assert_audit(&f, STATUS_OK, "the newest 57 entries, from 9000 on, are as written; `sfb verify --audit` reads all");
    f.audit_damage = strdup("line 2: entry 2 was changed");
    assert_audit(&f, STATUS_CRITICAL, "line 2: entry 2 was changed; `sfb verify --audit` tells all");
    f.audit_trouble = strdup("Permission denied");
    assert_audit(&f, STATUS_UNKNOWN, "it can't be read: Permission denied");
    status_release_facts(&f);
}

static void test_line(void **state)
{
    struct status_facts f = fine();
    struct status s;
    struct buf out;
    char *bar;

    (void)state;
    buf_init(&out, 65536);
    s = judged(&f);
    status_line(&out, &s);
    assert_string_equal(out.data,
                        "OK - newest backup 4 h ago, proven 26 h ago | backup_age=14400s;;90000 schedule=0;0; "
                        "backup_success=100%;100:; upload_failures=0;0; backup_duration=600s;3600; "
                        "size_growth=0%;50; drill_success=100%;100:;100: proof_age=93600s;3110400; "
                        "recovery_time=300s;3600; copies=0;;0 unfinished=0;0; open_uploads=0;0; "
                        "clock=0s;60;900 certificate=5184000s;1209600:;259200:\n");
    add_run(&f, RUN_BACKUP, NOW, 1);
    s = judged(&f);
    buf_reset(&out);
    status_text(&out, &s);
    bar = strchr(out.data, '|'); /* one, whatever anybody's message says; and no line of their own */
    assert_null(strchr(bar + 1, '|'));
    assert_non_null(strstr(out.data, "the disk / is full\\nof cats"));
    buf_release(&out);
    status_release_facts(&f);
}

static void test_metrics(void **state)
{
    struct status_facts production = fine(), staging = fine();
    struct status one, two;
    const struct status *all[] = { &one, &two };
    struct buf out;

    (void)state;
    free(staging.environment);
    staging.environment = strdup("sta\"g\\ing\n");
    staging.certificate = 0;
    status_judge(&production, NOW, &one);
    status_judge(&staging, NOW, &two);
    buf_init(&out, STATUS_METRICS_MAX);
    status_prometheus(&out, all, 2);
    assert_non_null(strstr(out.data, "# TYPE sfb_backup_last_size_bytes gauge\n"
                                     "sfb_backup_last_size_bytes{environment=\"production\"} 104857600\n"
                                     "sfb_backup_last_size_bytes{environment=\"sta\\\"g\\\\ing\\n\"} 104857600\n"
                                     "# HELP "));
    assert_non_null(strstr(out.data, "sfb_run_last_exit_code{environment=\"production\",kind=\"drill\"} 0\n"));
    assert_null(strstr(out.data, "sfb_store_certificate_expiry_timestamp_seconds{environment=\"sta"));
    assert_null(strstr(out.data, "nan"));
    buf_release(&out);
    status_release_facts(&production);
    status_release_facts(&staging);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("when all is well nothing complains, and the first line says how well", test_fine),
        PROMISE("the worst decides, and stands in the first line", test_worst),
        PROMISE("nothing known is unknown, known to be nothing is critical", test_unknown),
        PROMISE("a backup older than the schedule and an hour is critical", test_age),
        PROMISE("a backup from the future does not hide that none came since", test_tomorrow),
        PROMISE("missed backups are counted, an hour late is none", test_schedule),
        PROMISE("one that has just begun has missed nothing", test_young_history),
        PROMISE("a failed backup is critical until one succeeds, then a warning for seven days", test_success),
        PROMISE("a failed upload is critical until one succeeds, then a warning for seven days", test_uploads),
        PROMISE("a backup that takes more than an hour is a warning", test_duration),
        PROMISE("more than half as much again in seven days is a warning, and so is half as much", test_growth),
        PROMISE("sizes are compared of one format, of seven days, and not of crumbs", test_growth_of_others),
        PROMISE("a failed drill is critical until one succeeds", test_drills),
        PROMISE("without a history the drills' reports tell", test_reports),
        PROMISE("a proof wears out; a restore elsewhere proves its source", test_proof_age),
        PROMISE("a recovery over the limit is a warning; newest, median and worst are told", test_recovery),
        PROMISE("a store that can't be read is a warning", test_store),
        PROMISE("copies that are gone or changed are critical, unfinished ones a warning", test_copies),
        PROMISE("clock and certificate have limits on both sides", test_way_there),
        PROMISE("verify, prune and the history have their say", test_others),
        PROMISE("an audit log that is not what was written is critical", test_audit),
        PROMISE("the first line is what a monitoring plugin prints", test_line),
        PROMISE("metrics stand together by name, labels are escaped, the unknown has none", test_metrics),
    };

    return RUN_PROMISES(tests);
}
