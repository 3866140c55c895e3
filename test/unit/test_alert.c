/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"
#include "test/unit/settings.h"

#include <cjson/cJSON.h>

#include "core/base/os.h"
#include "core/watch/alert_heartbeat.h"
#include "core/watch/alert_state.h"
#include "core/watch/alert_text.h"

static struct settings *settings;

static struct settings *load(const char *name, const char *value)
{
    struct err err = { 0 };

    for (int i = 0; i < SETTING_COUNT; i++)
        unsetenv(settings_name((enum setting)i));
    if (name)
        setenv(name, value, 1);
    settings_free(settings);
    settings = unit_settings("/dev/null", &err);
    assert_non_null(settings);
    if (name)
        unsetenv(name);
    return settings;
}

/* The contract's: 2025-10-23 02:00:15 UTC. */
static void failed_run(struct run *r, enum run_kind kind, const char *error, const char *hint)
{
    struct err err = { 0 };

    run_init(r, kind, 1761184805);
    r->seconds = 10.4;
    r->exit_code = 1;
    run_set(&r->environment, "production", &err);
    run_set(&r->error, error, &err);
    run_set(&r->hint, hint, &err);
    run_set(&r->host, "db1", &err);
}

static char *slack(const struct run *r, bool blocks, struct settings *s)
{
    struct err err = { 0 };
    struct alert a;
    struct buf out;

    buf_init(&out, 65536);
    assert_int_equal(alert_of_run(&a, ALERT_FAILED, r, 0, 1, s, &err), 0);
    assert_int_equal(alert_slack(&out, &a, blocks, &err), 0);
    alert_release(&a);
    return buf_take(&out, &err);
}

/* ---- forms --------------------------------------------------------------------------------------------------- */

static void contract(void **state)
{
    struct run r;
    char *json;

    (void)state;
    failed_run(&r, RUN_BACKUP, "Database connection timeout", NULL);
    json = slack(&r, true, load(NULL, NULL));
    assert_string_equal(json, "{\"text\":\"❌ Database backup failed\",\"blocks\":[{\"type\":\"section\",\"text\":"
                              "{\"type\":\"mrkdwn\",\"text\":\"*Database Backup Failed*\\n\\nEnvironment: production\\n"
                              "Error: Database connection timeout\\nTime: 2025-10-23 02:00:15 UTC\\n\\n"
                              "*Action Required*: Investigate database connectivity\"}}]}");
    free(json);
    json = slack(&r, false, settings);
    assert_string_equal(json, "{\"text\":\"❌ Database backup failed\\n\\n*Database Backup Failed*\\n\\n"
                              "Environment: production\\nError: Database connection timeout\\n"
                              "Time: 2025-10-23 02:00:15 UTC\\n\\n"
                              "*Action Required*: Investigate database connectivity\"}");
    free(json);
    run_release(&r);
}

