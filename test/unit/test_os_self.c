/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/base/os.h"

/* Runs f in a child, so that its signal handlers are its own; its exit status. */
static int in_child(int (*f)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(f());
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int first_signal_counts(void)
{
    struct err err = { 0 };

    os_signals_catch();
    if (os_interrupted() || os_check_interrupt(&err) != 0)
        return 1;
    raise(SIGTERM);
    raise(SIGINT);
    if (os_interrupted() != SIGTERM)
        return 2;
    if (os_check_interrupt(&err) != -1 || err.class != ERR_SIGNAL || err.signal != SIGTERM)
        return 3;
    return 0;
}

static int nohup_is_respected(void)
{
    signal(SIGHUP, SIG_IGN);
    os_signals_catch();
    raise(SIGHUP);
    if (os_interrupted())
        return 1;
    os_signals_default();
    raise(SIGHUP);
    return 0;
}

static int pipes_break_quietly(void)
{
    int ends[2];

    os_signals_catch();
    if (pipe(ends) < 0)
        return 1;
    close(ends[0]);
    return write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 2;
}

static int default_again(void)
{
    os_signals_catch();
    raise(SIGINT);
    os_signals_default();
    if (os_interrupted())
        return 1;
    raise(SIGINT);
    return 2; /* not reached */
}

static int shield_holds_off(void)
{
    os_signals_catch();
    os_signals_shield(true);
    raise(SIGTERM);
    if (os_interrupted() || os_check_interrupt(NULL) != 0)
        return 1;
    os_signals_shield(false);
    return os_interrupted() == SIGTERM ? 0 : 2; /* late, not lost */
}

static int wakes_a_read(void)
{
    struct err err = { 0 };
    int ends[2];
    char c;

    os_signals_catch();
    if (pipe(ends) < 0)
        return 1;
    if (fork() == 0) {
        usleep(50 * 1000);
        kill(getppid(), SIGINT);
        _exit(0);
    }
    if (os_read(ends[0], &c, 1, "pipe", &err) != -1) /* nothing ever comes */
        return 2;
    return err.class == ERR_SIGNAL && err.signal == SIGINT ? 0 : 3;
}

static void signals(void **state)
{
    (void)state;
    assert_int_equal(in_child(first_signal_counts), 0);
    assert_int_equal(in_child(pipes_break_quietly), 0);
}

static void nohup(void **state)
{
    (void)state;
    assert_int_equal(in_child(nohup_is_respected), 0);
}

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(in_child(default_again), 128 + SIGINT);
}

static void shield(void **state)
{
    (void)state;
    assert_int_equal(in_child(shield_holds_off), 0);
}

static void interrupted_read(void **state)
{
    (void)state;
    assert_int_equal(in_child(wakes_a_read), 0);
}

static void who(void **state)
{
    (void)state;
    assert_true(strlen(os_user()) > 0);
    assert_true(strlen(os_hostname()) > 0);
    setenv("LOGNAME", "somebody-else", 1);
    assert_string_not_equal(os_user(), "somebody-else");
}

static void cpus(void **state)
{
    cpu_set_t all, one;

    (void)state;
    assert_true(os_cpus() >= 1);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && CPU_COUNT(&one) == 0)
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(os_cpus(), 1);
    sched_setaffinity(0, sizeof all, &all);
}

static void random_bytes(void **state)
{
    unsigned char a[300] = { 0 }, b[300] = { 0 };

    (void)state;
    assert_int_equal(os_random(a, sizeof a, NULL), 0);
    assert_int_equal(os_random(b, sizeof b, NULL), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 268, (unsigned char[32]){ 0 }, 32); /* filled to the end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("the first signal is noted and ends nothing; a broken pipe is an error, not an end", signals),
        PROMISE("what nohup protected stays protected", nohup),
        PROMISE("a forked child can have its signals back", defaults),
        PROMISE("behind the shield a signal waits, and is not lost", shield),
        PROMISE("a signal wakes a read that waits", interrupted_read),
        PROMISE("the user is who we are, not what the environment says", who),
        PROMISE("only processors that we may use are counted", cpus),
        PROMISE("random bytes fill the whole buffer", random_bytes),
    };
    return RUN_PROMISES(tests);
}
