/* SPDX-License-Identifier: PostgreSQL */
/* alert_channel.h - the ways an alert can go: which are configured, where they lead, whether their settings can be used. */
#pragma once
#include "core/io/mail.h"
#include "core/watch/alert.h"

enum setting alert_channel_setting(enum alert_channel channel); /* of its URL */
bool alert_channel_configured(const struct settings *s, enum alert_channel channel);
unsigned alert_channel_all(const struct settings *s); /* 1 << channel of each, without the heartbeat */

/* "hooks.slack.com": nothing secret. */
const char *alert_channel_where(char out[256], const struct settings *s, enum alert_channel channel);

int alert_channel_check(const struct settings *s, enum alert_channel channel, struct err *err); /* ERR_CONFIG */

int alert_channel_blocks(const struct settings *s, bool *blocks, struct err *err); /* Slack: as the contract has it? */
int alert_channel_tls(const struct settings *s, enum mail_tls *tls, struct err *err);
void alert_channel_sender(struct buf *out, const struct settings *s); /* of mails */
