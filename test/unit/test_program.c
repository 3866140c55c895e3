/* SPDX-License-Identifier: PostgreSQL */
/* test_program.c - programs of the host: their words, their end, and what they leave behind. */
#include "test/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/base/program.h"

static struct program shell(const char *const *argv)
{
    return (struct program){ .argv = argv, .dies_by = SIGKILL, PROGRAM_NOTHING_RUNS };
}

/* Its wait status; words hold what it said. */
static int run(struct program *p, double seconds, struct buf *words)
{
    struct err err = { 0 };
    int status = -1;

    assert_int_equal(program_start(p, &err), 0);
    assert_int_equal(program_wait(p, seconds, &status, &err), 0);
    program_tail(p, words);
    program_stop(p, SIGTERM, 1);
    return status;
}

static void its_words_and_its_exit_code_are_kept(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c", "echo out; echo err >&2; pwd; exit 3", NULL };
    struct program p = shell(argv);
    struct buf words, text;
    int status;

    (void)state;
    buf_init(&words, 4096);
    buf_init(&text, 100);
    p.directory = "/";
    status = run(&p, 20, &words);
    assert_string_equal(words.data, "out\nerr\n/\n");
    program_describe(&text, status);
    assert_string_equal(text.data, "exit code 3");
    buf_release(&words);
    buf_release(&text);
}

static void it_has_the_environment_that_was_given_and_no_other(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c", "echo \"$A.$HOME\"", NULL };
    const char *const environment[] = { "A=1 2", NULL };
    struct program p = shell(argv);
    struct buf words;

    (void)state;
    buf_init(&words, 4096);
    setenv("HOME", "/somewhere", 1);
    p.environment = environment;
    assert_int_equal(run(&p, 20, &words), 0);
    assert_string_equal(words.data, "1 2.\n");
    buf_release(&words);
}

static void what_cant_be_run_says_so_itself(void **state)
{
    const char *const argv[] = { "/nonexistent/program", NULL };
    struct program p = shell(argv);
    struct buf words;
    int status;

    (void)state;
    buf_init(&words, 4096);
    status = run(&p, 20, &words);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 127);
    assert_string_equal(words.data, "can't run /nonexistent/program: No such file or directory\n");
    buf_release(&words);
}

static void only_the_end_of_endless_words_is_kept(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c", "head -c 8000000 /dev/zero | tr '\\0' x; echo; echo the end", NULL };
    struct program p = shell(argv);
    struct buf words;

    (void)state;
    buf_init(&words, 64);
    assert_int_equal(run(&p, 60, &words), 0);
    assert_int_equal(words.size, 63);
    assert_string_equal(words.data + 63 - 9, "\nthe end\n");
    assert_false(words.failed);
    buf_release(&words);
}

/* The pid that a child wrote, or 0. */
static pid_t pid_in(const char *words)
{
    return (pid_t)strtol(words, NULL, 10);
}

static bool is_gone(pid_t pid)
{
    for (int i = 0; i < 200; i++) {
        char path[64], line[512] = "";
        FILE *file;

        if (kill(pid, 0) < 0 && errno == ESRCH)
            return true;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid); /* in a container nobody may reap it */
        file = fopen(path, "re");
        if (file == NULL)
            return true;
        if (fgets(line, sizeof line, file) != NULL && strstr(line, ") Z ") != NULL) {
            fclose(file);
            return true;
        }
        fclose(file);
        poll(NULL, 0, 25);
    }
    return false;
}

static void what_it_left_running_ends_with_it(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c", "sleep 900 >/dev/null 2>&1 & echo $!", NULL };
    struct program p = shell(argv);
    struct buf words;

    (void)state;
    buf_init(&words, 64);
    assert_int_equal(run(&p, 20, &words), 0);
    assert_true(pid_in(words.data) > 1);
    assert_true(is_gone(pid_in(words.data)));
    buf_release(&words);
}

static void one_that_takes_too_long_is_ended_even_if_it_refuses(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.1; done", NULL };
    struct program p = shell(argv);
    struct err err = { 0 };
    struct buf words;
    int status = 0;

    (void)state;
    buf_init(&words, 64);
    assert_int_equal(program_start(&p, &err), 0);
    assert_int_equal(program_wait(&p, 0.3, &status, &err), 1);
    program_tail(&p, &words);
    program_stop(&p, SIGTERM, 0.2);
    assert_int_equal(p.pid, 0);
    assert_true(is_gone(pid_in(words.data)));
    buf_release(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("its words and its exit code are kept", its_words_and_its_exit_code_are_kept),
        PROMISE("it has the environment that was given, and no other",
                it_has_the_environment_that_was_given_and_no_other),
        PROMISE("what can't be run says so itself", what_cant_be_run_says_so_itself),
        PROMISE("only the end of endless words is kept", only_the_end_of_endless_words_is_kept),
        PROMISE("what it left running ends with it", what_it_left_running_ends_with_it),
        PROMISE("one that takes too long is ended, even if it refuses",
                one_that_takes_too_long_is_ended_even_if_it_refuses),
    };

    return RUN_PROMISES(tests);
}
