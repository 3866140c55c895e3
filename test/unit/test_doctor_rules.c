/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include "core/backup/doctor_rules.h"

#define DAY 86400
#define NOW ((time_t)1761184935) /* 2025-10-23 02:02:15 */

/* ---- helpers ------------------------------------------------------------------------------------------------- */

static struct doctor_report report;

static struct s3_rule rule_of(const char *id, const char *prefix, int days)
{
    struct s3_rule rule = { .enabled = true, .expire_days = days };

    snprintf(rule.id, sizeof rule.id, "%s", id);
    snprintf(rule.prefix, sizeof rule.prefix, "%s", prefix);
    return rule;
}

static struct s3_rule sweep(const char *prefix)
{
    struct s3_rule rule = rule_of("sweep", prefix, 0);

    rule.abort_days = 2;
    return rule;
}

static void judge_at(const struct s3_rule *rules, size_t n, const char *base, time_t newest, bool versioned)
{
    struct doctor_lifecycle l = { .rules = rules,
                                  .n = n,
                                  .base = base,
                                  .environment = "production",
                                  .newest = newest,
                                  .versioned = versioned,
                                  .now = NOW };

    report.n = 0;
    doctor_rules_lifecycle(&report, &l);
}

static void judge(const struct s3_rule *rules, size_t n)
{
    judge_at(rules, n, "", NOW - 3600, false);
}

/* How many findings of that state hold the words. */
static size_t count(enum doctor_state state, const char *words)
{
    size_t n = 0;

    for (size_t i = 0; i < report.n; i++)
        n += report.items[i].state == state && strstr(report.items[i].text, words) != NULL;
    return n;
}

static void assert_remedies(void)
{
    for (size_t i = 0; i < report.n; i++)
        if (report.items[i].state >= DOCTOR_WARNING)
            assert_true(report.items[i].remedy[0] != '\0');
}

/* ---- promises ------------------------------------------------------------------------------------------------ */

static void contract(void **state)
{
    const struct s3_rule rules[] = {
        rule_of("d", "production/daily/", 30),
        rule_of("w", "production/weekly/", 90),
        rule_of("m", "production/monthly/", 365),
        rule_of("s", "staging/daily/", 7),
        sweep(""),
    };

    (void)state;
    judge(rules, 5);
    assert_int_equal(doctor_count(&report, DOCTOR_BROKEN), 0);
    assert_int_equal(doctor_count(&report, DOCTOR_WARNING), 1);
    assert_int_equal(count(DOCTOR_WARNING, "rule \"d\" goes by age alone"), 1);
    assert_int_equal(count(DOCTOR_WARNING, "goes on 2025-11-22"), 1);
    assert_int_equal(count(DOCTOR_FINE, "cleared after 2 days"), 1);
    assert_remedies();
}

static void nothing(void **state)
{
    (void)state;
    judge(NULL, 0);
    assert_int_equal(count(DOCTOR_FINE, "no rule deletes daily backups of production"), 1);
    assert_int_equal(count(DOCTOR_WARNING, "no rule clears the parts"), 1);
    assert_int_equal(doctor_count(&report, DOCTOR_WARNING), 1);
    assert_remedies();
}

static void manual(void **state)
{
    const struct s3_rule all = rule_of("all", "", 400), part = rule_of("part", "manual/old", 10),
                         other = rule_of("other", "logs/", 1);

    (void)state;
    judge(&all, 1);
    assert_int_equal(count(DOCTOR_WARNING, "deletes manual backups after 400 days"), 1);
    judge(&part, 1);
    assert_int_equal(count(DOCTOR_WARNING, "deletes manual backups after 10 days"), 1);
    judge(&other, 1);
    assert_int_equal(count(DOCTOR_WARNING, "other"), 0);
}

static void too_early(void **state)
{
    struct s3_rule rules[] = { rule_of("x", "production/", 30) };

    (void)state;
    judge(rules, 1);
    assert_int_equal(count(DOCTOR_WARNING, "deletes production/daily/"), 0);
    assert_int_equal(count(DOCTOR_WARNING, "deletes production/weekly/ after 30 days, and 90 are promised"), 1);
    assert_int_equal(count(DOCTOR_WARNING, "deletes production/monthly/ after 30 days, and 365 are promised"), 1);
    rules[0].narrowed = true;
    judge(rules, 1);
    assert_int_equal(count(DOCTOR_WARNING, "certain tags"), 2);
    rules[0].enabled = false;
    judge(rules, 1);
    assert_int_equal(count(DOCTOR_WARNING, "\"x\""), 0);
    assert_remedies();
}

static void last_one(void **state)
{
    const struct s3_rule rules[] = { rule_of("d", "production/daily/", 30), sweep("") };

    (void)state;
    judge_at(rules, 2, "", NOW - 26 * DAY, false); /* four days are left */
    assert_int_equal(doctor_count(&report, DOCTOR_BROKEN), 0);
    judge_at(rules, 2, "", NOW - 28 * DAY, false);
    assert_int_equal(count(DOCTOR_BROKEN, "deletes the newest daily backup of production on 2025-10-25"), 1);
    judge_at(rules, 2, "", 0, false); /* none yet, or who asks may not list */
    assert_int_equal(doctor_count(&report, DOCTOR_BROKEN), 0);
    assert_int_equal(count(DOCTOR_WARNING, "30 days later"), 1);
    assert_remedies();
}

static void short_rules(void **state)
{
    const struct s3_rule rules[] = { rule_of("d", "production/daily/", 2), sweep("") };

    (void)state;
    judge_at(rules, 2, "", NOW - 3600, false); /* made an hour ago: short, but no emergency */
    assert_int_equal(doctor_count(&report, DOCTOR_BROKEN), 0);
    judge_at(rules, 2, "", NOW - 26 * 3600, false);
    assert_int_equal(doctor_count(&report, DOCTOR_BROKEN), 1);
}

