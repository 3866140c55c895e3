/* SPDX-License-Identifier: PostgreSQL */
#include "core/pg/load.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/os.h"
#include "core/pg/crew.h"
#include "core/pg/restore.h"
#include "core/pg/walk.h"

#define SLICE_MS 200
#define MAX_LANES 64
#define MAX_SQL (1024 * 1024)
#define LANE_TURN (512 * 1024)           /* text that one lane gets before it is the next one's turn */
#define FREEZE_STORED (64 * 1024)        /* below that a new file for the table costs more than a second visit */
#define WIDE_STORED (8ull * 1024 * 1024) /* below that lanes of its own are not worth it */

static const char ending[] = "\\.\n\n\n"; /* what follows the rows in an archive */
#define ENDING (sizeof ending - 1)

struct item {
    const struct archive_entry *entry;
    uint64_t stored; /* bytes in the archive */
    uint64_t work;
};

struct loader {
    const struct load_params *p;
    struct walk_file file;
    struct item *items; /* the most work first */
    size_t n;
    char *session;
};

/* ---- which ones ------------------------------------------------------------------------------------------------- */

static bool is_plain(const struct archive_entry *e)
{
    return e->has_data && e->copy != NULL && archive_is_copy(e) && !e->with_oids && e->state == OFFSET_KNOWN;
}

static int by_offset(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return (x->entry->offset > y->entry->offset) - (x->entry->offset < y->entry->offset);
}

static int more_work(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return (x->work < y->work) - (x->work > y->work);
}

static int choose(struct loader *l, const bool *wanted, struct err *err)
{
    const struct archive *a = l->p->archive;

    l->items = calloc(a->n + 1, sizeof *l->items);
    if (l->items == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < a->n; i++)
        if (wanted[i] && is_plain(&a->entries[i]))
            l->items[l->n++].entry = &a->entries[i];
    qsort(l->items, l->n, sizeof *l->items, by_offset);
    for (size_t i = 0; i < l->n; i++) /* blocks stand one behind the other; what is between two is no matter */
        l->items[i].stored = (i + 1 < l->n ? l->items[i + 1].entry->offset : l->file.size) - l->items[i].entry->offset;
    for (size_t i = 0; i < l->n; i++)
        l->items[i].work = l->p->work != NULL ? l->p->work[l->items[i].entry - a->entries] : l->items[i].stored;
    qsort(l->items, l->n, sizeof *l->items, more_work);
    return 0;
}

/* ---- lanes: connections in the middle of a COPY ------------------------------------------------------------------- */

struct lanes {
    PGconn *c[MAX_LANES];
    size_t n, at;
    size_t given; /* to the lane whose turn it is */
    char held[ENDING];
    size_t held_n;
    void (*progress)(uint64_t bytes);
};

static int lane_failed(PGconn *c, struct err *err)
{
    PGresult *r = PQgetResult(c); /* the server's own words, where it said some */

    conn_fail(err, ERR_RESTORE, c, r, NULL);
    PQclear(r);
    return -1;
}

/* Until one of them can go on, or a while. */
static int wait_any(struct lanes *l, size_t first, size_t n, struct err *err)
{
    struct pollfd fds[MAX_LANES];

    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){ .fd = PQsocket(l->c[first + i]),
                                  .events = POLLIN | (PQflush(l->c[first + i]) > 0 ? POLLOUT : 0) };
    poll(fds, n, SLICE_MS);
    for (size_t i = 0; i < n; i++)
        if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) && PQconsumeInput(l->c[first + i]) == 0)
            return lane_failed(l->c[first + i], err);
    return os_check_interrupt(err);
}

/* 1: all that it was given is on its way; 0: not yet; -1: it failed. */
static int is_free(PGconn *c, struct err *err)
{
    int left = PQflush(c);

    return left < 0 ? lane_failed(c, err) : left == 0;
}

static int give(struct lanes *l, const char *text, size_t n, struct err *err)
{
    PGconn *c = l->c[l->at];
    int free;

    if (n == 0)
        return 0;
    while ((free = is_free(c, err)) == 0)
        if (wait_any(l, l->at, 1, err) < 0)
            return -1;
    if (free < 0)
        return -1;
    if (PQputCopyData(c, text, (int)n) != 1)
        return lane_failed(c, err);
    l->given += n;
    return is_free(c, err) < 0 ? -1 : 0;
}

