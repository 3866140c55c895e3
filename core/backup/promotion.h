/* SPDX-License-Identifier: PostgreSQL */
/* promotion.h - is this the first backup of its week or month? Then it gets a copy there.
 *
 * The store knows, when it may be listed; when it may not (the contract's backup role can only put), the state directory
 * remembers what this host promoted last. A week begins on Monday, 00:00 UTC. Only production has weeks and months.
 */
#pragma once
#include "core/backup/settings.h"
#include "core/backup/shipment.h"

#define PROMOTION_WEEKLY_DAYS 90
#define PROMOTION_MONTHLY_DAYS 365

struct promotion_params {
    const struct settings *settings;
    const char *state_dir; /* NULL: nothing is remembered */
    const char *environment;
    time_t started; /* of the backup */
};

/* Before a stream begins: where the server will hardly copy, since it does not even let us look, the copies that are
 * due are sent while it passes. */
void promotion_prepare(const struct promotion_params *p, struct shipment *ship);

/* Makes the copies that are due; *weekly and *monthly tell which were made. The backup is good whatever becomes of them:
 * what could not be made is warned about. */
void promotion_run(const struct promotion_params *p, struct shipment *ship, const struct snapshot *s, bool *weekly,
                   bool *monthly);
