/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/proofs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define STAMP_LENGTH 15 /* YYYYMMDD-HHMMSS */
#define BACKUP_LENGTH 120
#define PREFIX "drill-"

static const char *const verdicts[] = { "passed", "failed", "unfinished" };
static const char *const endings[] = { ".html", ".json", ".txt" };
static const char *const environments[] = { "production", "staging" };

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- names ------------------------------------------------------------------------------------------------------ */

const char *proofs_verdict_name(enum proofs_verdict v)
{
    return verdicts[v];
}

/* Where a stamp begins that the n bytes end in; NULL: they end in none. */
static const char *find_stamp(const char *name, size_t n, time_t *taken)
{
    const char *stamp;

    if (n <= STAMP_LENGTH)
        return NULL;
    stamp = name + n - STAMP_LENGTH;
    return stamp[-1] == '-' && clock_parse_stamp(stamp, taken) ? stamp : NULL;
}

char *proofs_backup_name(const char *path)
{
    static const char *const kinds[] = { ".sql.gz", ".sql", ".dump" };
    const char *name = path != NULL ? os_basename(path) : "", *series;
    size_t n = strlen(name);
    time_t taken;
    char *copy;

    for (size_t i = 0; i < COUNT(kinds); i++)
        if (text_ends(name, kinds[i])) {
            n -= strlen(kinds[i]);
            break;
        }
    /* "signupflow-backup-STAMP" is the work directory's name for "backup-STAMP"; no label may end like that */
    series = n > STAMP_LENGTH + strlen("backup-") ? name + n - STAMP_LENGTH - strlen("backup-") : NULL;
    if (series != NULL && series > name && series[-1] == '-' && text_starts(series, "backup-") &&
        find_stamp(name, n, &taken) != NULL) {
        n -= (size_t)(series - name);
        name = series;
    }
    copy = strndup(name, n < BACKUP_LENGTH ? n : BACKUP_LENGTH);
    for (char *c = copy; c != NULL && *c != '\0'; c++)
        if (!isascii((unsigned char)*c) || (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL))
            *c = '_';
    return copy;
}

char *proofs_name(time_t drilled, enum proofs_verdict verdict, const char *backup)
{
    char stamp[CLOCK_TEXT], *of = proofs_backup_name(backup), *name = NULL;

    if (of != NULL && asprintf(&name, PREFIX "%s-%s%s%s", clock_stamp(stamp, drilled), verdicts[verdict],
                               *of != '\0' ? "-" : "", of) < 0)
        name = NULL;
    free(of);
    return name;
}

char *proofs_key(const char *environment, const char *name, const char *ending)
{
    char *key = NULL;

    return asprintf(&key, "%s/reports/%s%s", environment, name, ending) < 0 ? NULL : key;
}

static void release_item(struct proofs_item *item)
{
    free(item->name);
    free(item->environment);
    free(item->backup);
}

/* What stands behind the verdict: "" or "-BACKUP". */
static const char *parse_verdict(const char *text, size_t n, enum proofs_verdict *out)
{
    for (size_t i = 0; i < COUNT(verdicts); i++) {
        size_t length = strlen(verdicts[i]);

        if (n >= length && strncmp(text, verdicts[i], length) == 0 &&
            (n == length || (n > length + 1 && text[length] == '-'))) {
            *out = (enum proofs_verdict)i;
            return text + length;
        }
    }
    return NULL;
}

int proofs_parse(const char *environment, const char *name, struct proofs_item *out, struct err *err)
{
    size_t n = strlen(name);
    const char *rest;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < COUNT(endings); i++)
        if (text_ends(name, endings[i])) {
            n -= strlen(endings[i]);
            break;
        }
    if (!text_starts(name, PREFIX) || n < strlen(PREFIX) + STAMP_LENGTH + 1 || strchr(name, '/') != NULL ||
        !clock_parse_stamp(name + strlen(PREFIX), &out->drilled) || name[strlen(PREFIX) + STAMP_LENGTH] != '-')
        return 0;
    rest = name + strlen(PREFIX) + STAMP_LENGTH + 1;
    rest = parse_verdict(rest, n - (size_t)(rest - name), &out->verdict);
    if (rest == NULL)
        return 0;
    rest += *rest == '-';
    if (find_stamp(rest, n - (size_t)(rest - name), &out->taken) == NULL)
        out->taken = 0;
    out->name = strndup(name, n);
    out->environment = strdup(environment);
    out->backup = strndup(rest, n - (size_t)(rest - name));
    if (out->name == NULL || out->environment == NULL || out->backup == NULL) {
        release_item(out);
        return err_no_memory(err);
    }
    return 1;
}

