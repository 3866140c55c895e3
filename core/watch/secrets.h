/* SPDX-License-Identifier: PostgreSQL */
/* secrets.h - the secrets of the settings, taken out of text that leaves this host.
 *
 * Messages hold none by the way they are made; but they also quote what servers answer. So what goes into an alert, or
 * into a file that is kept, passes here: every password, key and webhook path that this process knows becomes "***".
 */
#pragma once
#include "core/backup/settings.h"
#include "core/base/buf.h"

/* Appends text with "***" for each secret in it. Secrets of less than 4 bytes hide nowhere and are left. */
void secrets_hide(struct buf *out, const char *text, const struct settings *s);
