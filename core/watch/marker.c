/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/marker.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"

static const char prefix[] = "running-", ending[] = ".json";

struct marker {
    char *path, *lock_path; /* NULL: none */
    struct os_lock lock;
};

static struct marker own = { .lock = OS_LOCK_NONE }; /* its lock would not keep this very process out */

/* ---- a run's own ------------------------------------------------------------------------------------------------- */

static char *path_of(const struct places *p, const struct run *r, const char *suffix)
{
    char stamp[CLOCK_TEXT], *path = NULL;

    return asprintf(&path, "%s/%s%s-%s-%d%s", p->state, prefix, clock_stamp(stamp, r->started), run_kind_name(r->kind),
                    r->pid, suffix) < 0
             ? NULL
             : path;
}

/* The lock first: a mark that nobody holds is one of the dead. */
void marker_set(const struct places *p, const struct run *r)
{
    struct err ignored = { 0 };
    struct marker *m = &own;
    struct buf text;

    if (p->state == NULL)
        return;
    buf_init(&text, RUN_LINE_MAX);
    m->path = path_of(p, r, ending);
    m->lock_path = path_of(p, r, ".lock");
    if (m->path != NULL && m->lock_path != NULL && run_write(r, &text, &ignored) == 0 &&
        os_lock_take(&m->lock, m->lock_path, 0, &ignored) == 0)
        os_write_file(m->path, text.data, text.size, &ignored);
    buf_release(&text);
}

/* The mark first: so it is never without its lock. */
static void clear(struct marker *m)
{
    if (m->lock.fd >= 0) {
        unlink(m->path);
        unlink(m->lock_path);
        os_lock_release(&m->lock);
    }
    free(m->path);
    free(m->lock_path);
    *m = (struct marker){ .lock = OS_LOCK_NONE };
}

void marker_clear(void)
{
    clear(&own);
}

/* ---- those of the dead ------------------------------------------------------------------------------------------- */

static bool read_mark(const char *path, struct run *r)
{
    struct err err = { 0 };
    struct buf text;
    bool read;

    buf_init(&text, RUN_LINE_MAX);
    read = os_read_file(path, &text, &err) == 0;
    if (read && run_parse(text.data, text.size, r, &err) < 0)
        memset(r, 0, sizeof *r); /* damaged: there was a run, and no more is known */
    buf_release(&text);
    return read;
}

static void tell(struct run *r, marker_found *found, void *cookie)
{
    struct err ignored = { 0 };

    r->exit_code = MARKER_EXIT_CODE;
    r->signal = SIGKILL;
    run_set(&r->error, "it ended without a word: it was killed, or the machine went down", &ignored);
    run_set(&r->hint, "the kernel's log tells of processes that were ended for want of memory (dmesg)", &ignored);
    found(cookie, r);
}

/* Its lock can be taken: the one that held it is gone. It may have ended well just now, and taken its mark with it. */
static void look_at(struct marker *m, marker_found *found, void *cookie)
{
    struct err ignored = { 0 };
    struct run r;

    if (os_lock_take(&m->lock, m->lock_path, 0, &ignored) < 0)
        return;
    if (read_mark(m->path, &r)) {
        if (r.kind != RUN_NONE)
            tell(&r, found, cookie);
        run_release(&r);
    }
    clear(m);
}

void marker_sweep(const struct places *p, marker_found *found, void *cookie)
{
    DIR *d = p->state != NULL ? opendir(p->state) : NULL;
    const struct dirent *entry;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        struct marker m = { .lock = OS_LOCK_NONE };

        if (!text_starts(entry->d_name, prefix) || !text_ends(entry->d_name, ending))
            continue;
        m.path = os_path(p->state, entry->d_name);
        if (asprintf(&m.lock_path, "%s/%.*s.lock", p->state, (int)(strlen(entry->d_name) - strlen(ending)),
                     entry->d_name) < 0)
            m.lock_path = NULL;
        if (m.path != NULL && m.lock_path != NULL && (own.path == NULL || strcmp(own.path, m.path) != 0))
            look_at(&m, found, cookie);
        free(m.path);
        free(m.lock_path);
    }
    if (d != NULL)
        closedir(d);
}
