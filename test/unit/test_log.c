/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "core/base/log.h"

static int saved[3] = { -1, -1, -1 };

/* From here on what goes to fd goes to `file`. */
static void redirect(int fd, const char *file)
{
    int to = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    fflush(NULL);
    saved[fd] = dup(fd);
    dup2(to, fd);
    close(to);
}

static void restore(int fd)
{
    fflush(NULL);
    dup2(saved[fd], fd);
    close(saved[fd]);
}

static const char *content(const char *file)
{
    static char text[200000];
    FILE *f = fopen(file, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

    if (f)
        fclose(f);
    text[n] = '\0';
    return text;
}

static void stdout_lines(void **state)
{
    (void)state;
    setenv("SFB_TEST_NOW", "1761229935", 1);
    redirect(1, "out");
    log_say("📦 Format: %s", "custom");
    log_say("%s", "");
    log_step("Backup completed (%s)", "3m 26s");
    restore(1);
    assert_string_equal(content("out"), "📦 Format: custom\n\n[2025-10-23 14:32:15] Backup completed (3m 26s)\n");
    unsetenv("SFB_TEST_NOW");
}

static void no_forged_lines(void **state)
{
    (void)state;
    redirect(1, "out");
    log_say("database %s", "x\n[2025-10-23 14:32:15] ✅ all is well\033[2J\xFF");
    restore(1);
    assert_string_equal(content("out"), "database x\\n[2025-10-23 14:32:15] ✅ all is well\\x1B[2J\\xFF\n");
}

static void errors_with_hints(void **state)
{
    struct err err = { 0 }, bare = { 0 };

    (void)state;
    err_set(&err, ERR_CONNECT, "connection to server failed: FATAL\n\tIs the server running?\n");
    err_hint(&err, "look at the server's log");
    redirect(2, "errors");
    log_error(&err);
    log_warn("disk %d%% full\nsecond", 91);
    log_error(&bare);
    restore(2);
    assert_string_equal(content("errors"), "❌ connection to server failed: FATAL\n"
                                           "   Is the server running?\n"
                                           "   look at the server's log\n"
                                           "⚠️  disk 91% full\n"
                                           "   second\n"
                                           "❌ something failed and left no message\n");
}

static void quiet_and_verbose(void **state)
{
    (void)state;
    setenv("SFB_TEST_NOW", "1761229935", 1);
    redirect(1, "out");
    redirect(2, "errors");
    log_debug("not yet");
    log_verbose(true);
    assert_true(log_is_verbose());
    log_debug("now");
    log_quiet(true);
    log_say("hidden");
    log_step("hidden");
    log_warn("seen");
    log_quiet(false);
    log_verbose(false);
    restore(1);
    restore(2);
    assert_string_equal(content("out"), "");
    assert_string_equal(content("errors"), "[2025-10-23 14:32:15] debug: now\n⚠️  seen\n");
    unsetenv("SFB_TEST_NOW");
}

static void nobody_listens(void **state)
{
    int ends[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    fflush(NULL);
    saved[1] = dup(1);
    dup2(ends[1], 1);
    close(ends[1]);
    errno = 5;
    log_say("into a pipe that is closed");
    assert_int_equal(errno, 5);
    restore(1);
    redirect(1, "/dev/full");
    log_say("onto a disk that is full");
    restore(1);
}

static void after_stdio(void **state)
{
    (void)state;
    redirect(1, "out");
    printf("first\n");
    log_say("second");
    printf("third\n");
    restore(1);
    assert_string_equal(content("out"), "first\nsecond\nthird\n");
}

static void a_line_that_is_too_long(void **state)
{
    char *text = malloc(100001);

    (void)state;
    memset(text, 'x', 100000);
    text[100000] = '\0';
    redirect(1, "out");
    log_say("%s", text);
    log_say("next");
    restore(1);
    free(text);
    assert_string_equal(content("out"), "(a line that is too long)\nnext\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("standard output has the contract's lines, with the time where a step is reported",
                       stdout_lines),
        PROMISE_IN_DIR("what comes from outside can't forge a line or move the cursor", no_forged_lines),
        PROMISE_IN_DIR("an error shows its message, its further lines and what to do next", errors_with_hints),
        PROMISE_IN_DIR("quiet silences the progress, not the warnings; verbose adds debugging", quiet_and_verbose),
        PROMISE_IN_DIR("a log that can't be written does not end the work", nobody_listens),
        PROMISE_IN_DIR("log lines and printf come in the order they were said", after_stdio),
        PROMISE_IN_DIR("a line that is too long says so", a_line_that_is_too_long),
    };
    return RUN_PROMISES(tests);
}