static void prefixes(void **state)
{
    const struct s3_rule rules[] = { rule_of("root", "production/daily/", 3), rule_of("own", "shop/manual/", 3),
                                     sweep("shop/") };
    const struct s3_rule elsewhere = sweep("production/");

    (void)state;
    judge_at(rules, 3, "shop/", NOW, false);
    assert_int_equal(count(DOCTOR_WARNING, "\"root\""), 0);
    assert_int_equal(count(DOCTOR_WARNING, "\"own\" deletes manual"), 1);
    assert_int_equal(count(DOCTOR_FINE, "cleared after"), 1);
    judge_at(&elsewhere, 1, "shop/", NOW, false);
    assert_int_equal(count(DOCTOR_WARNING, "no rule clears the parts"), 1);
}

static void versions(void **state)
{
    struct s3_rule rules[] = { sweep("") };

    (void)state;
    judge_at(rules, 1, "", NOW, true);
    assert_int_equal(count(DOCTOR_WARNING, "keeps what is deleted"), 1);
    rules[0].noncurrent_days = 30;
    judge_at(rules, 1, "", NOW, true);
    assert_int_equal(doctor_count(&report, DOCTOR_WARNING), 0);
}

static void manners(void **state)
{
    struct s3_rule rules[] = { rule_of("dated", "", 0), rule_of("cold", "production/", 0), sweep("") };

    (void)state;
    rules[0].dated = rules[1].moves = true;
    judge(rules, 3);
    assert_int_equal(count(DOCTOR_WARNING, "\"dated\" deletes backups on a fixed date"), 1);
    assert_int_equal(count(DOCTOR_WARNING, "\"cold\" moves backups"), 1);
    assert_remedies();
}

static void many(void **state)
{
    static struct s3_rule rules[1000];

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        rules[i] = rule_of("many", "", 1);
    judge(rules, 1000);
    assert_true(report.n < 30);
    assert_int_equal(count(DOCTOR_WARNING, "no rule clears the parts"), 1); /* not crowded out */
}

static void clocks(void **state)
{
    static const struct {
        double ahead;
        enum doctor_state state;
    } cases[] = { { 0, DOCTOR_FINE },      { -1.5, DOCTOR_FINE },   { 59, DOCTOR_FINE },    { 61, DOCTOR_WARNING },
                  { -61, DOCTOR_WARNING }, { 3600, DOCTOR_BROKEN }, { -901, DOCTOR_BROKEN } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        report.n = 0;
        doctor_rules_clock(&report, cases[i].ahead);
        assert_int_equal(report.items[0].state, cases[i].state);
    }
    assert_non_null(strstr(report.items[0].text, "15m 1s behind the server's"));
    assert_remedies();
}

static void ages(void **state)
{
    (void)state;
    report.n = 0;
    doctor_rules_backups(&report, "staging", 0, 0, NOW);
    doctor_rules_backups(&report, "staging", 4, NOW - 24 * 3600, NOW);
    doctor_rules_backups(&report, "staging", 4, NOW - 26 * 3600, NOW);
    doctor_rules_tls(&report, "TLSv1.3", NOW + 13 * DAY, NOW);
    doctor_rules_tls(&report, "TLSv1.3", NOW + 15 * DAY, NOW);
    doctor_rules_tls(&report, "", 0, NOW);
    assert_int_equal(report.items[0].state, DOCTOR_WARNING);
    assert_int_equal(report.items[1].state, DOCTOR_FINE);
    assert_int_equal(report.items[2].state, DOCTOR_WARNING);
    assert_int_equal(report.items[3].state, DOCTOR_WARNING);
    assert_int_equal(report.items[4].state, DOCTOR_FINE);
    assert_int_equal(report.items[5].state, DOCTOR_FINE);
    assert_remedies();
}

static void lines(void **state)
{
    struct buf out;

    (void)state;
    report.n = 0;
    buf_init(&out, 4096);
    doctor_add(&report, DOCTOR_BROKEN, "bucket", "%s", "a\nb");
    doctor_remedy(&report, "create it");
    doctor_add(&report, DOCTOR_FINE, "clock", "good");
    doctor_line(&out, &report.items[0]);
    doctor_line(&out, &report.items[1]);
    doctor_summary(&out, &report);
    assert_string_equal(out.data, "❌ bucket: a\\nb\n      create it\n✅ clock: good\n❌ 1 thing is broken\n");
    buf_release(&out);
    for (size_t i = 0; i < 2 * DOCTOR_FINDINGS; i++)
        doctor_add(&report, DOCTOR_FINE, "x", "y");
    assert_int_equal(report.n, DOCTOR_FINDINGS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("the contract's rules are right, but go by age: it says when the last backup would go", contract),
        PROMISE("without rules nothing is deleted, and nothing cleared", nothing),
        PROMISE("a rule that takes manual backups is named, however it reaches them", manual),
        PROMISE("a rule that takes backups before their days are over is named", too_early),
        PROMISE("it is an emergency when the newest backup is about to go and none came since", last_one),
        PROMISE("a short rule is an emergency only when backups have stopped", short_rules),
        PROMISE("rules are judged below the store's prefix", prefixes),
        PROMISE("a bucket that keeps versions wants a rule that clears them", versions),
        PROMISE("fixed dates and other storage classes are warned of", manners),
        PROMISE("a thousand rules do not crowd out the rest", many),
        PROMISE("a clock is judged both ways", clocks),
        PROMISE("old backups and certificates are warned of", ages),
        PROMISE("a finding is a line, and its remedy another", lines),
    };

    return RUN_PROMISES(tests);
}
