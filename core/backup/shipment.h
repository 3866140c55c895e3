/* SPDX-License-Identifier: PostgreSQL */
/* shipment.h - takes a backup to the store while it is being made.
 *
 * The dump's parts go up as its file grows; the first, with the table of contents, last; then the globals, and the
 * manifest when all else is there and was compared with the server's answers. That needs s3:PutObject alone. Until
 * shipment_finish has returned 0 the store shows no backup, and after a failure no object and no open upload is left.
 *
 *     struct shipment *ship = shipment_new(store, environment, label, extension, err);
 *     snapshot_params.follower = shipment_follower(ship);
 *     snapshot_take(...); integrity_check(...);
 *     shipment_finish(ship, &snapshot, &shipped, err);
 *     shipment_promote(ship, &snapshot, TIER_WEEKLY, err);
 *     shipment_free(ship);
 */
#pragma once
#include "core/backup/snapshot.h"
#include "core/store/store.h"

struct shipment;

/* extension: manifest_extension_of the format. Strings are kept, not copied. */
struct shipment *shipment_new(struct store *store, const char *environment, const char *label, const char *extension,
                              struct err *err);
const struct snapshot_follower *shipment_follower(struct shipment *ship);
const char *shipment_url(const struct shipment *ship); /* once the dump has begun; before: "" */

/* The snapshot is whole and good. Sets its manifest's etag. ERR_UPLOAD says what failed, also when it did so earlier. */
int shipment_finish(struct shipment *ship, struct snapshot *s, struct store_result *result, struct err *err);

/* A copy in another tier, with that tier's days: by the server, or, where it may not copy, by a second upload from the
 * file. */
int shipment_promote(struct shipment *ship, const struct snapshot *s, enum tier tier, int days, struct err *err);

void shipment_free(struct shipment *ship); /* aborts what is not finished; NULL is fine */
