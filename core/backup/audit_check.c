/* SPDX-License-Identifier: PostgreSQL */
/* audit_check.c - reads the lines of a chained audit log and says what is wrong with which. */
#include "core/backup/audit_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/os.h"
#include "core/base/text.h"
#include "core/io/unpack.h"

#define FINDINGS_MAX 100 /* who has more has seen enough */
#define READ_BYTES 65536

struct line {
    const struct file *file;
    size_t number; /* in its file, from 1 */
    size_t offset, length;
    bool is_entry;
    struct audit_entry entry;
};

struct file {
    char *path;
    struct buf text;
    struct line *lines;
    size_t n;
    bool open;              /* its last line has no newline */
    bool cut;               /* its beginning was not read */
    struct audit_head head; /* that stands beside it; seq 0: none */
    uint64_t first;         /* number of its first sound entry, 0: none */
};

struct mark {
    char *where;
    struct audit_head head;
};

struct audit_check {
    struct file *files;
    size_t n;
    struct mark *marks;
    size_t n_marks;
};

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static int open_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        err_errno(err, "can't open %s", path);
        if (errno == ENOENT)
            err_reclass(err, ERR_NOT_FOUND);
    }
    return fd;
}

/* The last `bytes` of it, or all when there are no more. */
static int read_end(struct file *f, size_t bytes, struct err *err)
{
    int fd = open_file(f->path, err);
    char *room = buf_reserve(&f->text, bytes);
    ssize_t n = -1;
    struct stat st;

    if (fd < 0)
        return -1;
    if (room == NULL)
        buf_check(&f->text, err);
    else if (fstat(fd, &st) < 0)
        err_errno(err, "can't read %s", f->path);
    else
        n = os_pread(fd, room, bytes, (uint64_t)st.st_size > bytes ? (uint64_t)st.st_size - bytes : 0, f->path, err);
    if (n >= 0) {
        f->cut = (uint64_t)st.st_size > bytes;
        buf_commit(&f->text, (size_t)n);
    }
    close(fd);
    return n < 0 ? -1 : 0;
}

static int read_text(struct file *f, struct err *err)
{
    struct unpack *u = NULL;
    ssize_t n = -1;
    int fd = open_file(f->path, err);

    if (fd < 0)
        return -1;
    u = unpack_open(fd, f->path, err);
    while (u != NULL) {
        char *room = buf_reserve(&f->text, READ_BYTES);

        if (room == NULL) {
            err_set(err, ERR_IO, "%s is larger than %zu MB", f->path, AUDIT_LOG_MAX >> 20);
            err_hint(err, "split it at ends of lines and give all parts");
            n = -1;
            break;
        }
        n = unpack_read(u, room, READ_BYTES, err);
        if (n <= 0)
            break;
        buf_commit(&f->text, (size_t)n);
    }
    unpack_close(u);
    close(fd);
    return n < 0 ? -1 : 0;
}

static int split(struct file *f, struct err *err)
{
    size_t n = 1, offset = 0;

    for (size_t i = 0; i < f->text.size; i++)
        n += f->text.data[i] == '\n';
    f->lines = calloc(n, sizeof *f->lines);
    if (f->lines == NULL)
        return err_no_memory(err);
    while (offset < f->text.size) {
        struct line *l = &f->lines[f->n++];
        const char *start = f->text.data + offset;
        const char *newline = memchr(start, '\n', f->text.size - offset);

        l->file = f;
        l->number = f->n;
        l->offset = offset;
        l->length = newline != NULL ? (size_t)(newline - start) : f->text.size - offset;
        l->is_entry = audit_entry_parse(start, l->length, &l->entry);
        f->open = newline == NULL;
        if (f->first == 0 && l->is_entry && l->entry.sound)
            f->first = l->entry.self.seq;
        offset += l->length + 1;
    }
    return 0;
}

/* What stands before the first entry that is whole and tells of nothing before it may be the rest of something. Lines are
 * numbered from where the reading began. */
static int skip_beginning(struct file *f, struct err *err)
{
    size_t skip = 0;
    char *name = NULL;

    if (asprintf(&name, "the end of %s", f->path) < 0)
        return err_no_memory(err);
    free(f->path);
    f->path = name;

    while (skip < f->n && (skip == 0 || !f->lines[skip].is_entry || !f->lines[skip].entry.sound ||
                           f->lines[skip].entry.fragment[0] != '\0'))
        skip++;
    f->n -= skip;
    memmove(f->lines, f->lines + skip, f->n * sizeof *f->lines);
    f->first = f->n > 0 ? f->lines[0].entry.self.seq : 0;
    return 0;
}

