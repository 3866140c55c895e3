/* SPDX-License-Identifier: PostgreSQL */
/* archive_index.h - finding entries by their dump id; between archive_read.c and archive.c. */
#pragma once
#include "core/base/err.h"
#include "core/pg/archive.h"

/* ERR (of class damage) when two entries have the same id. */
int archive_index_build(struct archive *a, enum err_class damage, struct err *err);
