/* SPDX-License-Identifier: PostgreSQL */
/* listing.h - backups and their contents as people and programs read them.
 *
 * Pure: text is appended to a buffer, the time is a parameter. Fits 80 columns but for long names, which stand last.
 * Whatever names hold, a line stays a line.
 */
#pragma once
#include <time.h>
#include "core/backup/catalog.h"
#include "core/backup/contents.h"
#include "core/backup/proofs.h"
#include "core/base/buf.h"

/* proofs: the drills of these backups, whose newest verdict stands beside each. */
void listing_catalog(struct buf *out, const struct catalog *c, const struct proofs *proofs, time_t now);
void listing_contents(struct buf *out, const struct contents *c, time_t now);

int listing_catalog_json(struct buf *out, const struct catalog *c, const struct proofs *proofs, struct err *err);
int listing_contents_json(struct buf *out, const struct contents *c, struct err *err);

#define LISTING_AGE 16
const char *listing_age(char out[LISTING_AGE], time_t then, time_t now); /* "now", "5m", "3h", "12d", "4y" */
