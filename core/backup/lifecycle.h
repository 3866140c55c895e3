/* SPDX-License-Identifier: PostgreSQL */
/* lifecycle.h - the contract's lifecycle rules for the bucket (contract: "S3 Lifecycle Policy"), and what rules mean.
 *
 * The contract's rules expire by age, whether or not newer backups came. sfb adds one more: parts of uploads that
 * nobody finished are cleared after two days.
 */
#pragma once
#include "core/store/store.h"

extern const char lifecycle_json[]; /* as the AWS CLI's put-bucket-lifecycle-configuration takes it */

/* Sets them on the store's bucket, below its prefix. Rules with other ids stay. */
int lifecycle_apply(struct store *store, struct err *err);
