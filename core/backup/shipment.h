/* SPDX-License-Identifier: PostgreSQL */
/* shipment.h - takes a backup to the store while it is being made.
 *
 * The dump's parts go up as its file grows, or, without a file, as it passes; the first, with the table of contents,
 * last; then the globals, and the manifest when all else is there and was compared with the server's answers. That needs
 * s3:PutObject alone. Until shipment_publish has returned 0 the store shows no backup, and after a failure no object and
 * no open upload is left.
 *
 *     struct shipment *ship = shipment_new(store, environment, label, extension, err);
 *     snapshot_params.follower = shipment_follower(ship);
 *     snapshot_take(...); integrity_check(...);             or: snapshot_take_streamed(..., shipment_stream(ship), ...)
 *     shipment_complete(ship, &snapshot, &shipped, err);    the dump is there
 *     shipment_publish(ship, &snapshot, err);               it counts
 *     shipment_promote(ship, &snapshot, TIER_WEEKLY, err);
 *     shipment_free(ship);
 */
#pragma once
#include "core/backup/snapshot.h"
#include "core/store/store.h"

struct shipment;

#define SHIPMENT_COPIES 2

/* extension: manifest_extension_of the format. Strings are kept, not copied. */
struct shipment *shipment_new(struct store *store, const char *environment, const char *label, const char *extension,
                              struct err *err);
const struct snapshot_follower *shipment_follower(struct shipment *ship);
const struct snapshot_stream *shipment_stream(struct shipment *ship);
const char *shipment_url(const struct shipment *ship); /* once the dump has begun; before: "" */
const char *shipment_key(const struct shipment *ship);

/* Of a stream, where the server will not copy: it goes to that tier, too, while it passes, as far as memory allows it.
 * Before it begins. What fails of it is told by shipment_promote, and costs the backup nothing. */
void shipment_send_twice(struct shipment *ship, enum tier tier);

/* The snapshot is whole and good. Sets its manifest's etag. ERR_UPLOAD says what failed, also when it did so earlier. */
int shipment_complete(struct shipment *ship, struct snapshot *s, struct store_result *result, struct err *err);
/* Globals and manifest. What was completed and is not published is deleted by shipment_free. */
int shipment_publish(struct shipment *ship, const struct snapshot *s, struct err *err);

/* A copy in another tier, with that tier's days: by the server, or, where it may not copy, by a second upload from the
 * file; of a stream there is none: unless it was sent twice, the hint says what helps. */
int shipment_promote(struct shipment *ship, const struct snapshot *s, enum tier tier, int days, struct err *err);

void shipment_free(struct shipment *ship); /* aborts what is not finished; NULL is fine */
