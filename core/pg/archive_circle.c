/* SPDX-License-Identifier: PostgreSQL */
/* archive_circle.c - do the dependencies of a table of contents go in a circle? */
#include "core/pg/archive_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum mark { MARK_NEW = 0, MARK_ON_PATH, MARK_DONE };

struct step { /* an entry on the path, and which of its dependencies comes next */
    struct archive_entry *entry;
    size_t next;
};

struct search {
    const struct archive *a;
    enum err_class damage;
    uint8_t *marks;    /* one for each entry: enum mark */
    struct step *path; /* each depends on the one behind it; room for all entries, for none is on it twice */
    size_t depth;
};

static uint8_t *mark_of(const struct search *s, const struct archive_entry *e)
{
    return &s->marks[e - s->a->entries];
}

/* The path's last entry depends on e, which is on the path itself. */
static int refuse(const struct search *s, const struct archive_entry *e, struct err *err)
{
    const struct archive_entry *last = s->path[s->depth - 1].entry;
    size_t n = 1;
    char name[160], other[160];

    while (n < s->depth && s->path[s->depth - n].entry != e)
        n++;
    archive_entry_label(last, name, sizeof name);
    archive_entry_label(e, other, sizeof other);
    if (n == 1)
        err_set(err, s->damage, "offset %" PRIu64 ": entry %d of the table of contents (%s) depends on itself",
                last->offset_at, last->id, name);
    else
        err_set(err, s->damage,
                "offset %" PRIu64 ": the dependencies of %zu entries go in a circle: "
                "entry %d (%s) depends on entry %d (%s), and that again on entry %d",
                last->offset_at, n, last->id, name, e->id, other, last->id);
    err_hint(err,
             "pg_dump writes no circles, so the file was changed after it: use another backup or copy. Where there is "
             "none, `sfb pg_restore` without -j heeds no dependencies and restores what it can, without a proof");
    return -1;
}

static void enter(struct search *s, struct archive_entry *e)
{
    *mark_of(s, e) = MARK_ON_PATH;
    s->path[s->depth++] = (struct step){ .entry = e };
}

/* Everything that e depends on, and on and on. A path of 100,000 entries is nothing for the heap, but the end of a
 * thread's stack: so no recursion. */
static int follow(struct search *s, struct archive_entry *e, struct err *err)
{
    enter(s, e);
    while (s->depth > 0) {
        struct step *top = &s->path[s->depth - 1];
        struct archive_entry *on;

        if (top->next == top->entry->depends_n) {
            *mark_of(s, top->entry) = MARK_DONE;
            s->depth--;
            continue;
        }
        on = archive_find(s->a, top->entry->depends[top->next++]);
        if (on != NULL && *mark_of(s, on) == MARK_ON_PATH)
            return refuse(s, on, err);
        if (on != NULL && *mark_of(s, on) == MARK_NEW)
            enter(s, on);
    }
    return 0;
}

int archive_circle_check(const struct archive *a, enum err_class damage, struct err *err)
{
    struct search s = { .a = a, .damage = damage };
    int rc = 0;

    if (a->n == 0)
        return 0;
    s.marks = calloc(a->n, sizeof *s.marks);
    s.path = calloc(a->n, sizeof *s.path);
    if (s.marks == NULL || s.path == NULL)
        rc = err_no_memory(err);
    for (size_t i = 0; rc == 0 && i < a->n; i++)
        if (s.marks[i] == MARK_NEW)
            rc = follow(&s, &a->entries[i], err);
    free(s.marks);
    free(s.path);
    return rc;
}
