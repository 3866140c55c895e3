/* SPDX-License-Identifier: PostgreSQL */
/* log.c - what the program says while it works. */
#include "core/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"

#define LINE_MAX_BYTES 65536

static bool verbose, quiet;

void log_verbose(bool on)
{
    verbose = on;
}

bool log_is_verbose(void)
{
    return verbose;
}

void log_quiet(bool on)
{
    quiet = on;
}

/* Whole lines in as few writes as can be. Nobody reading (EPIPE), a full disk, a stuck terminal: the work goes on. */
static void write_lines(int fd, const struct buf *lines)
{
    size_t done = 0;

    fflush(fd == STDOUT_FILENO ? stdout : stderr); /* what an applet printed itself comes first */
    progress_wipe();
    while (done < lines->size) {
        ssize_t n = write(fd, lines->data + done, lines->size - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EAGAIN && !os_interrupted())
            poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 1000);
        else if (n == 0 || errno != EINTR || os_interrupted())
            break;
    }
}

/* The format's words and its arguments, then all of it made visible: nobody can forge a line of the log. */
static void say(int fd, const char *prefix, const char *format, va_list args)
{
    int saved = errno;
    struct buf raw, line;

    buf_init(&raw, LINE_MAX_BYTES);
    buf_init(&line, 4 * LINE_MAX_BYTES + 64);
    buf_vprintf(&raw, format, args);
    if (raw.failed)
        buf_puts(&line, "(a line that is too long)");
    else {
        buf_puts(&line, prefix);
        text_visible(&line, raw.data);
    }
    buf_putc(&line, '\n');
    write_lines(fd, &line);
    buf_release(&raw);
    buf_release(&line);
    errno = saved;
}

void log_say(const char *format, ...)
{
    va_list args;

    if (quiet)
        return;
    va_start(args, format);
    say(STDOUT_FILENO, "", format, args);
    va_end(args);
}

void log_step(const char *format, ...)
{
    char now[CLOCK_TEXT], prefix[CLOCK_TEXT + 4];
    va_list args;

    if (quiet)
        return;
    snprintf(prefix, sizeof prefix, "[%s] ", clock_log(now, clock_now()));
    va_start(args, format);
    say(STDOUT_FILENO, prefix, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    char now[CLOCK_TEXT], prefix[CLOCK_TEXT + 16];
    va_list args;

    if (!verbose)
        return;
    snprintf(prefix, sizeof prefix, "[%s] debug: ", clock_log(now, clock_now()));
    va_start(args, format);
    say(STDERR_FILENO, prefix, format, args);
    va_end(args);
}

/* Text of several lines (libpq's are): the first after prefix, the others indented, so that none passes for a line of
 * our own. Tabs are spaces; empty lines go. */
static void add_indented(struct buf *out, const char *prefix, const char *text)
{
    char *copy = strdup(text), *rest = copy, *line;

    while (rest && (line = strsep(&rest, "\n")) != NULL) {
        for (char *c = line; *c; c++)
            if (*c == '\t' || *c == '\r')
                *c = ' ';
        line += strspn(line, " ");
        if (!*line)
            continue;
        buf_puts(out, prefix);
        text_visible(out, line);
        buf_putc(out, '\n');
        prefix = "   ";
    }
    free(copy);
}

void log_warn(const char *format, ...)
{
    int saved = errno;
    struct buf raw, lines;
    va_list args;

    buf_init(&raw, LINE_MAX_BYTES);
    buf_init(&lines, 8 * LINE_MAX_BYTES);
    va_start(args, format);
    buf_vprintf(&raw, format, args);
    va_end(args);
    add_indented(&lines, "⚠️  ", raw.failed ? "(a warning that is too long)" : raw.data);
    write_lines(STDERR_FILENO, &lines);
    buf_release(&raw);
    buf_release(&lines);
    errno = saved;
}

void log_error(const struct err *err)
{
    struct buf lines;

    buf_init(&lines, 8 * LINE_MAX_BYTES);
    add_indented(&lines, "❌ ", err->message[0] ? err->message : "something failed and left no message");
    if (err->hint[0])
        add_indented(&lines, "   ", err->hint);
    write_lines(STDERR_FILENO, &lines);
    buf_release(&lines);
}
