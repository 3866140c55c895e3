/* SPDX-License-Identifier: PostgreSQL */
/* mail_text.h - the parts of a mail that are text of a certain form: addresses, headers, dates, line ends. Pure. */
#pragma once
#include <stddef.h>
#include <time.h>
#include "core/base/buf.h"
#include "core/base/err.h"

struct mail_address {
    char *name;    /* "Ops on call", NULL: none */
    char *address; /* "ops@example.com": what the server is told */
};

/* A comma-separated list: ops@example.com, "Doe, Jane" <jane@example.com>. Sets *list (mail_addresses_free) and *n, at
 * least one. ERR_CONFIG quotes what is no address; what could begin a header of its own is none. */
int mail_addresses(const char *text, struct mail_address **list, size_t *n, struct err *err);
void mail_addresses_free(struct mail_address *list, size_t n);

/* Append a header's value, folded; `used` columns of its first line are taken by the name. Text beyond ASCII becomes
 * encoded words (RFC 2047), and so does what would be a long line. */
void mail_header_text(struct buf *out, size_t used, const char *text);
void mail_header_addresses(struct buf *out, size_t used, const struct mail_address *list, size_t n);

#define MAIL_DATE 40
const char *mail_date(char out[MAIL_DATE], time_t t); /* Thu, 23 Oct 2025 02:00:15 +0000 */

/* Appends text with CRLF at the end of each line, however they ended. */
void mail_lines(struct buf *out, const char *text);