static void kinds(void **state)
{
    static const struct {
        enum run_kind kind;
        const char *text, *title;
    } cases[] = {
        { RUN_RESTORE, "❌ Database restore failed", "*Database Restore Failed*" },
        { RUN_VERIFY, "❌ Backup verification failed", "*Backup Verification Failed*" },
        { RUN_PRUNE, "❌ Backup pruning failed", "*Backup Pruning Failed*" },
        { RUN_DRILL, "❌ Restore test failed", "*Restore Test Failed*" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run r;
        char *json;

        failed_run(&r, cases[i].kind, "x", NULL);
        json = slack(&r, true, load(NULL, NULL));
        assert_non_null(strstr(json, cases[i].text));
        assert_non_null(strstr(json, cases[i].title));
        assert_non_null(strstr(json, "*Action Required*: "));
        free(json);
        run_release(&r);
    }
}

static void hints(void **state)
{
    static const struct {
        const char *hint, *action;
    } cases[] = {
        { "free some space", "*Action Required*: Free some space\"" },
        { "`sfb doctor` says more", "*Action Required*: `sfb doctor` says more\"" },
        { "pg_hba.conf of the server", "*Action Required*: pg_hba.conf of the server\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run r;
        char *json;

        failed_run(&r, RUN_BACKUP, "x", cases[i].hint);
        json = slack(&r, true, load(NULL, NULL));
        assert_non_null(strstr(json, cases[i].action));
        free(json);
        run_release(&r);
    }
}

static void escaping(void **state)
{
    struct run r;
    char *json;

    (void)state;
    failed_run(&r, RUN_BACKUP, "<!channel> a & b\nERROR: \"q\" \x1b[2J \xff", NULL);
    json = slack(&r, true, load(NULL, NULL));
    assert_non_null(strstr(json, "Error: &lt;!channel&gt; a &amp; b\\\\nERROR: \\\"q\\\" \\\\x1B[2J \\\\xFF\\nTime"));
    free(json);
    run_release(&r);
}

static void long_error(void **state)
{
    char error[1024];
    struct run r;
    char *json;
    cJSON *root;
    const char *text;

    (void)state;
    memset(error, '&', sizeof error);
    error[sizeof error - 1] = '\0';
    failed_run(&r, RUN_BACKUP, error, "look");
    json = slack(&r, true, load(NULL, NULL));
    root = cJSON_Parse(json);
    text = cJSON_GetStringValue(cJSON_GetObjectItem(
        cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "blocks"), 0), "text"), "text"));
    assert_in_range(strlen(text), 1000, 3000);
    assert_non_null(strstr(text, "&amp;…\nTime: 2025-10-23 02:00:15 UTC\n\n*Action Required*: Look"));
    cJSON_Delete(root);
    free(json);
    run_release(&r);
}

static void hidden(void **state)
{
    struct err err = { 0 };
    struct alert a;
    struct run r;
    struct buf out;

    (void)state;
    failed_run(&r, RUN_BACKUP, "server says swordfish", "not swordfish");
    load("PRODUCTION_DATABASE_URL", "postgresql://u:swordfish@h/d");
    buf_init(&out, 65536);
    assert_int_equal(alert_of_run(&a, ALERT_FAILED, &r, 0, 1, settings, &err), 0);
    assert_int_equal(alert_json(&out, &a, &err), 0);
    assert_int_equal(alert_slack(&out, &a, true, &err), 0);
    alert_plain(&out, &a);
    alert_html(&out, &a);
    assert_null(strstr(out.data, "swordfish"));
    assert_non_null(strstr(out.data, "server says ***"));
    buf_release(&out);
    alert_release(&a);
    run_release(&r);
}

static void mail_forms(void **state)
{
    struct err err = { 0 };
    struct alert a;
    struct run r;
    struct buf out;

    (void)state;
    failed_run(&r, RUN_DRILL, "table <a> & \"b\"", "look");
    assert_int_equal(alert_of_run(&a, ALERT_FAILED, &r, 1761098415, 2, load(NULL, NULL), &err), 0);
    buf_init(&out, 65536);
    alert_subject(&out, &a);
    assert_string_equal(out.data, "❌ Restore test failed: production (db1)");
    buf_reset(&out);
    alert_plain(&out, &a);
    assert_true(strstr(out.data, "Restore Test Failed\n\nEnvironment: production\nError: table <a> & \"b\"\n"
                                 "Time: 2025-10-23 02:00:15 UTC\nFailing Since: 2025-10-22 02:00:15 UTC (2 runs)\n\n"
                                 "Action Required: Look\n\n") == out.data);
    assert_non_null(strstr(out.data, "\nHost: db1\n"));
    buf_reset(&out);
    alert_html(&out, &a);
    assert_non_null(strstr(out.data, "table &lt;a&gt; &amp; &quot;b&quot;"));
    assert_null(strstr(out.data, "<a>"));
    buf_release(&out);
    alert_release(&a);
    run_release(&r);
}

