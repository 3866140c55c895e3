/* SPDX-License-Identifier: PostgreSQL */
/* test_run.c - one run as a line, whatever anybody wrote into it. */
#include "test/unit/unit.h"

#include <signal.h>

#include "core/watch/run.h"

#define STARTED 1761184800 /* 2025-10-23 02:00:00 UTC */

static struct err err;

static char *written(const struct run *r)
{
    struct buf line;

    buf_init(&line, RUN_LINE_MAX);
    err_clear(&err);
    assert_int_equal(run_write(r, &line, &err), 0);
    return buf_take(&line, &err);
}

static struct run parsed(const char *line)
{
    struct run r;

    err_clear(&err);
    if (run_parse(line, strlen(line), &r, &err) < 0)
        fail_msg("%s: %s", err.message, line);
    return r;
}

static void refused(const char *line)
{
    struct run r;

    err_clear(&err);
    if (run_parse(line, strlen(line), &r, &err) == 0)
        fail_msg("taken for a run: %s", line);
    assert_int_equal(err.class, ERR_DAMAGED);
    assert_null(r.host); /* nothing to release */
}

static void full_run(struct run *r)
{
    run_init(r, RUN_BACKUP, STARTED);
    run_set(&r->environment, "production", &err);
    run_set(&r->source, "staging", &err);
    run_set(&r->backup, "backup-20251023-020000.dump", &err);
    run_set(&r->location, "s3://bucket/production/daily/backup-20251023-020000.dump", &err);
    run_set(&r->format, "custom gzip 6", &err);
    run_set(&r->database, "signupflow", &err);
    run_set(&r->md5, "0123456789abcdef0123456789abcdef", &err);
    run_set(&r->error, "it\nfailed: \"why\" \\u0000 \\", &err);
    run_set(&r->hint, "do this", &err);
    r->seconds = 327.125;
    r->exit_code = 3;
    r->signal = SIGTERM;
    r->upload_failed = r->stored = r->verified = r->proven = r->local = true;
    r->taken = STARTED + 1;
    r->size = UINT64_C(9007199254740991);
    r->database_size = 2;
    r->tables = 3;
    r->rows = UINT64_C(1234567890123456);
    r->recovery_seconds = 61.5;
    r->removed = 4;
    r->removed_bytes = 5;
    run_phase(r, "dump", 300.5, &err);
    run_phase(r, "dump", 0.25, &err);
}

static void test_round_trip(void **state)
{
    struct run r, back;
    char *line, *again;

    (void)state;
    full_run(&r);
    line = written(&r);
    assert_null(strchr(line, '\n'));
    back = parsed(line);
    assert_int_equal(back.kind, RUN_BACKUP);
    assert_int_equal(back.started, STARTED);
    assert_string_equal(back.environment, "production");
    assert_string_equal(run_subject(&back), "staging");
    assert_string_equal(back.error, "it\\nfailed: \"why\" \\u0000 \\"); /* control characters are made visible */
    assert_true(back.seconds == 327.125);
    assert_int_equal(back.exit_code, 3);
    assert_int_equal(back.signal, SIGTERM);
    assert_true(back.local && back.upload_failed && back.stored && back.verified && back.proven);
    assert_true(back.size == r.size && back.rows == r.rows && back.tables == 3 && back.database_size == 2);
    assert_true(back.recovery_seconds == 61.5 && back.removed == 4 && back.removed_bytes == 5);
    assert_int_equal(back.taken, STARTED + 1);
    assert_int_equal(back.n_phases, 2);
    assert_string_equal(back.phases[1].name, "dump");
    assert_true(back.phases[0].seconds == 300.5 && back.phases[1].seconds == 0.25);
    assert_string_equal(back.host, r.host);
    assert_int_equal(back.pid, getpid());
    again = written(&back);
    assert_string_equal(line, again);
    free(line);
    free(again);
    run_release(&r);
    run_release(&back);
}

static void test_unknown_is_left_out(void **state)
{
    struct run r = { .kind = RUN_PRUNE, .started = STARTED, .pid = 7 };
    char *line = written(&r);

    (void)state;
    assert_string_equal(
        line, "{\"kind\":\"prune\",\"started\":\"2025-10-23T02:00:00Z\",\"seconds\":0,\"exit_code\":0,\"pid\":7}");
    free(line);
}

#define RUN "\"kind\":\"drill\",\"started\":\"2025-10-23T02:00:00Z\",\"seconds\":1.5,\"exit_code\":5"

static void test_tolerated(void **state)
{
    struct run r = parsed("{" RUN ",\"from the future\":{\"a\":[1,{\"b\":null}]},\"tables\":2} \r\n");

    (void)state;
    assert_int_equal(r.kind, RUN_DRILL);
    assert_int_equal(r.tables, 2);
    assert_true(r.begun);
    run_release(&r);
}

