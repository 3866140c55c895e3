/* SPDX-License-Identifier: PostgreSQL */
/* tool_words.c - what a failed program of PostgreSQL meant, in one line. */
#include "core/pg/tool_words.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/buf.h"
#include "core/base/text.h"

#define MAX_DETAIL 300

struct failure {
    const char *error;  /* in the text, which is cut into lines */
    const char *detail; /* NULL: none */
    const char *hint;
    int line; /* of an SQL script; 0: not known */
    unsigned others;
};

/* ---- reading its lines --------------------------------------------------------------------------------------- */

/* Is text, or what follows a "NAME: " in it, one of the marks of an error? The words after the mark, or NULL. */
static const char *after_mark(const char *text)
{
    static const char *const marks[] = { "error: ", "ERROR:  ", "FATAL:  ", "PANIC:  " };
    const char *best = NULL;

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *mark = strstr(text, marks[i]);
        if (mark != NULL && (mark == text || (mark >= text + 2 && memcmp(mark - 2, ": ", 2) == 0)) &&
            (best == NULL || mark < best))
            best = mark;
    }
    return best != NULL ? strchr(best, ' ') + strspn(strchr(best, ' '), " ") : NULL;
}

/* "pg_dump: error: words", "psql:FILE:12: ERROR:  words", or from psql's standard input "ERROR:  words"; NULL when it is
 * no error. */
static const char *error_of(const char *program, const char *text, int *line)
{
    size_t n = strlen(program);
    const char *words;

    if (text_starts(text, "ERROR:  ") || text_starts(text, "FATAL:  "))
        return after_mark(text);
    if (strncmp(text, program, n) != 0 || text[n] != ':')
        return NULL;
    if (text[n + 1] == ' ') {
        words = text + n + 2;
        return text_starts(words, "error: ") ? words + strlen("error: ") : NULL;
    }
    words = after_mark(text + n + 1);
    for (const char *c = words; c != NULL && c > text; c--) /* FILE:12: */
        if (c[0] == ':' && c[1] >= '0' && c[1] <= '9') {
            *line = (int)strtol(c + 1, NULL, 10);
            break;
        }
    return words;
}

/* The words after one of the names that a detail goes by; NULL when the line is something else. */
static const char *after(const char *program, const char *line, const char *first, const char *second)
{
    size_t n = strlen(program);

    if (strncmp(line, program, n) == 0 && text_starts(line + n, ": ")) /* since 15 each has the program's name */
        line += n + 2;
    if (text_starts(line, first))
        return line + strlen(first);
    return second != NULL && text_starts(line, second) ? line + strlen(second) : NULL;
}

/* Steps in what went wrong come before the reason: only the reason is wanted. */
static const char *without_steps(const char *words)
{
    static const char *const steps[] = { "query failed: ", "could not execute query: ", "ERROR:  ", "FATAL:  " };

    for (size_t i = 0; i < sizeof steps / sizeof *steps;)
        if (text_starts(words, steps[i])) {
            words += strlen(steps[i]);
            i = 0;
        } else {
            i++;
        }
    return words;
}

static void read_failure(const char *program, char *text, struct failure *f)
{
    const char *last = "", *found;
    char *line;

    while ((line = strsep(&text, "\n")) != NULL) {
        int number = 0;
        if (*line == '\0')
            continue;
        found = error_of(program, line, &number);
        if (found != NULL && f->error != NULL)
            f->others++;
        if (found != NULL && f->error == NULL) {
            f->error = without_steps(found);
            f->line = number;
            continue;
        }
        if (f->error != NULL && f->others == 0) {
            if (f->detail == NULL && (found = after(program, line, "detail: ", "DETAIL:  ")) != NULL)
                f->detail = without_steps(found);
            else if (f->hint == NULL && (found = after(program, line, "hint: ", "HINT:  ")) != NULL)
                f->hint = found;
            else if (f->detail == NULL && text_starts(line, "Command was: "))
                f->detail = line;
        }
        if (after(program, line, "hint: ", NULL) == NULL)
            last = line;
    }
    if (f->error == NULL) {
        found = after(program, last, "", NULL);
        f->error = found != NULL ? found : last;
    }
}

