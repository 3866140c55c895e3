/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "core/base/os.h"

/* Until somebody kills it; not for ever, should the test fail before that. */
static void wait_to_be_killed(void)
{
    alarm(60);
    for (;;)
        pause();
}

/* A child that holds the lock until it is killed. Returns when it has it. */
static pid_t holder(const char *path)
{
    int ends[2];
    char c;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        struct os_lock lock = OS_LOCK_NONE;
        if (os_lock_take(&lock, path, 0, NULL) < 0 || write(ends[1], "x", 1) != 1)
            _exit(1);
        wait_to_be_killed();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    close(ends[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void second_is_told_who(void **state)
{
    struct os_lock lock = OS_LOCK_NONE;
    struct err err = { 0 };
    char pid_text[32];
    pid_t pid = holder("lock");

    (void)state;
    assert_int_equal(os_lock_take(&lock, "lock", 0, &err), -1);
    assert_int_equal(err.class, ERR_BUSY);
    snprintf(pid_text, sizeof pid_text, "process %d ", pid);
    assert_non_null(strstr(err.message, pid_text));
    assert_int_equal(lock.fd, -1);
    os_lock_release(&lock);
    end(pid);
}

static void killed_holds_nothing(void **state)
{
    struct os_lock lock = OS_LOCK_NONE;
    struct err err = { 0 };

    (void)state;
    end(holder("lock"));
    assert_int_equal(os_lock_take(&lock, "lock", 0, &err), 0);
    os_lock_release(&lock);
    os_lock_release(&lock);
    end(holder("lock")); /* released: another can have it */
}

static void orphan_holds_nothing(void **state)
{
    struct os_lock lock = OS_LOCK_NONE;
    struct err err = { 0 };
    int ends[2];
    pid_t pid, orphan = 0;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) { /* takes the lock, starts a child that inherits the descriptor, and ends */
        if (os_lock_take(&lock, "lock", 0, NULL) < 0)
            _exit(1);
        orphan = fork();
        if (orphan == 0)
            wait_to_be_killed();
        if (write(ends[1], &orphan, sizeof orphan) != sizeof orphan)
            _exit(1);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &orphan, sizeof orphan), sizeof orphan);
    waitpid(pid, NULL, 0);
    assert_int_equal(os_lock_take(&lock, "lock", 0, &err), 0);
    os_lock_release(&lock);
    kill(orphan, SIGKILL);
    close(ends[0]);
}

static void waits(void **state)
{
    struct os_lock lock = OS_LOCK_NONE;
    struct err err = { 0 };
    pid_t pid = holder("lock"), killer = fork();

    (void)state;
    if (killer == 0) {
        usleep(100 * 1000);
        kill(pid, SIGKILL);
        _exit(0);
    }
    assert_int_equal(os_lock_take(&lock, "lock", 30, &err), 0);
    os_lock_release(&lock);
    waitpid(pid, NULL, 0);
    waitpid(killer, NULL, 0);
}

static void bad_places(void **state)
{
    struct os_lock lock = OS_LOCK_NONE;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(os_lock_take(&lock, "no/such/lock", 0, &err), -1);
    assert_int_equal(err.class, ERR_IO);
    err_clear(&err);
    assert_int_equal(symlink("elsewhere", "lock"), 0);
    assert_int_equal(os_lock_take(&lock, "lock", 0, &err), -1);
    assert_int_equal(access("elsewhere", F_OK), -1);
    os_lock_release(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("the second run is told the first one's pid", second_is_told_who),
        PROMISE_IN_DIR("a killed process holds nothing", killed_holds_nothing),
        PROMISE_IN_DIR("a child that outlives the holder holds nothing", orphan_holds_nothing),
        PROMISE_IN_DIR("a lock can be waited for", waits),
        PROMISE_IN_DIR("a lock file that can't be is an error of files, and no link is followed", bad_places),
    };
    return RUN_PROMISES(tests);
}