static void test_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "x",
        "null",
        "[]",
        "{}",
        "{" RUN,
        "{" RUN "}}",
        "{" RUN "} x",
        "{\"kind\":\"dance\",\"started\":\"2025-10-23T02:00:00Z\",\"seconds\":1,\"exit_code\":0}",
        "{\"kind\":\"none\",\"started\":\"2025-10-23T02:00:00Z\",\"seconds\":1,\"exit_code\":0}",
        "{\"kind\":\"drill\",\"started\":\"2025-02-30T02:00:00Z\",\"seconds\":1,\"exit_code\":0}",
        "{\"kind\":\"drill\",\"started\":1761184800,\"seconds\":1,\"exit_code\":0}",
        "{\"kind\":\"drill\",\"seconds\":1,\"exit_code\":0}",
        "{\"kind\":\"drill\",\"started\":\"2025-10-23T02:00:00Z\",\"exit_code\":0}",
        "{\"kind\":\"drill\",\"started\":\"2025-10-23T02:00:00Z\",\"seconds\":1}",
        "{\"kind\":\"drill\",\"started\":\"2025-10-23T02:00:00Z\",\"seconds\":-1,\"exit_code\":0}",
        "{\"kind\":\"drill\",\"started\":\"2025-10-23T02:00:00Z\",\"seconds\":1e99,\"exit_code\":0}",
        "{\"kind\":\"drill\",\"started\":\"2025-10-23T02:00:00Z\",\"seconds\":1,\"exit_code\":256}",
        "{" RUN ",\"signal\":65}",
        "{" RUN ",\"signal\":\"9\"}",
        "{" RUN ",\"size\":-1}",
        "{" RUN ",\"size\":9007199254740993}",
        "{" RUN ",\"size\":1e300}",
        "{" RUN ",\"size\":\"1\"}",
        "{" RUN ",\"stored\":1}",
        "{" RUN ",\"backup\":17}",
        "{" RUN ",\"backup\":\"a\\u0000b\"}",
        "{" RUN ",\"taken\":\"soon\"}",
        "{" RUN ",\"phases\":{}}",
        "{" RUN ",\"phases\":[1]}",
        "{" RUN ",\"phases\":[{\"name\":\"dump\"}]}",
        "{" RUN ",\"host\":\"db\",\"phases\":[{\"name\":\"dump\",\"seconds\":\"x\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        refused(lines[i]);
}

static void test_cut_anywhere(void **state)
{
    struct run r, back;
    char *line;

    (void)state;
    full_run(&r);
    line = written(&r);
    for (size_t n = 0; n < strlen(line); n++)
        assert_int_equal(run_parse(line, n, &back, &err), -1);
    free(line);
    run_release(&r);
}

static void test_nul_and_huge(void **state)
{
    const char with_nul[] = "{" RUN ",\"backup\":\"a\0b\"}";
    size_t n = RUN_LINE_MAX + 1;
    char *huge = malloc(n + 1);
    struct run r;

    (void)state;
    assert_int_equal(run_parse(with_nul, sizeof with_nul - 1, &r, &err), -1);
    n = (size_t)snprintf(huge, n, "{" RUN ",\"backup\":\"");
    memset(huge + n, 'x', RUN_LINE_MAX + 1 - n - 2);
    memcpy(huge + RUN_LINE_MAX - 1, "\"}", 3);
    refused(huge);
    memmove(huge + n, huge + n + 1, RUN_LINE_MAX + 1 - n); /* a byte less, and it is one */
    r = parsed(huge);
    assert_true(strlen(r.backup) > RUN_LINE_MAX / 2);
    run_release(&r);
    free(huge);
}

static void test_no_utf8(void **state)
{
    struct run r = { .kind = RUN_BACKUP, .started = STARTED };
    char *line;
    struct run back;

    (void)state;
    run_set(&r.database, "caf\xe9", &err);
    line = written(&r);
    back = parsed(line);
    assert_string_equal(back.database, "caf\\xE9");
    free(line);
    run_release(&r);
    run_release(&back);
}

static void test_many_phases(void **state)
{
    struct run r = { .kind = RUN_DRILL, .started = STARTED };

    (void)state;
    for (int i = 0; i < RUN_PHASES + 3; i++)
        assert_int_equal(run_phase(&r, "p", i, &err), 0);
    assert_int_equal(r.n_phases, RUN_PHASES);
    run_release(&r);
}

static void test_finish(void **state)
{
    struct err failure = { .class = ERR_SIGNAL, .signal = SIGINT, .message = "stopped", .hint = "go on" };
    struct err no = { .class = ERR_CANCELLED, .message = "cancelled" };
    struct err busy = { .class = ERR_BUSY, .message = "another run is at work" };
    struct run r;

    (void)state;
    run_init(&r, RUN_BACKUP, STARTED);
    run_finish(&r, 0, &(struct err){ 0 });
    assert_false(run_failed(&r) || r.unrecorded);
    assert_null(r.error);
    run_finish(&r, 130, &failure);
    assert_true(run_failed(&r));
    assert_int_equal(r.signal, SIGINT);
    assert_string_equal(r.error, "stopped");
    assert_string_equal(r.hint, "go on");
    run_release(&r);

    run_init(&r, RUN_BACKUP, STARTED);
    run_finish(&r, RUN_BUSY, &busy);
    assert_false(run_failed(&r) || r.unrecorded);
    run_release(&r);

    run_init(&r, RUN_PRUNE, STARTED);
    run_finish(&r, 6, &no);
    assert_true(r.unrecorded);
    run_release(&r);
    run_init(&r, RUN_PRUNE, STARTED); /* refused half way: some were deleted */
    r.removed = 1;
    run_finish(&r, 6, &no);
    assert_false(r.unrecorded);
    run_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("a run is what it was when it has been written and read", test_round_trip),
        PROMISE("what is not known is not written", test_unknown_is_left_out),
        PROMISE("members that nobody knows yet are passed over", test_tolerated),
        PROMISE("a line that is no run is refused, whatever is wrong with it", test_refused),
        PROMISE("a line that was cut anywhere is refused", test_cut_anywhere),
        PROMISE("a NUL and a line beyond the limit are refused", test_nul_and_huge),
        PROMISE("a name that is no UTF-8 makes no broken JSON", test_no_utf8),
        PROMISE("more phases than there is room for are dropped", test_many_phases),
        PROMISE("how it ended: signals, refusals, another run at work", test_finish),
    };

    return RUN_PROMISES(tests);
}
