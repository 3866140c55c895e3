/* SPDX-License-Identifier: PostgreSQL */
/* history_impl.h - for the history*.c files: what the one kept in the store needs of the one on this host. */
#pragma once
#include "core/watch/history.h"

/* Whole lines, each with its newline, to this host's file. */
int history_add_lines(const struct places *p, const struct buf *lines, struct err *err);

int history_add(struct history *h, struct run *r, struct err *err); /* moves *r; on failure it is released */
void history_sort(struct history *h);