/* ---- which there are -------------------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const struct proofs_item *x = a, *y = b;
    int order = strcmp(x->environment, y->environment);

    if (x->drilled != y->drilled)
        return x->drilled > y->drilled ? -1 : 1;
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Each report has three files, and may be known from two places. */
static void sort_and_merge(struct proofs *p)
{
    size_t kept = 0;

    if (p->n > 0)
        qsort(p->items, p->n, sizeof *p->items, newest_first);
    for (size_t i = 0; i < p->n; i++) {
        if (kept > 0 && newest_first(&p->items[kept - 1], &p->items[i]) == 0)
            release_item(&p->items[i]);
        else
            p->items[kept++] = p->items[i];
    }
    p->n = kept;
}

static int add(struct proofs *out, const char *environment, const char *name, struct err *err)
{
    struct proofs_item item, *items;
    int found = proofs_parse(environment, name, &item, err);

    if (found <= 0)
        return found;
    items = reallocarray(out->items, out->n + 1, sizeof *items);
    if (items == NULL) {
        release_item(&item);
        return err_no_memory(err);
    }
    out->items = items;
    items[out->n++] = item;
    return 0;
}

int proofs_add(struct proofs *out, const char *environment, const char *name, time_t taken, struct err *err)
{
    size_t before = out->n;

    if (add(out, environment, name, err) < 0)
        return -1;
    if (out->n > before && taken != 0)
        out->items[before].taken = taken;
    sort_and_merge(out);
    return 0;
}

static void forget_from(struct proofs *p, size_t n)
{
    while (p->n > n)
        release_item(&p->items[--p->n]);
}

static bool is_wanted(const char *environment, const char *candidate)
{
    return environment == NULL || strcmp(environment, candidate) == 0;
}

static char *directory_of(const char *state, const char *environment)
{
    char *directory = NULL;

    return asprintf(&directory, "%s/reports/%s", state, environment) < 0 ? NULL : directory;
}

/* One that is not there holds none. */
static int read_directory(struct proofs *out, const char *directory, const char *environment, struct err *err)
{
    DIR *d = opendir(directory);
    const struct dirent *entry;
    int rc = 0;

    if (d == NULL)
        return errno == ENOENT ? 0 : err_errno(err, "can't list %s", directory);
    for (errno = 0; rc == 0 && (entry = readdir(d)) != NULL; errno = 0)
        rc = add(out, environment, entry->d_name, err);
    if (rc == 0 && errno != 0)
        rc = err_errno(err, "can't list %s", directory);
    closedir(d);
    return rc;
}

int proofs_read_host(struct proofs *out, const char *state, const char *environment, struct err *err)
{
    size_t before = out->n;
    int rc = 0;

    for (size_t i = 0; state != NULL && i < COUNT(environments) && rc == 0; i++) {
        char *directory;

        if (!is_wanted(environment, environments[i]))
            continue;
        directory = directory_of(state, environments[i]);
        rc = directory != NULL ? read_directory(out, directory, environments[i], err) : err_no_memory(err);
        free(directory);
    }
    if (rc < 0)
        forget_from(out, before);
    sort_and_merge(out);
    return rc;
}

struct listing {
    struct proofs *proofs;
    const char *environment;
    size_t skip; /* of each key: the prefix */
};

static int list_one(void *cookie, const struct store_item *object, struct err *err)
{
    const struct listing *l = cookie;

    return add(l->proofs, l->environment, object->key + l->skip, err);
}

int proofs_read_store(struct proofs *out, struct store *store, const char *environment, struct err *err)
{
    size_t before = out->n;
    int rc = 0;

    for (size_t i = 0; i < COUNT(environments) && rc == 0; i++) {
        struct listing l = { .proofs = out, .environment = environments[i] };
        char *prefix;

        if (!is_wanted(environment, environments[i]))
            continue;
        prefix = proofs_key(environments[i], "", "");
        if (prefix == NULL) {
            rc = err_no_memory(err);
        } else {
            l.skip = strlen(prefix);
            rc = store_list(store, prefix, list_one, &l, err);
        }
        free(prefix);
    }
    if (rc < 0)
        forget_from(out, before);
    sort_and_merge(out);
    return rc;
}