/* ---- remedies ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *words, *hint;
} remedies[] = {
    { "permission denied for table pg_authid", "roles without their passwords can be read: --no-role-passwords" },
    { "permission denied for",
      "as an administrator of that server: GRANT pg_read_all_data TO the backup's user (before "
      "PostgreSQL 14: USAGE on the schemas, SELECT on the tables and sequences)" },
    { "affected by row-level security",
      "row security hides rows from this user: as an administrator, ALTER ROLE ... BYPASSRLS" },
    { "due to lock timeout", "another session holds a lock on a table: see pg_locks, or raise SFB_LOCK_TIMEOUT" },
    { "due to statement timeout", "another session holds a lock on a table: see pg_locks, or raise SFB_LOCK_TIMEOUT" },
    { "could not obtain lock", "another session holds a lock on a table: see pg_locks, or raise SFB_LOCK_TIMEOUT" },
    { "server version mismatch", "this program is older than the server: get a newer sfb, or set SFB_PG_BINDIR" },
    { "unsupported startup parameter", "a pooler (PgBouncer) stands in between: give the database's own address" },
    { "connection unexpectedly",
      "the server went down, was restarted, or a firewall cut the connection: its log tells" },
    { "terminating connection", "somebody or something ended the session on the server: its log tells" },
    { "canceling statement due to conflict with recovery",
      "on a standby, max_standby_streaming_delay cuts long queries: raise it, or back up the primary" },
    { "invalid snapshot identifier",
      "the connection that holds the snapshot is gone; a pooler in between breaks it too" },
    { "could not find a \"pg_dump\"", "sfb runs no program of the host's here: please report this" },
    { "out of memory", "the server, or this machine, is short of memory: its log tells which" },
    { "out of shared memory",
      "more tables than the server can lock at once: raise max_locks_per_transaction and restart it" },
    { "No space left on device", "the server's disk is full: make room there first" },
    { "must be owner of", "restore as the owner or as a superuser" },
};

static void advise(const struct failure *f, struct err *err)
{
    if (f->hint != NULL)
        err_hint(err, "%s", f->hint);
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (strstr(f->error, remedies[i].words) != NULL ||
            (f->detail != NULL && strstr(f->detail, remedies[i].words) != NULL)) {
            err_hint(err, "%s", remedies[i].hint);
            return;
        }
}

/* ---- the verdict --------------------------------------------------------------------------------------------- */

static void put_short(struct buf *out, const char *text, size_t max)
{
    size_t n = strlen(text);

    buf_add(out, text, n > max ? max : n);
    if (n > max)
        buf_puts(out, "...");
}

static void killed(const char *program, int number, enum err_class class, struct err *err)
{
    err_set(err, class, "%s was killed by signal %d (%s)", program, number, strsignal(number));
    if (number == SIGKILL)
        err_hint(err, "most likely this machine ran out of memory: see the kernel's log (dmesg)");
    else if (number == SIGTERM || number == SIGINT || number == SIGHUP)
        err_hint(err, "somebody on this machine ended it");
}

void tool_words(const char *program, char *text, int status, enum err_class class, struct err *err)
{
    struct failure f = { 0 };
    struct buf line;

    if (err->class != ERR_NONE)
        return;
    if (WIFSIGNALED(status)) {
        killed(program, WTERMSIG(status), class, err);
        return;
    }
    read_failure(program, text, &f);
    if (*f.error == '\0') {
        err_set(err, class, "%s ended with status %d and said nothing", program, WEXITSTATUS(status));
        return;
    }
    if (strstr(f.error, "No space left on device") != NULL && strstr(f.error, "could not write") != NULL)
        class = ERR_SPACE;
    buf_init(&line, 4096);
    buf_printf(&line, "%s failed", program);
    if (f.line > 0)
        buf_printf(&line, " at line %d", f.line);
    buf_puts(&line, ": ");
    put_short(&line, f.error, 600);
    if (f.detail != NULL) {
        buf_puts(&line, " (");
        put_short(&line, f.detail, MAX_DETAIL);
        buf_putc(&line, ')');
    }
    if (f.others > 0)
        buf_printf(&line, ", and %u more error%s", f.others, f.others > 1 ? "s" : "");
    err_set(err, class, "%s", line.data);
    if (class != ERR_SPACE)
        advise(&f, err);
    buf_release(&line);
}
