/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/outbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define NAME_BYTES 220 /* os_write_file adds to it while it writes */
#define SLASH '%'      /* in a file's name: in a key there is none */

/* ---- one object -------------------------------------------------------------------------------------------------- */

static char *directory_of(const struct places *p)
{
    return os_path(p->state, "outbox");
}

/* The key as a file's name, or back, in place. */
static void swap(char *text, char from, char to)
{
    for (; *text != '\0'; text++)
        if (*text == from)
            *text = to;
}

/* STATE_DIR/outbox/production%history%20251023-020000-...json; the caller frees. */
static char *path_of(const struct places *p, const char *key, struct err *err)
{
    char *path = NULL;

    if (strlen(key) > NAME_BYTES || *key == '.' || strchr(key, SLASH) != NULL) {
        err_set(err, ERR_IO, "%s can't be kept until the store takes it: its name is too long or odd", key);
        return NULL;
    }
    if (asprintf(&path, "%s/outbox/%s", p->state, key) < 0) {
        err_no_memory(err);
        return NULL;
    }
    swap(path + strlen(path) - strlen(key), '/', SLASH);
    return path;
}

static const char *type_of(const char *key)
{
    if (text_ends(key, ".html"))
        return "text/html; charset=utf-8";
    return text_ends(key, ".txt") ? "text/plain; charset=utf-8" : "application/json";
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

struct waiting {
    char *name;
    struct timespec since;
};

struct list {
    struct waiting *items;
    size_t n, room;
};

static int oldest_first(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;

    if (x->since.tv_sec != y->since.tv_sec)
        return x->since.tv_sec < y->since.tv_sec ? -1 : 1;
    if (x->since.tv_nsec != y->since.tv_nsec)
        return x->since.tv_nsec < y->since.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void list_release(struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i].name);
    free(l->items);
}

static int list_add(struct list *l, const char *name, const struct stat *st)
{
    if (l->n == l->room) {
        size_t room = l->room > 0 ? l->room * 2 : 64;
        struct waiting *items = reallocarray(l->items, room, sizeof *items);

        if (items == NULL)
            return -1;
        l->items = items;
        l->room = room;
    }
    l->items[l->n] = (struct waiting){ .name = strdup(name), .since = st->st_mtim };
    if (l->items[l->n].name == NULL)
        return -1;
    l->n++;
    return 0;
}

/* Without memory some are missing: they are found the next time. */
static void list_read(struct list *l, const char *directory)
{
    DIR *d = opendir(directory);
    const struct dirent *entry;
    struct stat st;

    memset(l, 0, sizeof *l);
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (entry->d_name[0] != '.' && fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && list_add(l, entry->d_name, &st) < 0)
            break;
    if (d != NULL)
        closedir(d);
    if (l->n > 0)
        qsort(l->items, l->n, sizeof *l->items, oldest_first);
}

/* Makes room for one more, and removes what killed runs have begun to write. */
static void tidy(const char *directory)
{
    struct list l;

    os_sweep_partials(directory, "");
    list_read(&l, directory);
    for (size_t i = 0; i + OUTBOX_OBJECTS <= l.n; i++) {
        char *path = os_path(directory, l.items[i].name);

        if (path != NULL)
            unlink(path);
        free(path);
    }
    list_release(&l);
}

/* ---- keeping and sending ------------------------------------------------------------------------------------------ */

int outbox_keep(const struct places *p, const char *key, const void *bytes, size_t n, struct err *err)
{
    char *directory = NULL, *path = NULL;
    int rc = -1;

    if (p->state == NULL)
        return 0;
    if (n > OUTBOX_BYTES)
        return err_set(err, ERR_IO, "%s can't be kept until the store takes it: it is larger than %zu bytes", key,
                       OUTBOX_BYTES);
    directory = directory_of(p);
    path = path_of(p, key, err);
    if (directory == NULL || path == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (os_make_dirs(directory, 0700, err) < 0)
        goto out;
    tidy(directory);
    rc = os_write_file(path, bytes, n, err);
out:
    free(directory);
    free(path);
    return rc;
}

static void drop(const struct places *p, const char *key)
{
    struct err ignored = { 0 };
    char *path = p->state != NULL ? path_of(p, key, &ignored) : NULL;

    if (path != NULL)
        unlink(path);
    free(path);
}

int outbox_put(struct store *store, const struct places *p, const char *key, const void *bytes, size_t n,
               struct err *err)
{
    int rc = store_put(store, key, bytes, n, type_of(key), NULL, err);

    if (rc == 0 || store_was_denied(err))
        drop(p, key);
    return rc;
}

/* false: the store takes nothing more now. One that can't be read, or is gone meanwhile, is passed over. */
static bool send_one(struct store *store, const struct places *p, const char *directory, char *name, size_t *sent)
{
    char *path = os_path(directory, name);
    struct err err = { 0 };
    struct buf bytes;
    bool go_on = true;

    buf_init(&bytes, OUTBOX_BYTES);
    if (path != NULL && os_read_file(path, &bytes, &err) == 0) {
        swap(name, SLASH, '/');
        if (outbox_put(store, p, name, bytes.data, bytes.size, &err) == 0)
            (*sent)++;
        else
            go_on = store_was_denied(&err);
    }
    if (err.class != ERR_NONE)
        log_debug("%s is not in the store: %s", name, err.message);
    buf_release(&bytes);
    free(path);
    return go_on;
}

size_t outbox_send(struct store *store, const struct places *p, unsigned seconds)
{
    double end = clock_monotonic() + seconds;
    char *directory = p->state != NULL ? directory_of(p) : NULL;
    struct list l;
    size_t sent = 0;

    if (directory == NULL)
        return 0;
    list_read(&l, directory);
    for (size_t i = 0; i < l.n && clock_monotonic() < end; i++)
        if (!send_one(store, p, directory, l.items[i].name, &sent))
            break;
    list_release(&l);
    free(directory);
    return sent;
}
