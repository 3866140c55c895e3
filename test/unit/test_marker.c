/* SPDX-License-Identifier: PostgreSQL */
/* test_marker.c - a run that ended without a word is found by the next one, once. */
#include "test/unit/unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "core/watch/marker.h"

static struct err err;
static const struct places here = { .state = "." };

struct seen {
    int n;
    struct run last; /* its numbers; not its strings */
    char environment[32], error[256];
};

static void see(void *cookie, const struct run *r)
{
    struct seen *s = cookie;

    s->n++;
    s->last = *r;
    snprintf(s->environment, sizeof s->environment, "%s", r->environment);
    snprintf(s->error, sizeof s->error, "%s", r->error);
}

static struct seen sweep(void)
{
    struct seen s = { 0 };

    marker_sweep(&here, see, &s);
    return s;
}

static void set(void)
{
    struct run r;

    run_init(&r, RUN_BACKUP, 1761184800);
    run_set(&r.environment, "production", &err);
    marker_set(&here, &r);
    run_release(&r);
}

/* A process that sets its mark and says so. */
static pid_t start(void)
{
    int ready[2];
    char c;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        set();
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_own(void **state)
{
    (void)state;
    set();
    assert_int_equal(unit_count_files(), 2);
    assert_int_equal(sweep().n, 0);
    assert_int_equal(unit_count_files(), 2);
    marker_clear();
    assert_int_equal(unit_count_files(), 0);
    marker_clear();
}

static void test_killed(void **state)
{
    pid_t pid = start();
    struct seen s;

    (void)state;
    assert_int_equal(sweep().n, 0); /* it is at work */
    assert_int_equal(unit_count_files(), 2);
    end(pid);
    s = sweep();
    assert_int_equal(s.n, 1);
    assert_int_equal(s.last.kind, RUN_BACKUP);
    assert_int_equal(s.last.started, 1761184800);
    assert_int_equal(s.last.pid, pid);
    assert_int_equal(s.last.exit_code, MARKER_EXIT_CODE);
    assert_int_equal(s.last.signal, SIGKILL);
    assert_string_equal(s.environment, "production");
    assert_non_null(strstr(s.error, "without a word"));
    assert_int_equal(unit_count_files(), 0);
    assert_int_equal(sweep().n, 0);
}

static void test_damaged(void **state)
{
    (void)state;
    assert_int_equal(os_write_file("running-20251023-020000-backup-1.json", "{\"kin", 5, &err), 0);
    assert_int_equal(os_write_file("running-.json", "", 0, &err), 0);
    assert_int_equal(os_write_file("walking-1.json", "", 0, &err), 0);
    assert_int_equal(sweep().n, 0);
    assert_int_equal(unit_count_files(), 1); /* what is not ours */
}

static void test_no_state(void **state)
{
    const struct places none = { 0 };
    struct seen s = { 0 };
    struct run r;

    (void)state;
    run_init(&r, RUN_BACKUP, 1761184800);
    marker_set(&none, &r);
    marker_sweep(&none, see, &s);
    assert_int_equal(s.n, 0);
    marker_clear();
    run_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("a run's own mark is no dead one's, and goes with it", test_own),
        PROMISE_IN_DIR("a killed run is told once, one at work is not", test_killed),
        PROMISE_IN_DIR("a damaged mark goes without a story", test_damaged),
        PROMISE_IN_DIR("without a state directory there are no marks", test_no_state),
    };

    return RUN_PROMISES(tests);
}
