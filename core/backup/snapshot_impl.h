/* SPDX-License-Identifier: PostgreSQL */
/* snapshot_impl.h - what snapshots with and without files have in common; for snapshot*.c alone. */
#pragma once
#include "core/backup/snapshot.h"

enum backup_method snapshot_method(const struct snapshot_params *p);
enum archive_method snapshot_archive_method(const struct snapshot_params *p);
void snapshot_progress(void *cookie, uint64_t bytes);

/* Who, where, when and how, into a manifest that knows when it was started. */
int snapshot_describe_run(const struct snapshot_params *p, struct manifest *m, struct err *err);
