/* SPDX-License-Identifier: PostgreSQL */
/* alert.h - telling people: what failed, at once; that it works again, once; digests; and the heartbeat.
 *
 * Channels are those that the settings name: Slack (or what understands its webhooks), mail, a webhook of one's own.
 * The same failure (kind of run, environment, error) is told again only after SFB_ALERT_REPEAT_HOURS. What no channel
 * took is kept in the state directory and tried again when the next run ends, for a week. A heartbeat is neither kept
 * nor held back: it counts now or not at all.
 *
 * Nothing here changes a result, and nothing takes long: ALERT_SECONDS for everything that is to be sent, after waiting
 * as long at most for another run that sends. Secrets of the settings appear in no alert (secrets.h) and in no warning:
 * of a URL only its host is shown.
 *
 * What the webhook gets, and what is kept, is one JSON object (alert_text.h).
 */
#pragma once
#include "core/backup/places.h"
#include "core/backup/settings.h"
#include "core/watch/run.h"

#define ALERT_SECONDS 30

/* Before the work: the heartbeat's start. At most ALERT_START_SECONDS. */
#define ALERT_START_SECONDS 5
void alert_begin(const struct settings *s, const struct run *r);

/* After it: decides by the run what is to be told, and to whom; tries again what is waiting. A run that is unrecorded,
 * or that somebody at a terminal ended with Ctrl-C, is passed over. p->state NULL: nothing is remembered, so every
 * failure is told, and recoveries are not. */
void alert_run(const struct settings *s, const struct places *p, const struct run *r);

/* Tells what somebody else has written (alert_digest.h), to every channel. -1: ERR_CONFIG, there is none; ERR_STORE, not every
 * one took it, and what became of it is warned about; ERR_SIGNAL. It is kept as other alerts are. */
struct alert;
int alert_tell(const struct settings *s, const struct places *p, const struct alert *a, struct err *err);

/* Are there channels at all, the heartbeat not counted? */
bool alert_wanted(const struct settings *s);

/* Can the settings of alerts be used? Connects nowhere. ERR_CONFIG names the setting. */
int alert_check(const struct settings *s, struct err *err);

/* ---- trying it out ------------------------------------------------------------------------------------------------- */

enum alert_channel { ALERT_SLACK, ALERT_MAIL, ALERT_WEBHOOK, ALERT_HEARTBEAT, ALERT_CHANNELS };

struct alert_outcome {
    bool configured, delivered;
    char where[256]; /* "hooks.slack.com" */
    struct err err;  /* of one that was not delivered; delivered, but not to all: class ERR_NONE and a message */
};

/* Sends a test alert to each channel that is configured, and a success to the heartbeat. Ctrl-C ends it. */
void alert_test(const struct settings *s, struct alert_outcome outcomes[ALERT_CHANNELS]);

const char *alert_channel_name(enum alert_channel channel); /* "Slack", "mail", "webhook", "heartbeat" */
