/* SPDX-License-Identifier: PostgreSQL */
/* choice.h - which backup is meant: the one that was named, the latest, or with a point in time the one that serves it.
 *
 * A dump is a moment; it can't be rolled forward. So for a point in time the newest backup that is not from after it
 * serves: of the same database, from the directory of the file that was named, from the local cache, or from the place
 * in the store that was named.
 *
 *     choice_find(&params, &choice, &err);     looks; nothing is downloaded yet
 *     choice_bring(&params, &choice, &err);    choice.path is a file on this host
 *     choice_release(&choice);                 removes it, if it was downloaded
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "core/backup/fetch.h"
#include "core/base/err.h"

struct choice_params {
    const struct settings *settings;
    const struct places *places;
    const char *what;   /* a file, or what fetch.h knows: a store's URL, "latest", "latest@weekly" */
    const char *source; /* the environment whose backups "latest" means */
    time_t moment;      /* 0: none */
};

struct choice {
    char *path;        /* on this host; NULL for one in a store that was not brought yet */
    const char *shown; /* its path or URL */
    const char *why;   /* "": it was named */
    time_t taken;      /* the moment whose content it holds; 0: not known */
    uint64_t size;
    bool stored; /* it is in a store: choice_bring will download it, or find it in the cache */
    struct fetched fetched;
};

/* What --point-in-time says; ERR_USAGE when that is no time. */
int choice_parse_moment(const char *text, time_t *moment, struct err *err);

/* ERR_NOT_FOUND when it is not there, is a directory, or can't be opened, or when every backup is from after the moment.
 * On failure, too, choice_release. */
int choice_find(const struct choice_params *p, struct choice *out, struct err *err);
int choice_bring(const struct choice_params *p, struct choice *c, struct err *err);
/* Only when that costs no download: choice.path is set when the local cache has the same. */
int choice_bring_cached(const struct choice_params *p, struct choice *c, struct err *err);
/* Says which one was chosen, why, and what a point in time costs; nothing of one that was named. */
void choice_explain(const struct choice *c, time_t moment);
void choice_release(struct choice *c);