void proofs_release(struct proofs *proofs)
{
    forget_from(proofs, 0);
    free(proofs->items);
    memset(proofs, 0, sizeof *proofs);
}

/* ---- what they say ---------------------------------------------------------------------------------------------- */

static const struct proofs_item *find(const struct proofs *p, const char *environment, const char *backup)
{
    for (size_t i = 0; i < p->n && *backup != '\0'; i++) {
        const struct proofs_item *item = &p->items[i];

        if (item->verdict != PROOFS_UNFINISHED && strcmp(item->backup, backup) == 0 &&
            strcmp(item->environment, environment) == 0)
            return item;
    }
    return NULL;
}

const struct proofs_item *proofs_of(const struct proofs *proofs, const char *environment, const char *path)
{
    char *backup = proofs_backup_name(path);
    const struct proofs_item *found = backup != NULL ? find(proofs, environment, backup) : NULL;

    free(backup);
    return found;
}

const struct proofs_item *proofs_newest(const struct proofs *proofs, const char *environment)
{
    const struct proofs_item *newest = NULL;

    for (size_t i = 0; i < proofs->n; i++) {
        const struct proofs_item *item = &proofs->items[i];

        if (item->verdict == PROOFS_PASSED && item->taken != 0 && strcmp(item->environment, environment) == 0 &&
            (newest == NULL || item->taken > newest->taken) && find(proofs, environment, item->backup) == item)
            newest = item;
    }
    return newest;
}

/* ---- old ones go ------------------------------------------------------------------------------------------------ */

static void spare(struct proofs *proofs, const char *environment, const char *path)
{
    const struct proofs_item *proof = proofs_of(proofs, environment, path);

    if (proof != NULL)
        proofs->items[proof - proofs->items].doomed = false;
}

size_t proofs_plan(struct proofs *proofs, const struct catalog *there, size_t keep)
{
    size_t seen[COUNT(environments)] = { 0 }, doomed = 0;

    for (size_t i = 0; i < proofs->n; i++)
        for (size_t e = 0; e < COUNT(environments); e++)
            if (strcmp(proofs->items[i].environment, environments[e]) == 0)
                proofs->items[i].doomed = seen[e]++ >= keep;
    for (size_t i = 0; there != NULL && i < there->n; i++)
        if (there->items[i].has_manifest)
            spare(proofs, there->items[i].manifest.environment, there->items[i].path);
    for (size_t i = 0; i < proofs->n; i++)
        doomed += proofs->items[i].doomed;
    return doomed;
}

static int remove_file(const char *state, const char *environment, const char *name, const char *ending,
                       struct err *err)
{
    char *path = NULL;
    int rc = 0;

    if (asprintf(&path, "%s/reports/%s/%s%s", state, environment, name, ending) < 0)
        return err_no_memory(err);
    if (unlink(path) < 0 && errno != ENOENT)
        rc = err_errno(err, "can't remove %s", path);
    free(path);
    return rc;
}

int proofs_remove_host(const struct proofs *proofs, const char *state, struct err *err)
{
    for (size_t i = 0; i < proofs->n; i++)
        for (size_t e = 0; proofs->items[i].doomed && e < COUNT(endings); e++)
            if (remove_file(state, proofs->items[i].environment, proofs->items[i].name, endings[e], err) < 0)
                return -1;
    return 0;
}

static int remove_object(struct store *store, const struct proofs_item *item, const char *ending, struct err *err)
{
    char *key = proofs_key(item->environment, item->name, ending);
    int rc = key != NULL ? store_delete(store, key, err) : err_no_memory(err);

    free(key);
    return rc;
}

int proofs_remove_store(const struct proofs *proofs, struct store *store, struct err *err)
{
    for (size_t i = 0; i < proofs->n; i++)
        for (size_t e = 0; proofs->items[i].doomed && e < COUNT(endings); e++)
            if (remove_object(store, &proofs->items[i], endings[e], err) < 0)
                return -1;
    return 0;
}
