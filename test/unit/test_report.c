/* SPDX-License-Identifier: PostgreSQL */
/* test_report.c - what a drill's report says, for people and for programs. */
#include "test/unit/unit.h"

#include <cjson/cJSON.h>

#include "core/base/clock.h"
#include "test/unit/report_build.h"

static struct sample *sample;
static struct report report;
static struct buf out;

static void begin(struct sample *s)
{
    sample = s;
    sample_report(&report, s);
    buf_init(&out, REPORT_MAX);
}

static void end(void)
{
    buf_release(&out);
    report_release(&report);
    sample_free(sample);
}

static const char *text(void)
{
    buf_reset(&out);
    report_text(&out, &report);
    assert_false(out.failed);
    return out.data;
}

static const char *page(void)
{
    buf_reset(&out);
    report_html(&out, &report);
    assert_false(out.failed);
    return out.data;
}

static cJSON *json(void)
{
    struct err err = { 0 };
    cJSON *root;

    buf_reset(&out);
    assert_int_equal(report_json(&out, &report, &err), 0);
    root = cJSON_Parse(out.data);
    assert_non_null(root);
    return root;
}

#define assert_has(haystack, needle) assert_non_null(strstr(haystack, needle))
#define assert_has_not(haystack, needle) assert_null(strstr(haystack, needle))

/* ---- the verdict ------------------------------------------------------------------------------------------------ */

static void passed(void **state)
{
    (void)state;
    begin(sample_new());
    assert_int_equal(report.verdict, PROOFS_PASSED);
    assert_string_equal(report.name, "drill-20251101-050728-passed-backup-20251101-020000");
    assert_has(text(), "✅ The backup of 2025-11-01 02:00 UTC brings the database back.\n");
    assert_has(page(), "<title>Drill passed: production, 2025-11-01</title>");
    assert_has(page(), "2025, 02:00&nbsp;UTC</time> brings the database back.</h1>");
    end();
}

static void failed(void **state)
{
    (void)state;
    begin(sample_failed());
    assert_int_equal(report.verdict, PROOFS_FAILED);
    assert_has(text(), "❌ The backup of 2025-11-01 02:00 UTC does not bring the database back.\n");
    assert_has(text(), "   Error: public.signups has 3,300,313 rows, but 3,300,314 were backed up\n");
    assert_has(text(), "   ❌ public.signups: 3,300,314 rows backed up, 3,300,313 restored\n");
    assert_has(text(), "   ❌ public.events: 60,000 rows backed up, the table was not found\n");
    assert_has_not(text(), "public.people");
    /* in the page what is wrong comes before what is right */
    assert_true(strstr(page(), "public.signups</th>") < strstr(out.data, "public.busiest</th>"));
    assert_has(page(), "</svg>differs</span>");
    assert_has(page(), "</svg>not found</span>");
    end();
}

static void undecided(void **state)
{
    static const enum err_class not_the_backup[] = { ERR_CONNECT, ERR_SPACE, ERR_STORE, ERR_IO, ERR_INTERNAL };
    static const enum err_class the_backup[] = { ERR_NOT_FOUND, ERR_DAMAGED, ERR_RESTORE, ERR_PROOF };

    (void)state;
    for (size_t i = 0; i < sizeof not_the_backup / sizeof *not_the_backup; i++) {
        struct sample *s = sample_unfinished();

        s->why.class = not_the_backup[i];
        begin(s);
        assert_int_equal(report.verdict, PROOFS_UNFINISHED);
        assert_has(report.name, "-unfinished-");
        assert_has(page(), "This says nothing about the backup itself.");
        assert_has(page(), "could not be carried out");
        end();
    }
    for (size_t i = 0; i < sizeof the_backup / sizeof *the_backup; i++) {
        struct sample *s = sample_unfinished();

        s->why.class = the_backup[i];
        begin(s);
        assert_int_equal(report.verdict, PROOFS_FAILED);
        end();
    }
}

static void not_due(void **state)
{
    static const enum err_class classes[] = { ERR_USAGE, ERR_CONFIG, ERR_BUSY, ERR_CANCELLED, ERR_SIGNAL };
    struct err err = { .class = ERR_PROOF };

    (void)state;
    assert_true(report_is_due(&err));
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        err.class = classes[i];
        assert_false(report_is_due(&err));
    }
}

static void nothing_known(void **state)
{
    cJSON *root;

    (void)state;
    begin(sample_nothing());
    assert_string_equal(report.name, "drill-20251101-051300-failed");
    assert_has(text(), "No backup was found to recover from.");
    assert_has(page(), "No backup was found to recover from.</h1>");
    root = json();
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "figures"), "recovery_seconds")));
    cJSON_Delete(root);
    end();
}

/* ---- the figures ------------------------------------------------------------------------------------------------ */

static void recovery(void **state)
{
    struct sample *s;

    (void)state;
    begin(sample_new()); /* the last five that passed, this one of 278.2 s among them */
    assert_int_equal(report.measured, 5);
    assert_true(report.median == 279);
    assert_true(report.worst == 402);
    assert_int_equal(report.n_drills, 13);
    end();
    begin(sample_failed()); /* its own time measures nothing */
    assert_int_equal(report.measured, 5);
    assert_true(report.worst == 402);
    assert_true(report.median == 279);
    end();
    s = sample_new();
    s->history.n = 3; /* 244, 251 and 239: of an even number it is between the two in the middle */
    begin(s);
    assert_true(report.median == (244 + 251) / 2.);
    assert_true(report.worst == s->drill.recovery_seconds);
    end();
    begin(sample_many());
    assert_int_equal(report.n_drills, 101);
    assert_int_equal(report.drills[100].started, sample->drill.started);
    assert_int_equal(report.drills[99].started, SAMPLE_NOW - 86400);
    end();
}

