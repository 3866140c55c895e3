/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/sqlscript.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/io/unpack.h"
#include "core/pg/roles.h"
#include "core/pg/sqltext.h"

#define PIECE (256 * 1024)
#define MAX_STATEMENT (64u * 1024 * 1024)
#define KEY_BYTES 16

/* ---- scanning ---------------------------------------------------------------------------------------------------- */

static const char data_ends[] = "\n\\.\n";

struct scan {
    struct sqlscript_facts *facts;
    const char *what;
    struct buf text; /* not yet understood */
    size_t try_at;   /* a statement that was not whole is looked at again when there is this much of it */
    bool in_data;    /* between COPY ... FROM stdin and its \. */
};

static int note_command(struct scan *s, const char *line, size_t n, struct err *err)
{
    const char restrict_word[] = "\\restrict ";
    size_t word = 0, key;

    while (word < n && line[word] != ' ' && line[word] != '\n')
        word++;
    if (n > sizeof restrict_word - 1 && memcmp(line, restrict_word, sizeof restrict_word - 1) == 0) {
        key = n - (sizeof restrict_word - 1);
        if (s->facts->restrict_key[0] == '\0' && key < sizeof s->facts->restrict_key)
            snprintf(s->facts->restrict_key, sizeof s->facts->restrict_key, "%.*s", (int)key, line + n - key);
        return 0;
    }
    if (word == 11 && memcmp(line, "\\unrestrict", 11) == 0)
        return 0;
    err_set(err, ERR_RESTORE, "%s holds psql commands (%.*s), which are not run; nothing was touched", s->what,
            (int)(word < 40 ? word : 40), line);
    err_hint(err, "a dump of pg_dump --create or of pg_dumpall picks its databases itself: feed it to `sfb psql`");
    return -1;
}

/* COPY ... FROM stdin */
static bool begins_data(struct sql_reader r)
{
    struct sql_token t;

    if (!sql_take(&r, "COPY"))
        return false;
    while (sql_next(&r, &t) != SQL_END)
        if (sql_is_word(&t, "FROM") && sql_take(&r, "stdin"))
            return true;
    return false;
}

static int note_statement(struct scan *s, struct sql_reader r, struct err *err)
{
    struct sql_token t;
    int rc = 0;

    if (roles_of_statement(r.at, (size_t)(r.end - r.at), &s->facts->roles, err) < 0)
        return -1;
    if (sql_take(&r, "CREATE EXTENSION IF NOT EXISTS") || sql_take(&r, "CREATE EXTENSION")) {
        char *name = sql_next(&r, &t) != SQL_END ? sql_name(&t) : NULL;

        if (name != NULL)
            rc = names_add(&s->facts->extensions, name, err);
        free(name);
    }
    s->in_data = begins_data(r);
    return rc;
}

static void drop_head(struct buf *b, size_t n)
{
    memmove(b->data, b->data + n, b->size - n);
    buf_cut(b, b->size - n);
}

static void scan_data(struct scan *s)
{
    const char *end = memmem(s->text.data, s->text.size, data_ends, sizeof data_ends - 1);
    size_t keep = sizeof data_ends - 2;

    if (end != NULL) {
        drop_head(&s->text, (size_t)(end - s->text.data) + sizeof data_ends - 1);
        s->in_data = false;
        s->try_at = 0;
    } else if (s->text.size > keep) {
        drop_head(&s->text, s->text.size - keep);
    }
}

/* One statement or command from what there is; false: not a whole one yet. */
static bool scan_statement(struct scan *s, struct sql_reader *r, int *rc, struct err *err)
{
    struct sql_reader ahead = *r, statement;
    struct sql_token t;

    if (sql_next(&ahead, &t) == SQL_SIGN && *t.text == '\\') {
        const char *newline = memchr(t.text, '\n', (size_t)(r->end - t.text));

        if (newline == NULL)
            return false;
        *rc = note_command(s, t.text, (size_t)(newline - t.text), err);
        r->at = newline;
        return true;
    }
    ahead = *r;
    if (!sql_statement(&ahead, &statement) || statement.end == r->end)
        return false;
    *rc = note_statement(s, statement, err);
    *r = ahead;
    return true;
}

static int scan_sql(struct scan *s, struct err *err)
{
    struct sql_reader r = sql_reader(s->text.data, s->text.size);
    int rc = 0;

    if (s->text.size < s->try_at)
        return 0;
    while (rc == 0 && !s->in_data && scan_statement(s, &r, &rc, err))
        ;
    drop_head(&s->text, (size_t)(r.at - s->text.data));
    s->try_at = s->text.size + s->text.size / 8; /* so that a long one is not read again for every piece */
    return rc;
}

static int scan_piece(struct scan *s, const char *piece, size_t n, struct err *err)
{
    if (s->facts->unread)
        return 0;
    buf_add(&s->text, piece, n);
    if (s->text.failed) {
        s->facts->unread = true;
        return 0;
    }
    for (;;) {
        bool was_in_data = s->in_data;

        if (was_in_data)
            scan_data(s);
        else if (scan_sql(s, err) < 0)
            return -1;
        if (was_in_data == s->in_data)
            return 0;
    }
}

