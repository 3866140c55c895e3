/* SPDX-License-Identifier: PostgreSQL */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <pty.h>
#include <termios.h>

#include "core/base/log.h"
#include "core/base/progress.h"

static char seen[65536];

/* Runs f with standard error on a terminal of the given width, or on a file (0); what it wrote is in `seen`. */
static void watch(unsigned short width, void (*f)(void))
{
    struct winsize size = { .ws_row = 24, .ws_col = width };
    int master = -1, slave = -1, saved = dup(2);
    ssize_t n = 0;

    if (width > 0)
        assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    else
        slave = open("seen", O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(slave, 2);
    f();
    dup2(saved, 2);
    close(saved);
    memset(seen, 0, sizeof seen);
    if (width > 0) {
        fcntl(master, F_SETFL, O_NONBLOCK);
        for (ssize_t got; (got = read(master, seen + n, sizeof seen - 1 - (size_t)n)) > 0;)
            n += got;
        close(master);
    } else {
        n = pread(slave, seen, sizeof seen - 1, 0);
    }
    close(slave);
}

static void work(void)
{
    progress_start("Dumping", 1000000);
    for (int i = 0; i < 4; i++) {
        usleep(110 * 1000);
        progress_add(200000);
    }
    progress_end();
}

static void work_and_talk(void)
{
    progress_start("Dumping", 0);
    usleep(110 * 1000);
    progress_add(1);
    log_warn("careful");
    progress_end();
}

static void too_much(void)
{
    progress_start("a\nb", 10);
    usleep(110 * 1000);
    progress_add(100);
    progress_end();
    progress_end();
    progress_add(5);
    progress_wipe();
}

static void on_a_terminal(void **state)
{
    (void)state;
    setenv("TERM", "xterm", 1);
    watch(100, work);
    assert_non_null(strstr(seen, "Dumping  [####"));
    assert_non_null(strstr(seen, " 80%"));
    assert_non_null(strstr(seen, "B/s"));
    assert_true(strlen(seen) > 4 && strcmp(seen + strlen(seen) - 4, "\r\033[K") == 0); /* nothing stays */
}

static void in_a_file(void **state)
{
    (void)state;
    watch(0, work);
    assert_string_equal(seen, "");
    setenv("TERM", "dumb", 1);
    watch(80, work);
    assert_string_equal(seen, "");
    setenv("TERM", "xterm", 1);
}

static void makes_way(void **state)
{
    (void)state;
    watch(80, work_and_talk);
    assert_non_null(strstr(seen, "\r\033[K⚠️  careful"));
}

static void narrow(void **state)
{
    (void)state;
    watch(20, work);
    for (char *line = seen, *next; line; line = next) {
        next = strstr(line, "\r\033[K");
        if (next)
            *next = '\0', next += 4;
        assert_true(strlen(line) < 20);
    }
}

static void guesses(void **state)
{
    (void)state;
    watch(80, too_much);
    assert_non_null(strstr(seen, "a\\nb"));
    assert_non_null(strstr(seen, "99%"));
    assert_null(strstr(seen, "100%"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE_IN_DIR("on a terminal a bar shows how far it is, and is gone at the end", on_a_terminal),
        PROMISE_IN_DIR("a file gets no progress, nor does a dumb terminal", in_a_file),
        PROMISE_IN_DIR("a log line gets a line of its own", makes_way),
        PROMISE_IN_DIR("a narrow terminal's line never wraps", narrow),
        PROMISE_IN_DIR("a guess that was too low never says it is done", guesses),
    };
    return RUN_PROMISES(tests);
}