static void json_there_and_back(void **state)
{
    struct err err = { 0 };
    struct alert a, b;
    struct buf one, two;
    struct run r;

    (void)state;
    failed_run(&r, RUN_BACKUP, "ö \"x\"", "look");
    assert_int_equal(alert_of_run(&a, ALERT_FAILED, &r, 0, 1, load(NULL, NULL), &err), 0);
    buf_init(&one, 65536);
    buf_init(&two, 65536);
    assert_int_equal(alert_json(&one, &a, &err), 0);
    assert_int_equal(alert_parse(&b, one.data, &err), 0);
    assert_int_equal(alert_json(&two, &b, &err), 0);
    assert_string_equal(one.data, two.data);
    assert_non_null(strstr(one.data, "{\"version\":1,\"id\":\""));
    assert_non_null(strstr(one.data, "\"event\":\"failed\",\"time\":\"2025-10-23T02:00:15Z\""));
    assert_non_null(strstr(one.data, "\"run\":{"));
    buf_release(&one);
    buf_release(&two);
    alert_release(&a);
    alert_release(&b);
    run_release(&r);
}

/* ---- sameness ------------------------------------------------------------------------------------------------ */

static bool same(const char *one, const char *other)
{
    char a[ALERT_ID], b[ALERT_ID];
    struct run r;

    failed_run(&r, RUN_BACKUP, one, NULL);
    alert_key(a, &r);
    run_release(&r);
    failed_run(&r, RUN_BACKUP, other, NULL);
    alert_key(b, &r);
    run_release(&r);
    return strcmp(a, b) == 0;
}

static void keys(void **state)
{
    char a[ALERT_ID], b[ALERT_ID];
    struct err err = { 0 };
    struct run r;

    (void)state;
    assert_true(same("can't connect to db:5432: timeout after 10 s", "can't connect to db:5433: timeout after 11 s"));
    assert_true(same("backup-20251023-020000.dump is damaged", "backup-20251024-020000.dump is damaged"));
    assert_false(same("timeout", "wrong password"));
    failed_run(&r, RUN_BACKUP, "x", NULL);
    alert_key(a, &r);
    run_set(&r.environment, "staging", &err);
    alert_key(b, &r);
    assert_string_not_equal(a, b);
    run_release(&r);
}

#define HOUR ((time_t)3600)

static void repeats(void **state)
{
    struct alert_state st = { .n_told = 0 };
    unsigned times;
    time_t since;

    (void)state;
    assert_true(alert_state_failed(&st, "backup production", "a", 1000000, 24, &since, &times));
    assert_int_equal(since, 0);
    assert_false(alert_state_failed(&st, "backup production", "a", 1000000 + 24 * HOUR - 1, 24, &since, &times));
    assert_true(alert_state_failed(&st, "backup production", "b", 1000000 + 2, 24, &since, &times)); /* another error */
    assert_true(alert_state_failed(&st, "backup staging", "a", 1000000 + 2, 24, &since, &times));
    assert_true(alert_state_failed(&st, "backup production", "a", 1000000 + 24 * HOUR, 24, &since, &times));
    assert_int_equal(since, 1000000);
    assert_int_equal(times, 3);
    assert_false(alert_state_failed(&st, "backup production", "a", 1000000 + 25 * HOUR, 24, &since, &times));
    assert_true(alert_state_failed(&st, "backup production", "a", 1000000 + 25 * HOUR, 0, &since, &times));
    assert_true(alert_state_failed(&st, "backup production", "a", 1000000, 24, &since, &times)); /* a clock put back */
    alert_state_release(&st);
}

static void recovery(void **state)
{
    struct alert_state st = { .n_told = 0 };
    unsigned times;
    time_t since;

    (void)state;
    assert_false(alert_state_succeeded(&st, "backup production", &since, &times));
    alert_state_failed(&st, "backup production", "a", 1000, 24, &since, &times);
    alert_state_failed(&st, "backup production", "b", 2000, 24, &since, &times);
    alert_state_failed(&st, "backup staging", "a", 2000, 24, &since, &times);
    assert_true(alert_state_succeeded(&st, "backup production", &since, &times));
    assert_int_equal(since, 1000);
    assert_int_equal(times, 2);
    assert_false(alert_state_succeeded(&st, "backup production", &since, &times));
    assert_true(alert_state_failed(&st, "backup production", "a", 3000, 24, &since, &times)); /* told at once again */
    assert_int_equal(since, 0);
    assert_true(alert_state_succeeded(&st, "backup staging", &since, &times));
    alert_state_release(&st);
}