/* The next lane that has nothing to do. */
static int change_lane(struct lanes *l, struct err *err)
{
    for (;;) {
        for (size_t i = 1; i <= l->n; i++) {
            size_t next = (l->at + i) % l->n;
            int free = is_free(l->c[next], err);

            if (free < 0)
                return -1;
            if (free > 0) {
                l->at = next;
                l->given = 0;
                return 0;
            }
        }
        if (wait_any(l, 0, l->n, err) < 0)
            return -1;
    }
}

/* Lanes change between rows only. */
static int send_rows(struct lanes *l, const char *text, size_t n, struct err *err)
{
    const char *newline = l->n > 1 && l->given + n >= LANE_TURN ? memrchr(text, '\n', n) : NULL;
    size_t whole = newline != NULL ? (size_t)(newline + 1 - text) : n;

    if (give(l, text, whole, err) < 0)
        return -1;
    if (newline == NULL)
        return 0;
    return change_lane(l, err) < 0 ? -1 : give(l, text + whole, n - whole, err);
}

/* A walk_data: the ending is held back, whatever pieces it comes in. */
static int take_text(void *cookie, uint32_t object, const void *bytes, size_t n, struct err *err)
{
    struct lanes *l = cookie;
    size_t total = l->held_n + n, go = total > ENDING ? total - ENDING : 0;
    size_t from_held = go < l->held_n ? go : l->held_n, from_piece = go - from_held;
    char held[ENDING];

    (void)object;
    if (from_held > 0) {
        memcpy(held, l->held, from_held);
        if (send_rows(l, held, from_held, err) < 0)
            return -1;
        memmove(l->held, l->held + from_held, l->held_n - from_held);
        l->held_n -= from_held;
    }
    if (from_piece > 0 && send_rows(l, bytes, from_piece, err) < 0)
        return -1;
    memcpy(l->held + l->held_n, (const char *)bytes + from_piece, n - from_piece);
    l->held_n += n - from_piece;
    if (l->progress != NULL)
        l->progress(n);
    return os_check_interrupt(err);
}

/* The end of the data, and the server's answer to it. */
static int end_lane(struct lanes *l, size_t i, struct err *err)
{
    PGconn *c = l->c[i];
    int sent, free, rc;

    while ((sent = PQputCopyEnd(c, NULL)) == 0)
        if (wait_any(l, i, 1, err) < 0)
            return -1;
    if (sent < 0)
        return lane_failed(c, err);
    while ((free = is_free(c, err)) == 0 || (free > 0 && PQisBusy(c)))
        if (wait_any(l, i, 1, err) < 0)
            return -1;
    if (free < 0)
        return -1;
    rc = conn_finish(c, ERR_RESTORE, err);
    PQsetnonblocking(c, 0);
    return rc;
}

/* ---- one table --------------------------------------------------------------------------------------------------- */

static int put_copy(struct buf *sql, const struct archive_copy *copy, bool freeze, struct err *err)
{
    buf_puts(sql, "COPY ");
    conn_quote_name(sql, copy->schema);
    buf_putc(sql, '.');
    conn_quote_name(sql, copy->table);
    for (size_t i = 0; i < copy->n; i++) {
        buf_puts(sql, i == 0 ? " (" : ", ");
        conn_quote_name(sql, copy->columns[i]);
    }
    buf_puts(sql, copy->n > 0 ? ") FROM STDIN" : " FROM STDIN");
    buf_puts(sql, freeze ? " WITH (FREEZE)" : "");
    return buf_check(sql, err);
}

static int begin_lane(struct lanes *l, PGconn *c, const char *sql, struct err *err)
{
    PGresult *r = conn_query(c, ERR_RESTORE, err, sql, 0, NULL);

    if (r == NULL)
        return -1;
    PQclear(r);
    PQsetnonblocking(c, 1);
    l->c[l->n++] = c;
    return 0;
}

/* Partitioned tables and the like take rows, but do not keep them: nothing there can be truncated and frozen. */
static int keeps_rows(PGconn *c, const struct archive_copy *copy, bool *keeps, struct err *err)
{
    const char *params[] = { copy->schema, copy->table };
    char *kind = conn_value(c, ERR_RESTORE, err,
                            "SELECT c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                            " ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
                            2, params);

    *keeps = kind != NULL && *kind == 'r';
    free(kind);
    return kind != NULL ? 0 : -1;
}

