/* SPDX-License-Identifier: PostgreSQL */
/* audit.c - the contract's audit logs: one line an event. */
#include "core/backup/audit.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"

#define LINE_MAX_BYTES (64 * 1024)

void audit_open(struct audit *a, const struct settings *s, const struct places *p, const char *which)
{
    a->path = NULL;
    if (p->logs && asprintf(&a->path, "%s/%s-%s-audit.log", p->logs, settings_get(s, SETTING_APP), which) < 0) {
        a->path = NULL;
        log_warn("no memory for the audit log");
    }
}

void audit_event(struct audit *a, enum audit_level level, const char *format, ...)
{
    static const char *const levels[] = { "INFO", "WARNING", "ERROR" };
    char now[CLOCK_TEXT];
    struct err err = { .class = ERR_NONE };
    struct buf event, line;
    va_list args;

    if (!a->path)
        return;
    buf_init(&event, LINE_MAX_BYTES);
    buf_init(&line, 5 * LINE_MAX_BYTES); /* what is made visible takes up to four bytes for one */
    va_start(args, format);
    buf_vprintf(&event, format, args);
    va_end(args);
    buf_printf(&line, "[%s] %s ", clock_log(now, clock_now()), levels[level]);
    text_visible(&line, event.data); /* a newline in a name must not begin another line */
    if (buf_check(&event, &err) < 0 || buf_check(&line, &err) < 0 ||
        os_append_line(a->path, 0640, line.data, &err) < 0) {
        log_warn("the audit log is not kept: %s", err.message);
        audit_close(a);
    }
    buf_release(&event);
    buf_release(&line);
}

void audit_close(struct audit *a)
{
    free(a->path);
    a->path = NULL;
}