static void recovery_of_verify(void **state)
{
    struct buf one, other;
    struct err err = { 0 };
    struct run r;

    (void)state;
    buf_init(&one, 1024);
    buf_init(&other, 1024);
    failed_run(&r, RUN_VERIFY, "x", NULL);
    run_set(&r.backup, "backup-20251023-020000.dump", &err);
    alert_condition(&one, &r);
    run_set(&r.backup, "backup-20251024-020000.dump", &err);
    alert_condition(&other, &r);
    assert_string_not_equal(one.data, other.data);
    buf_release(&one);
    buf_release(&other);
    run_release(&r);
}

/* ---- what waits ---------------------------------------------------------------------------------------------- */

static void make_wait(struct alert_state *st, const char *title, const char *key, time_t t)
{
    struct err err = { 0 };
    struct alert a;

    assert_int_equal(alert_init(&a, ALERT_FAILED, t, "h", title, &err), 0);
    alert_state_wait(st, &a, key, 3);
}

static void waiting(void **state)
{
    struct alert_state st = { .n_told = 0 };
    char title[16];

    (void)state;
    make_wait(&st, "one", "k", 1000000);
    make_wait(&st, "two", "", 1000000);
    make_wait(&st, "three", "k", 1000001); /* the same failure, later: one is enough */
    assert_int_equal(st.n_waiting, 2);
    assert_string_equal(st.waiting[0].alert.title, "two");
    assert_int_equal(alert_state_sweep(&st, 1, 1000001), 0);
    assert_int_equal(st.waiting[0].channels, 1); /* the other one is not configured any more */
    assert_int_equal(alert_state_sweep(&st, 1, 1000000 + ALERT_WAITING_SECONDS + 1), 1);
    assert_int_equal(st.n_waiting, 1);
    assert_int_equal(alert_state_sweep(&st, 0, 1000001), 0);
    assert_int_equal(st.n_waiting, 0);
    for (int i = 0; i <= ALERT_WAITING_MAX; i++) {
        snprintf(title, sizeof title, "%d", i);
        make_wait(&st, title, "", 1000000);
    }
    assert_int_equal(st.n_waiting, ALERT_WAITING_MAX);
    assert_string_equal(st.waiting[0].alert.title, "1");
    alert_state_release(&st);
}

static void kept(void **state)
{
    struct alert_state st = { .n_told = 0 }, back;
    struct err err = { 0 };
    unsigned times;
    time_t since;

    (void)state;
    alert_state_load(&back, "state.json");
    assert_int_equal(back.n_told + back.n_waiting, 0);
    alert_state_failed(&st, "backup production", "a", 1761184815, 24, &since, &times);
    make_wait(&st, "one", "k", 1761184815);
    assert_int_equal(alert_state_save(&st, "state.json", &err), 0);
    alert_state_load(&back, "state.json");
    assert_int_equal(back.n_told, 1);
    assert_int_equal(back.n_waiting, 1);
    assert_int_equal(back.told[0].told, 1761184815);
    assert_string_equal(back.waiting[0].alert.title, "one");
    assert_string_equal(back.waiting[0].alert.id, st.waiting[0].alert.id);
    assert_int_equal(back.waiting[0].channels, 3);
    assert_false(back.changed);
    alert_state_release(&st);
    alert_state_release(&back);
}

static void garbage(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "7",
        "{\"told\":7,\"waiting\":\"x\"}",
        "{\"told\":[7,{},{\"condition\":\"a\",\"key\":\"b\",\"since\":\"x\",\"told\":\"y\",\"times\":1}],\"waiting\":[{}]}",
        "{\"told\":[{\"condition\":\"a\",\"key\":\"0123456789012345678901234567890123456789\",\"since\":"
        "\"2025-10-23T02:00:15Z\",\"told\":\"2025-10-23T02:00:15Z\",\"times\":-1}]}",
        "{\"waiting\":[{\"key\":\"\",\"channels\":1,\"alert\":{\"id\":\"x\"}}]}",
        "{\"waiting\":[{\"key\":\"\",\"channels\":1e300,\"alert\":{}}]}",
    };
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct alert_state st;

        assert_int_equal(os_write_file("state.json", texts[i], strlen(texts[i]), &err), 0);
        alert_state_load(&st, "state.json");
        assert_int_equal(st.n_told, 0);
        assert_int_equal(st.n_waiting, 0);
        alert_state_release(&st);
    }
}