static void others(void **state)
{
    struct sample *s = sample_new();

    (void)state;
    s->runs[0].kind = RUN_BACKUP;
    s->runs[1].environment = (char *)"staging";
    s->runs[2].exit_code = RUN_BUSY;
    s->runs[3].signal = 15;
    s->runs[5].environment = NULL;
    begin(s);
    assert_int_equal(report.n_drills, 13 - 5);
    end();
}

static void loss(void **state)
{
    struct sample *s = sample_new();
    struct err err = { 0 };

    (void)state;
    begin(s);
    assert_true(report_loss(&report) == 3 * 3600 + 780);
    assert_string_equal(report.newest_backup, "backup-20251101-020000");
    end();

    s = sample_failed(); /* then an older one counts, that no later drill has refuted */
    assert_int_equal(
        proofs_add(&s->proofs, "production", "drill-20251025-040000-passed-backup-20251025-020000", 0, &err), 0);
    assert_int_equal(
        proofs_add(&s->proofs, "production", "drill-20251101-030000-passed-backup-20251101-020000", 0, &err), 0);
    begin(s);
    assert_string_equal(report.newest_backup, "backup-20251025-020000");
    assert_has(text(), "Lost would be what happened in the last 7 days: the newest proven backup is of 2025-10-25");
    end();

    begin(sample_failed());
    assert_true(report_loss(&report) < 0);
    assert_has(text(), "Lost would be everything: no backup is proven");
    assert_has(page(), "<dt>Data loss at worst</dt><dd>everything</dd>");
    end();

    s = sample_failed(); /* in a smoke test only: every row of it came back */
    s->drill.proven = true;
    begin(s);
    assert_int_equal(report.verdict, PROOFS_FAILED);
    assert_string_equal(report.newest_backup, "backup-20251101-020000");
    assert_has(text(), "Lost would be what happened in the last 3 hours: the newest proven backup is of 2025-11-01");
    end();

    s = sample_failed(); /* an earlier drill failed so, and its report says no more than that it failed */
    s->runs[s->history.n - 1].exit_code = 5;
    s->runs[s->history.n - 1].proven = true;
    s->runs[s->history.n - 1].backup = (char *)"backup-20251024-020000.dump";
    s->runs[s->history.n - 1].taken = SAMPLE_NOW - 8 * 86400;
    assert_int_equal(
        proofs_add(&s->proofs, "production", "drill-20251025-051300-failed-backup-20251024-020000", 0, &err), 0);
    begin(s);
    assert_string_equal(report.newest_backup, "backup-20251024-020000");
    end();

    s = sample_failed(); /* what came back once does not count when it no longer does */
    s->runs[s->history.n - 1].proven = true;
    s->runs[s->history.n - 1].backup = s->drill.backup;
    s->runs[s->history.n - 1].taken = s->drill.taken;
    begin(s);
    assert_true(report_loss(&report) < 0);
    end();

    s = sample_new(); /* a drill of an old backup does not make the newer proof worse */
    s->drill.taken -= 40 * 86400;
    assert_int_equal(
        proofs_add(&s->proofs, "production", "drill-20251031-040000-passed-backup-20251031-020000", 0, &err), 0);
    begin(s);
    assert_string_equal(report.newest_backup, "backup-20251031-020000");
    end();
}

/* ---- for programs, and against people --------------------------------------------------------------------------- */

static void for_programs(void **state)
{
    cJSON *root, *table;

    (void)state;
    begin(sample_failed());
    root = json();
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "verdict")), "failed");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "tables")), 6);
    table = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "tables"), 5);
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(table, "rows")) == 3300314);
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(table, "rows_restored")) == 3300313);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(table, "same")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(table, "rows_production")));
    cJSON_Delete(root);
    sample->tables[0].rows = UINT64_MAX; /* every digit counts */
    root = json();
    assert_has(out.data, "18446744073709551615");
    cJSON_Delete(root);
    end();
}

static void hostile(void **state)
{
    cJSON *root;

    (void)state;
    begin(sample_hostile());
    assert_has_not(page(), "<script");
    assert_has_not(page(), "\x1B");
    assert_has_not(page(), "\xE2\x80\xAE");
    assert_has_not(page(), "\xFF");
    assert_has(page(),
               "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; &amp;amp; \\xE2\\x80\\xAEtxt.exe\\nnext\\x1B[31m");
    assert_has_not(text(), "\x1B");
    assert_has_not(text(), "exe\nnext");
    assert_has_not(text(), "\xFF");
    root = json();
    assert_has_not(out.data, "\xFF");
    cJSON_Delete(root);
    assert_has_not(report.name, "<");
    assert_has_not(report.name, "/");
    end();
}

static void many(void **state)
{
    (void)state;
    begin(sample_many());
    assert_has(page(), "<th scope=\"row\" class=\"file\">events.part_1999</th>");
    assert_has(page(), "2000 tables");
    cJSON_Delete(json());
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a backup that was proven is said to bring the database back", passed),
        PROMISE("one that lost a row does not, and what is wrong comes first", failed),
        PROMISE("a drill that could not be done says nothing about the backup", undecided),
        PROMISE("what was not begun, or was called off, has no report", not_due),
        PROMISE("that there is no backup at all is reported too", nothing_known),
        PROMISE("the recovery time is the median and the worst of the last drills that passed", recovery),
        PROMISE("other runs, other environments, and drills that did not happen are no trend", others),
        PROMISE("data loss is the age of the newest backup that nothing has refuted", loss),
        PROMISE("programs get every figure, exactly", for_programs),
        PROMISE("no name from a database reaches the reader as anything but text", hostile),
        PROMISE("thousands of tables and drills fit", many),
    };

    return RUN_PROMISES(tests);
}