static int begin_freeze(PGconn *c, const struct archive_copy *copy, struct err *err)
{
    struct buf sql;
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    buf_puts(&sql, "BEGIN; TRUNCATE ONLY ");
    conn_quote_name(&sql, copy->schema);
    buf_putc(&sql, '.');
    conn_quote_name(&sql, copy->table);
    if (buf_check(&sql, err) == 0)
        rc = conn_exec(c, ERR_RESTORE, err, sql.data);
    buf_release(&sql);
    return rc;
}

static int load_table(struct loader *l, const struct item *item, PGconn *const *conns, size_t n, struct err *err)
{
    struct lanes lanes = { .progress = l->p->progress };
    struct archive_copy copy = { 0 };
    bool freeze = n == 1 && item->stored >= FREEZE_STORED;
    struct buf sql;
    char name[160];
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    if (archive_copy_parse(item->entry, &copy, err) < 0 || (freeze && keeps_rows(conns[0], &copy, &freeze, err) < 0) ||
        (freeze && begin_freeze(conns[0], &copy, err) < 0) || put_copy(&sql, &copy, freeze, err) < 0)
        goto out;
    while (lanes.n < n)
        if (begin_lane(&lanes, conns[lanes.n], sql.data, err) < 0)
            goto out;
    if (walk_entry(&l->file, l->p->archive, item->entry, take_text, &lanes, err) < 0)
        goto out;
    if ((lanes.held_n != ENDING || memcmp(lanes.held, ending, ENDING) != 0) &&
        give(&lanes, lanes.held, lanes.held_n, err) < 0)
        goto out;
    for (size_t i = 0; i < lanes.n; i++)
        if (end_lane(&lanes, i, err) < 0)
            goto out;
    rc = freeze ? conn_exec(conns[0], ERR_RESTORE, err, "COMMIT") : 0;
out:
    if (rc < 0 && err->class == ERR_RESTORE)
        err_context(err, "%s", archive_entry_name(item->entry, name, sizeof name));
    archive_copy_release(&copy);
    buf_release(&sql);
    return rc;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int load_narrow(PGconn *c, size_t i, void *cookie, struct err *err)
{
    struct loader *l = cookie;

    return load_table(l, &l->items[i], &c, 1, err);
}

/* Tables so large that whoever loads one alone would be the last to end. Returns how many there were. */
static int load_wide(struct loader *l, size_t *done, struct err *err)
{
    PGconn *conns[MAX_LANES] = { NULL };
    size_t n = l->p->jobs < MAX_LANES ? l->p->jobs : MAX_LANES;
    uint64_t left = 0;
    int rc = -1;

    *done = 0;
    for (size_t i = 0; i < l->n; i++)
        left += l->items[i].work;
    for (; *done < l->n && n > 1; ++*done) {
        const struct item *item = &l->items[*done];

        left -= item->work;
        if (item->stored < WIDE_STORED || item->work <= left / (n - 1))
            break;
        for (size_t i = 0; i < n; i++)
            if (conns[i] == NULL && (conns[i] = conn_open(l->p->target, l->session, err)) == NULL)
                goto out;
        if (load_table(l, item, conns, n, err) < 0)
            goto out;
    }
    rc = 0;
out:
    for (size_t i = 0; i < n; i++)
        conn_close(conns[i]);
    return rc;
}

static int make_session(struct loader *l, struct err *err)
{
    struct buf options;

    buf_init(&options, 4096);
    buf_puts(&options, restore_session(0));
    buf_puts(&options, " -c row_security=off -c xmloption=content");
    if (l->p->encoding != NULL && *l->p->encoding != '\0')
        buf_printf(&options, " -c client_encoding=%s", l->p->encoding);
    l->session = buf_take(&options, err);
    return l->session != NULL ? 0 : -1;
}

int load_run(const struct load_params *p, bool *wanted, struct err *err)
{
    struct loader l = { .p = p };
    struct loader narrow;
    size_t wide = 0;
    int rc = -1;

    if (walk_file_fd(&l.file, p->fd, err) < 0 || choose(&l, wanted, err) < 0 || make_session(&l, err) < 0 ||
        load_wide(&l, &wide, err) < 0)
        goto out;
    narrow = l;
    narrow.items += wide;
    narrow.n -= wide;
    if (crew_run(p->target, l.session, p->jobs, narrow.n, load_narrow, &narrow, err) < 0)
        goto out;
    for (size_t i = 0; i < l.n; i++)
        wanted[l.items[i].entry - p->archive->entries] = false;
    rc = 0;
out:
    free(l.items);
    free(l.session);
    return rc;
}