/* ---- the heartbeat ------------------------------------------------------------------------------------------- */

static void assert_beat(enum alert_beat beat, const char *expected)
{
    struct buf url;

    buf_init(&url, 1024);
    alert_heartbeat_url(&url, settings, beat);
    assert_string_equal(url.data, expected);
    buf_release(&url);
}

static void beats(void **state)
{
    (void)state;
    load("SFB_HEARTBEAT_URL", "https://hc-ping.com/uuid/");
    assert_beat(ALERT_BEAT_START, "https://hc-ping.com/uuid/start");
    assert_beat(ALERT_BEAT_SUCCESS, "https://hc-ping.com/uuid/");
    assert_beat(ALERT_BEAT_FAIL, "https://hc-ping.com/uuid/fail");
    load("SFB_HEARTBEAT_URL", "https://kuma/api/push/x?status=up");
    assert_beat(ALERT_BEAT_START, "");
    assert_beat(ALERT_BEAT_SUCCESS, "https://kuma/api/push/x?status=up");
    assert_beat(ALERT_BEAT_FAIL, "");
    load(NULL, NULL);
    assert_beat(ALERT_BEAT_SUCCESS, "");
    assert_beat(ALERT_BEAT_START, "");
    load("SFB_HEARTBEAT_FAIL_URL", "https://x/down");
    assert_beat(ALERT_BEAT_FAIL, "https://x/down");
    load("SFB_HEARTBEAT_START_URL", "none");
    assert_beat(ALERT_BEAT_START, "");
}

static void beat_counts(void **state)
{
    struct err err = { 0 };

    (void)state;
    load(NULL, NULL);
    assert_true(alert_heartbeat_counts(settings, RUN_BACKUP, "production"));
    assert_false(alert_heartbeat_counts(settings, RUN_BACKUP, "staging"));
    assert_false(alert_heartbeat_counts(settings, RUN_BACKUP, NULL));
    assert_false(alert_heartbeat_counts(settings, RUN_DRILL, "production"));
    load("SFB_HEARTBEAT_RUNS", "backup:staging, drill");
    assert_false(alert_heartbeat_counts(settings, RUN_BACKUP, "production"));
    assert_true(alert_heartbeat_counts(settings, RUN_BACKUP, "staging"));
    assert_true(alert_heartbeat_counts(settings, RUN_DRILL, "production"));
    assert_true(alert_heartbeat_counts(settings, RUN_DRILL, NULL));
    assert_int_equal(alert_heartbeat_check(settings, &err), 0);
    assert_int_equal(alert_heartbeat_check(load("SFB_HEARTBEAT_RUNS", "backups"), &err), -1);
    assert_non_null(strstr(err.message, "\"backups\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a failed backup reads in Slack as the contract has it, byte for byte", contract),
        PROMISE("the failures of the other commands read in the same manner", kinds),
        PROMISE("what to do is the error's own hint, as a sentence", hints),
        PROMISE("no error can call a channel, forge a link or break the line", escaping),
        PROMISE("a long error fits into Slack's section and leaves room for what to do", long_error),
        PROMISE("no form of an alert holds a secret of the settings", hidden),
        PROMISE("a mail says it as text and as HTML that nothing can break out of", mail_forms),
        PROMISE("an alert as JSON reads back as the same", json_there_and_back),
        PROMISE("failures that differ in numbers alone are the same, others are not", keys),
        PROMISE("the same failure is told again only after the hours that were set", repeats),
        PROMISE("that it works again is told once, and the next failure at once", recovery),
        PROMISE("another backup's verification is no recovery of a damaged one", recovery_of_verify),
        PROMISE("what waits is bounded in number and in age, and one of its kind", waiting),
        PROMISE_IN_DIR("what was told and what waits is kept", kept),
        PROMISE_IN_DIR("a state file that is garbage is begun anew", garbage),
        PROMISE("the heartbeat's URLs are derived where that is safe", beats),
        PROMISE("the heartbeat is of production's backups, or of what was named", beat_counts),
    };
    int rc = RUN_PROMISES(tests);

    settings_free(settings);
    return rc;
}
