/* SPDX-License-Identifier: PostgreSQL */
/* archive_index.h - what is made of entries, and asked of them, once all are read; between archive_read.c, archive.c and
 * archive_circle.c. Errors are of class damage. */
#pragma once
#include "core/base/err.h"
#include "core/pg/archive.h"

/* For archive_find. Refuses two entries of the same id. */
int archive_index_build(struct archive *a, enum err_class damage, struct err *err);

/* Refuses dependencies that go in a circle, and names two neighbours of it. Needs the index. Looks at every dependency
 * once; no recursion; 17 bytes for each entry while it runs. */
int archive_circle_check(const struct archive *a, enum err_class damage, struct err *err);