static int read_file(struct file *f, const char *path, size_t bytes, struct err *err)
{
    char *head_path = audit_head_path(path);
    int rc = -1;

    buf_init(&f->text, AUDIT_LOG_MAX);
    f->path = strdup(path);
    if (f->path == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (head_path != NULL && audit_head_read(head_path, &f->head, err) < 0) /* first: the log may grow */
        goto out;
    if ((bytes < SIZE_MAX ? read_end(f, bytes, err) : read_text(f, err)) == 0)
        rc = split(f, err);
    if (rc == 0 && f->cut)
        rc = skip_beginning(f, err);
out:
    free(head_path);
    return rc;
}

static int by_first(const void *a, const void *b)
{
    const struct file *x = a, *y = b;

    if (x->first != y->first) /* none at all: a new file, the last one */
        return x->first - 1 < y->first - 1 ? -1 : 1;
    return strcmp(x->path, y->path);
}

struct audit_check *audit_check_open_parts(const struct audit_part *parts, size_t n, struct err *err)
{
    struct audit_check *c = calloc(1, sizeof *c);

    if (c != NULL)
        c->files = calloc(n + 1, sizeof *c->files);
    if (c == NULL || c->files == NULL) {
        err_no_memory(err);
        goto fail;
    }
    for (size_t i = 0; i < n; i++) {
        c->n++;
        if (read_file(&c->files[i], parts[i].path, parts[i].bytes, err) < 0)
            goto fail;
    }
    qsort(c->files, c->n, sizeof *c->files, by_first);
    for (size_t i = 0; i < c->n; i++) /* they have moved */
        for (size_t j = 0; j < c->files[i].n; j++)
            c->files[i].lines[j].file = &c->files[i];
    return c;
fail:
    audit_check_free(c);
    return NULL;
}

struct audit_check *audit_check_open(const char *const *paths, size_t n, struct err *err)
{
    struct audit_part *parts = calloc(n + 1, sizeof *parts);
    struct audit_check *c = NULL;

    if (parts == NULL) {
        err_no_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct audit_part){ .path = paths[i], .bytes = SIZE_MAX };
    c = audit_check_open_parts(parts, n, err);
    free(parts);
    return c;
}

int audit_check_mark(struct audit_check *c, const char *where, const char *head, struct err *err)
{
    struct mark *grown = reallocarray(c->marks, c->n_marks + 1, sizeof *grown);

    if (grown == NULL)
        return err_no_memory(err);
    c->marks = grown;
    c->marks[c->n_marks] = (struct mark){ .where = strdup(where) };
    if (c->marks[c->n_marks].where == NULL)
        return err_no_memory(err);
    if (!audit_head_parse(head, &c->marks[c->n_marks++].head))
        return err_set(err, ERR_DAMAGED, "%s: \"%s\" names no entry of an audit log", where, head);
    return 0;
}

void audit_check_free(struct audit_check *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n; i++) {
        free(c->files[i].path);
        free(c->files[i].lines);
        buf_release(&c->files[i].text);
    }
    for (size_t i = 0; i < c->n_marks; i++)
        free(c->marks[i].where);
    free(c->files);
    free(c->marks);
    free(c);
}

/* ---- findings --------------------------------------------------------------------------------------------------- */

struct judge {
    const struct audit_check *check;
    struct audit_result *result;
    const struct line *last;     /* the newest sound entry in place */
    const struct line **entries; /* all sound ones, by number */
    size_t n;
    uint64_t *numbers; /* that some entry has, a changed one too; sorted */
    size_t n_numbers;
    bool failed; /* without memory */
};

