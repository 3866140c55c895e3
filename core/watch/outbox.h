/* SPDX-License-Identifier: PostgreSQL */
/* outbox.h - small objects on their way to the store: records of runs, reports of drills. STATE_DIR/outbox/.
 *
 * An object is kept here before it is sent, and taken out when it has arrived or is not wanted there. So what a store that
 * was away did not get, or what a killed run did not send, is sent by the next run that reaches it. An object has one key and
 * the same bytes however often it is sent. Bounded: objects larger than OUTBOX_BYTES are not kept; of more than
 * OUTBOX_OBJECTS the oldest goes. Without a state directory (p->state NULL) nothing is kept, and that is no error.
 *
 *     outbox_keep(p, key, bytes, n, &err);
 *     outbox_put(store, p, key, bytes, n, &err);
 *     outbox_send(store, p, 10);                      and whatever else is there
 */
#pragma once
#include <stddef.h>
#include "core/backup/places.h"
#include "core/base/err.h"
#include "core/store/store.h"

#define OUTBOX_BYTES ((size_t)1024 * 1024)
#define OUTBOX_OBJECTS 2000

int outbox_keep(const struct places *p, const char *key, const void *bytes, size_t n, struct err *err);

/* One that has arrived, and one that this identity may not put, are taken out; any other stays, when it was kept. */
int outbox_put(struct store *store, const struct places *p, const char *key, const void *bytes, size_t n,
               struct err *err);

/* Sends what is there, the oldest first, for about so many seconds or until the store does not take one. Returns how many have
 * arrived. */
size_t outbox_send(struct store *store, const struct places *p, unsigned seconds);
