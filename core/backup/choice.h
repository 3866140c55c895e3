/* SPDX-License-Identifier: PostgreSQL */
/* choice.h - which file is restored: the one that was named, or with a point in time the one that serves it.
 *
 * A dump is a moment; it can't be rolled forward. So for a point in time the newest backup that is not from after it
 * serves: of the same database, from the directory of the file that was named or from the local cache.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "core/base/err.h"

struct choice {
    char *path;
    time_t taken;   /* the moment whose content it holds; 0: not known */
    uint64_t size;
    bool another;   /* it is not the file that was named */
};

/* The file itself. ERR_NOT_FOUND when it is not there, is a directory, or can't be opened. */
int choice_named(const char *path, struct choice *out, struct err *err);

/* ERR_NOT_FOUND when every backup is from after `moment`; the message has the oldest's time. cache: NULL: none. */
int choice_for_moment(const char *path, const char *cache, time_t moment, struct choice *out, struct err *err);

void choice_release(struct choice *c);
