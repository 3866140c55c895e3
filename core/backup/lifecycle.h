/* SPDX-License-Identifier: PostgreSQL */
/* lifecycle.h - the contract's lifecycle rules for the bucket (contract: "S3 Lifecycle Policy").
 *
 * They expire by age, whether or not newer backups came. When they are set, one more comes with them: parts of uploads
 * that nobody finished are cleared after two days.
 */
#pragma once
#include "core/store/store.h"

/* The contract's JSON, for keys below the store's prefix. The store is not asked. */
int lifecycle_json(struct store *store, struct buf *out, struct err *err);

/* Sets them on the store's bucket, below its prefix, and that one more. Rules with other ids stay. */
int lifecycle_apply(struct store *store, struct err *err);
