/* SPDX-License-Identifier: PostgreSQL */
/* alert_send.h - alerts on their way: each channel's form, its trouble in words, and another try where that may help.
 *
 * Channels don't wait for each other: each has its turn, what fails for now is tried again later, until the time is over.
 * Within a channel the order stays. Not tried again at once: what a server has refused (4xx but 408 and 429; SMTP 5xx),
 * and what won't change within seconds (no such host, a certificate).
 */
#pragma once
#include "core/watch/alert.h"
#include "core/watch/alert_text.h"

struct alert_delivery {
    enum alert_channel channel;
    const struct alert *alert; /* NULL for the heartbeat */
    const char *url;           /* of the heartbeat */
    bool done, delivered;
    struct err err; /* why not; delivered, but not to all: class ERR_NONE and a message */
};

/* Tries all n for `seconds` at most. regardless: of signals. */
void alert_send(const struct settings *s, struct alert_delivery *list, size_t n, double seconds, bool regardless);