static void find(struct judge *j, bool damage, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void find(struct judge *j, bool damage, const char *format, ...)
{
    struct audit_result *r = j->result;
    struct audit_finding *grown;
    char *text = NULL;
    va_list args;
    int n;

    r->damages += damage;
    if (r->n >= FINDINGS_MAX)
        return;
    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    grown = n >= 0 ? reallocarray(r->findings, r->n + 1, sizeof *grown) : NULL;
    if (grown == NULL) {
        if (n >= 0)
            free(text);
        j->failed = true;
        return;
    }
    r->findings = grown;
    r->findings[r->n++] = (struct audit_finding){ .damage = damage, .text = text };
}

static int by_number(const void *a, const void *b)
{
    const struct line *const *x = a, *const *y = b;
    uint64_t m = (*x)->entry.self.seq, n = (*y)->entry.self.seq;

    return m < n ? -1 : m > n;
}

static int ascending(const void *a, const void *b)
{
    uint64_t m = *(const uint64_t *)a, n = *(const uint64_t *)b;

    return m < n ? -1 : m > n;
}

static const struct line *find_entry(const struct judge *j, uint64_t seq)
{
    struct line wanted = { .entry.self.seq = seq };
    const struct line *key = &wanted, **found = NULL;

    if (j->n > 0)
        found = bsearch(&key, j->entries, j->n, sizeof *j->entries, by_number);
    return found != NULL ? *found : NULL;
}

static int collect(struct judge *j, struct err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < j->check->n; i++)
        n += j->check->files[i].n;
    j->entries = calloc(n + 1, sizeof *j->entries);
    j->numbers = calloc(n + 1, sizeof *j->numbers);
    if (j->entries == NULL || j->numbers == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < j->check->n; i++) {
        const struct file *f = &j->check->files[i];

        for (size_t k = 0; k < f->n; k++) {
            if (f->lines[k].is_entry)
                j->numbers[j->n_numbers++] = f->lines[k].entry.self.seq;
            if (f->lines[k].is_entry && f->lines[k].entry.sound)
                j->entries[j->n++] = &f->lines[k];
        }
    }
    qsort(j->entries, j->n, sizeof *j->entries, by_number);
    qsort(j->numbers, j->n_numbers, sizeof *j->numbers, ascending);
    return 0;
}

/* ---- lines that are no sound entries ---------------------------------------------------------------------------- */

/* Lines from..to of the file stand between two entries. The next one may have told of them. */
static bool is_told(const struct file *f, size_t from, size_t to, const struct audit_entry *next)
{
    char hash[AUDIT_HASH + 1];
    size_t start = f->lines[from].offset, end = f->lines[to].offset + f->lines[to].length;

    audit_hash(hash, f->text.data + start, end - start);
    return next != NULL && strcmp(hash, next->fragment) == 0;
}

static void judge_rubble(struct judge *j, const struct file *f, size_t from, size_t to, const struct line *next)
{
    if (is_told(f, from, to, next != NULL ? &next->entry : NULL)) {
        find(j, false, "%s, line %zu: incomplete, as entry %" PRIu64 " tells", f->path, f->lines[from].number,
             next->entry.self.seq);
        return;
    }
    if (next == NULL && from == to && f->open) {
        find(j, false, "%s, line %zu: incomplete; a run is writing it, or was ended in the middle", f->path,
             f->lines[from].number);
        return;
    }
    for (size_t i = from; i <= to; i++) {
        if (f->lines[i].is_entry)
            find(j, true, "%s, line %zu: entry %" PRIu64 " was changed: its content is not what its hash stands for",
                 f->path, f->lines[i].number, f->lines[i].entry.self.seq);
        else
            find(j, true, "%s, line %zu: no entry of an audit log, or one that was changed", f->path,
                 f->lines[i].number);
    }
}

/* ---- the order of entries --------------------------------------------------------------------------------------- */