int sqlscript_scan(int fd, const char *what, struct sqlscript_facts *out, struct err *err)
{
    struct scan s = { .facts = out, .what = what };
    struct unpack *u = NULL;
    char *piece = malloc(PIECE);
    ssize_t n = -1;
    int rc = -1;

    memset(out, 0, sizeof *out);
    buf_init(&s.text, MAX_STATEMENT);
    if (piece == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (lseek(fd, 0, SEEK_SET) < 0) {
        err_errno(err, "can't read %s", what);
        goto out;
    }
    u = unpack_open(fd, what, err);
    while (u != NULL && (n = unpack_read(u, piece, PIECE, err)) > 0)
        if (os_check_interrupt(err) < 0 || scan_piece(&s, piece, (size_t)n, err) < 0)
            goto out;
    s.try_at = 0; /* there is no more to wait for */
    rc = n == 0 ? scan_piece(&s, "", 0, err) : -1;
out:
    if (rc < 0)
        sqlscript_release(out);
    unpack_close(u);
    buf_release(&s.text);
    free(piece);
    return rc;
}

void sqlscript_release(struct sqlscript_facts *f)
{
    names_release(&f->roles);
    names_release(&f->extensions);
    memset(f, 0, sizeof *f);
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

struct feed {
    int fd; /* psql's standard input */
    const char *what;
    char on[160], off[160]; /* "\n\restrict KEY\n" and its counterpart; "" when the script has none */
    struct buf held;        /* the end of what was read: one of those lines may be cut */
};

static void mask_line(char *text, size_t n, const char *line)
{
    char *at;

    if (*line != '\0' && (at = memmem(text, n, line, strlen(line))) != NULL)
        memcpy(at + 1, "--", 2);
}

/* Everything but the last bytes, which are held back until what follows them is known; all of it at the end. */
static int feed_piece(struct feed *f, const char *piece, size_t n, bool last, struct err *err)
{
    size_t hold = last || *f->on == '\0' ? 0 : strlen(f->off) - 1, go;

    buf_add(&f->held, piece, n);
    if (buf_check(&f->held, err) < 0)
        return -1;
    mask_line(f->held.data, f->held.size, f->on);
    mask_line(f->held.data, f->held.size, f->off);
    go = f->held.size > hold ? f->held.size - hold : 0;
    if (os_write(f->fd, f->held.data, go, "the pipe to psql", err) < 0)
        return -1;
    drop_head(&f->held, go);
    return 0;
}

static int feed_all(struct feed *f, struct unpack *u, struct tool_run *run, void (*progress)(uint64_t), struct err *err)
{
    char *piece = malloc(PIECE);
    uint64_t seen = 0;
    ssize_t n = -1;
    int rc = -1;

    if (piece == NULL)
        return err_no_memory(err);
    while ((n = unpack_read(u, piece, PIECE, err)) > 0) {
        if (os_check_interrupt(err) < 0 || feed_piece(f, piece, (size_t)n, false, err) < 0)
            goto out;
        tool_follow(run);
        if (progress != NULL)
            progress(unpack_consumed(u) - seen);
        seen = unpack_consumed(u);
    }
    if (n == 0)
        rc = feed_piece(f, "", 0, true, err);
out:
    free(piece);
    return rc;
}

/* The first line: a key that nobody knows, so nothing in the script ends the restriction. */
static int feed_begin(struct feed *f, const char *script_key, struct err *err)
{
    uint8_t random[KEY_BYTES];
    char key[2 * KEY_BYTES + 1], line[64];
    int n;

    buf_init(&f->held, 2 * PIECE);
    if (*script_key != '\0') {
        snprintf(f->on, sizeof f->on, "\n\\restrict %s\n", script_key);
        snprintf(f->off, sizeof f->off, "\n\\unrestrict %s\n", script_key);
    }
    if (os_random(random, sizeof random, err) < 0)
        return -1;
    n = snprintf(line, sizeof line, "\\restrict %s\n", text_hex(key, random, sizeof random));
    return os_write(f->fd, line, (size_t)n, "the pipe to psql", err);
}

static int start_psql(struct tool_run *run, const struct tool *tool, const struct target *into, const char *session,
                      int stdin_fd, struct err *err)
{
    static const char *const args[] = { "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-", NULL };

    run->tool = tool;
    run->program = TOOL_PSQL;
    run->args = args;
    run->target = into;
    run->session_options = session;
    run->stdin_fd = stdin_fd;
    return tool_start(run, err);
}

int sqlscript_run(int fd, const char *what, const struct sqlscript_facts *facts, const struct tool *tool,
                  const struct target *into, const char *session, void (*progress)(uint64_t bytes), struct err *err)
{
    struct tool_run run = { TOOL_RUN_NONE };
    struct feed feed = { .fd = -1, .what = what };
    struct err feed_err = { 0 };
    struct unpack *u = NULL;
    int ends[2] = { -1, -1 };
    int fed = -1, rc = -1;

    if (lseek(fd, 0, SEEK_SET) < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        err_errno(err, "can't feed %s to psql", what);
        goto out;
    }
    u = unpack_open(fd, what, err);
    if (u == NULL || start_psql(&run, tool, into, session, ends[0], err) < 0)
        goto out;
    close(ends[0]);
    ends[0] = -1;
    feed.fd = ends[1];
    if (feed_begin(&feed, facts->restrict_key, &feed_err) == 0)
        fed = feed_all(&feed, u, &run, progress, &feed_err);
    if (feed_err.class == ERR_DAMAGED || feed_err.class == ERR_SIGNAL)
        tool_stop(&run); /* half a script must not end as if it were whole */
    close(ends[1]);
    ends[1] = -1;
    /* psql's own error is the cause, and our write that failed because psql had ended is not */
    if (feed_err.class != ERR_DAMAGED && feed_err.class != ERR_SIGNAL && tool_wait(&run, ERR_RESTORE, err) < 0)
        goto out;
    if (fed < 0) {
        *err = feed_err;
        goto out;
    }
    rc = 0;
out:
    tool_stop(&run);
    unpack_close(u);
    buf_release(&feed.held);
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return rc;
}
