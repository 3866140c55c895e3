/* SPDX-License-Identifier: PostgreSQL */
/* progress.c - a bar on a terminal; silence everywhere else. */
#include "core/base/progress.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/text.h"

#define REDRAW_SECONDS 0.1
#define BAR_CELLS 24
#define CLEAR_LINE "\r\033[K"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
    bool running, drawn;
    char what[64];
    uint64_t done, expected;
    double started, last_drawn;
} bar;

static bool on_terminal(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

static unsigned terminal_width(void)
{
    struct winsize size = { 0 };

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void to_terminal(const char *text, size_t n)
{
    ssize_t written = write(STDERR_FILENO, text, n);

    (void)written; /* a bar that is not seen is no reason to fail */
}

static void add_bar(struct buf *line, double share)
{
    unsigned full = (unsigned)(share * BAR_CELLS);

    buf_puts(line, "  [");
    for (unsigned i = 0; i < BAR_CELLS; i++)
        buf_putc(line, i < full ? '#' : '.');
    buf_printf(line, "] %2u%%", (unsigned)(share * 100));
}

/* "Dumping  [#####.....] 42%  1.2 GB  85.3 MB/s  2m 3s left", from left to right as much as fits. */
static void draw(double now)
{
    char size[TEXT_SHORT], rate[TEXT_SHORT], left[TEXT_SHORT];
    double elapsed = now - bar.started, speed = elapsed > 0 ? (double)bar.done / elapsed : 0;
    unsigned width = terminal_width();
    struct buf line;

    buf_init(&line, 512);
    buf_puts(&line, bar.what);
    if (bar.expected > 0) {
        double share = (double)bar.done / (double)bar.expected;
        add_bar(&line, share < 0.99 ? share : 0.99); /* the total may have been a guess */
    }
    buf_printf(&line, "  %s  %s/s", text_size(size, bar.done), text_size(rate, (uint64_t)speed));
    if (bar.expected > bar.done && speed > 0 && elapsed >= 2)
        buf_printf(&line, "  %s left", text_duration(left, (double)(bar.expected - bar.done) / speed));
    buf_cut(&line, width > 1 ? width - 1 : 0);
    to_terminal(CLEAR_LINE, strlen(CLEAR_LINE));
    to_terminal(line.data, line.size);
    buf_release(&line);
    bar.drawn = true;
    bar.last_drawn = now;
}

static void wipe(void)
{
    if (bar.drawn)
        to_terminal(CLEAR_LINE, strlen(CLEAR_LINE));
    bar.drawn = false;
    bar.last_drawn = clock_monotonic(); /* leaves the caller time to write its line */
}

void progress_start(const char *what, uint64_t expected_bytes)
{
    struct buf name;

    buf_init(&name, 1024);
    text_visible(&name, what);
    pthread_mutex_lock(&lock);
    if (bar.running)
        wipe();
    memset(&bar, 0, sizeof bar);
    bar.running = on_terminal();
    bar.expected = expected_bytes;
    bar.started = bar.last_drawn = clock_monotonic();
    snprintf(bar.what, sizeof bar.what, "%s", name.data);
    pthread_mutex_unlock(&lock);
    buf_release(&name);
}

void progress_add(uint64_t bytes)
{
    double now;

    pthread_mutex_lock(&lock);
    bar.done += bytes;
    if (bar.running) {
        now = clock_monotonic();
        if (now - bar.last_drawn >= REDRAW_SECONDS)
            draw(now);
    }
    pthread_mutex_unlock(&lock);
}

void progress_end(void)
{
    pthread_mutex_lock(&lock);
    if (bar.running)
        wipe();
    bar.running = false;
    pthread_mutex_unlock(&lock);
}

void progress_wipe(void)
{
    pthread_mutex_lock(&lock);
    if (bar.running)
        wipe();
    pthread_mutex_unlock(&lock);
}