/* The smallest number from seq on that some entry has; UINT64_MAX: none. */
static uint64_t next_number(const struct judge *j, uint64_t seq)
{
    size_t low = 0, high = j->n_numbers;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (j->numbers[middle] < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < j->n_numbers ? j->numbers[low] : UINT64_MAX;
}

/* Which of the entries from..to are nowhere? Each stretch of them is a finding. */
static void judge_gap(struct judge *j, uint64_t from, uint64_t to, const struct line *at)
{
    while (from <= to) {
        uint64_t next = next_number(j, from), end = next <= to ? next - 1 : to;

        if (end == from)
            find(j, true, "%s, line %zu: entry %" PRIu64 " is missing before it", at->file->path, at->number, from);
        else if (end > from)
            find(j, true, "%s, line %zu: entries %" PRIu64 " to %" PRIu64 " are missing before it", at->file->path,
                 at->number, from, end);
        from = end + 1;
        from += next == from; /* it is there, if not in its place */
    }
}

static void judge_first(struct judge *j, const struct line *l)
{
    if (l->entry.self.seq == 1)
        return;
    find(j, false, "the log begins with entry %" PRIu64 ": entries 1 to %" PRIu64 " are in files that are not here",
         l->entry.self.seq, l->entry.self.seq - 1);
}

/* The hash tells what the gap or the changed line between them can't be asked: only neighbours are compared. */
static void judge_order(struct judge *j, const struct line *l)
{
    const struct audit_entry *last = &j->last->entry, *e = &l->entry;

    if (strcmp(last->self.chain, e->self.chain) != 0) {
        find(j, true, "%s, line %zu: another log begins (%s, after %s)", l->file->path, l->number, e->self.chain,
             last->self.chain);
    } else if (e->self.seq <= last->self.seq) {
        find(j, true, "%s, line %zu: entry %" PRIu64 " stands behind entry %" PRIu64, l->file->path, l->number,
             e->self.seq, last->self.seq);
        return; /* what comes next is compared with what was in place */
    } else if (e->self.seq > last->self.seq + 1) {
        judge_gap(j, last->self.seq + 1, e->self.seq - 1, l);
    } else if (strcmp(e->previous, last->self.hash) != 0) {
        find(j, true, "%s, line %zu: entry %" PRIu64 " was replaced: the one after it was chained to another",
             j->last->file->path, j->last->number, last->self.seq);
    }
    j->last = l;
}

static void judge_entry(struct judge *j, const struct line *l, bool after_rubble)
{
    if (l->entry.fragment[0] != '\0' && !after_rubble)
        find(j, true, "%s, line %zu: the incomplete line that entry %" PRIu64 " tells of is missing before it",
             l->file->path, l->number, l->entry.self.seq);
    if (j->last == NULL) {
        judge_first(j, l);
        j->last = l;
    } else {
        judge_order(j, l);
    }
}

static void judge_file(struct judge *j, const struct file *f)
{
    size_t rubble = 0; /* lines just before this one that are no sound entries */

    for (size_t i = 0; i < f->n; i++) {
        const struct line *l = &f->lines[i];

        if (!l->is_entry || !l->entry.sound) {
            rubble++;
            continue;
        }
        if (rubble > 0)
            judge_rubble(j, f, i - rubble, i - 1, l);
        judge_entry(j, l, rubble > 0);
        rubble = 0;
    }
    if (rubble > 0)
        judge_rubble(j, f, f->n - rubble, f->n - 1, NULL);
}

/* ---- what others say about the log ------------------------------------------------------------------------------ */

/* true: the entry that is named is there, and the same. */
static bool judge_mark(struct judge *j, const char *where, const struct audit_head *head)
{
    const struct audit_head *last = j->last != NULL ? &j->last->entry.self : NULL;
    const struct line *l = find_entry(j, head->seq);

    if (last == NULL || strcmp(last->chain, head->chain) != 0)
        find(j, false, "%s names entry %" PRIu64 " of another log, %s", where, head->seq, head->chain);
    else if (l != NULL && strcmp(l->entry.self.hash, head->hash) == 0)
        return true;
    else if (l != NULL)
        find(j, true, "%s, line %zu: entry %" PRIu64 " is not the one that %s names", l->file->path, l->number,
             head->seq, where);
    else if (head->seq > last->seq && next_number(j, head->seq) != head->seq)
        find(j, true, "%s: the end is missing: %s names entry %" PRIu64 ", and it ends with %" PRIu64,
             j->last->file->path, where, head->seq, last->seq);
    return false; /* between or before the entries: that was found already */
}

static void judge_head(struct judge *j, const struct file *f)
{
    if (f->head.seq > 0 && j->last == NULL)
        find(j, true, "%s: its end is missing: entry %" PRIu64 " was written, and there is none", f->path, f->head.seq);
    else if (f->head.seq > 0 && strcmp(j->last->entry.self.chain, f->head.chain) != 0)
        find(j, true, "%s: this is not the log that was written: that one is %s, this %s", f->path, f->head.chain,
             j->last->entry.self.chain);
    else if (f->head.seq > 0)
        judge_mark(j, "the head beside it", &f->head);
}

/* Notes may stand before it. */
static const char *first_damage(const struct audit_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->findings[i].damage)
            return r->findings[i].text;
    return "more findings than are kept";
}

int audit_check_judge(struct audit_check *c, struct audit_result *result, struct err *err)
{
    struct judge j = { .check = c, .result = result };
    int rc = -1;

    memset(result, 0, sizeof *result);
    if (collect(&j, err) < 0)
        goto out;
    result->entries = j.n;
    for (size_t i = 0; i < c->n; i++)
        judge_file(&j, &c->files[i]);
    if (j.n > 0) {
        result->first = j.entries[0]->entry.self.seq;
        result->last = j.entries[j.n - 1]->entry.self.seq;
    }
    for (size_t i = 0; i < c->n; i++)
        judge_head(&j, &c->files[i]);
    for (size_t i = 0; i < c->n_marks; i++)
        result->marks += judge_mark(&j, c->marks[i].where, &c->marks[i].head);
    if (j.failed)
        err_no_memory(err);
    else if (result->damages > 0)
        err_set(err, ERR_DAMAGED, "the audit log is not what was written: %s", first_damage(result));
    else
        rc = 0;
out:
    free(j.entries);
    free(j.numbers);
    return rc;
}

void audit_result_release(struct audit_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->findings[i].text);
    free(r->findings);
    memset(r, 0, sizeof *r);
}
