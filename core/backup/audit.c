/* SPDX-License-Identifier: PostgreSQL */
/* audit.c - one event, told in three places. */
#include "core/backup/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/audit_syslog.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"

#define LINE_MAX_BYTES (64 * 1024)

static const char *const kinds[] = { "backup", "restore", "prune", "drill" };
static const char *const texts[] = { "backup", "restore", "backup", "restore" }; /* the contract names two files */
static const char *const levels[] = { "INFO", "WARNING", "ERROR" };

static void no_memory(const char *what)
{
    log_warn("no memory for %s", what);
}

static void open_files(struct audit *a, const char *logs)
{
    struct err err = { .class = ERR_NONE };

    if (asprintf(&a->path, "%s/%s-%s-audit.log", logs, a->app, texts[a->kind]) < 0) {
        a->path = NULL;
        no_memory("the audit log");
    }
    if (audit_chain_open(&a->chain, logs, a->app, &err) < 0)
        no_memory("the chained audit log");
}

/* 1, yes, true, on: where the host's own logger listens. A path: another socket. */
static void open_syslog(struct audit *a, const char *value)
{
    bool on = false;

    if (*value != '/' && !text_parse_bool(value, &on)) {
        log_warn("SFB_SYSLOG is \"%s\": neither 0 nor 1 nor the path of a socket; nothing goes to syslog", value);
        return;
    }
    if (*value != '/' && !on)
        return;
    a->syslog = strdup(*value == '/' ? value : AUDIT_SYSLOG_SOCKET);
    if (a->syslog == NULL)
        no_memory("syslog's socket");
}

void audit_open(struct audit *a, const struct settings *s, const struct places *p, enum audit_kind kind)
{
    *a = (struct audit){ .kind = kind, .app = strdup(settings_get(s, SETTING_APP)) };
    if (a->app == NULL) {
        no_memory("the audit log");
        return;
    }
    if (p->logs != NULL)
        open_files(a, p->logs);
    open_syslog(a, settings_get(s, SETTING_SYSLOG));
}

/* ---- the three places ------------------------------------------------------------------------------------------- */

static void close_text(struct audit *a)
{
    free(a->path);
    a->path = NULL;
}

static int tell_text(const struct audit *a, const struct audit_record *r, struct err *err)
{
    char when[CLOCK_TEXT];
    char *line = NULL;
    int rc;

    if (asprintf(&line, "[%s] %s %s", clock_log(when, r->time), r->level, r->event) < 0)
        return err_no_memory(err);
    rc = os_append_line(a->path, 0640, line, err);
    free(line);
    return rc;
}

static void tell(struct audit *a, enum audit_level level, const struct audit_record *r)
{
    struct err err = { .class = ERR_NONE };

    if (a->path != NULL && tell_text(a, r, &err) < 0) {
        log_warn("the audit log is not kept: %s", err.message);
        close_text(a);
    }
    err_clear(&err);
    if (a->chain.path != NULL && audit_chain_append(&a->chain, r, &a->head, &err) < 0) {
        log_warn("the chained audit log is not kept: %s", err.message);
        audit_chain_close(&a->chain);
        a->head.seq = 0; /* what goes to syslog from here on is in no entry */
    }
    err_clear(&err);
    if (a->syslog != NULL && audit_syslog_send(a->syslog, a->app, (int)level, r, &a->head, &err) < 0) {
        if (!a->syslog_failed)
            log_warn("not told to syslog: %s", err.message);
        a->syslog_failed = true;
    }
}

void audit_event(struct audit *a, enum audit_level level, const char *format, ...)
{
    struct err err = { .class = ERR_NONE };
    struct buf event, visible;
    va_list args;

    if (a->path == NULL && a->chain.path == NULL && a->syslog == NULL)
        return;
    buf_init(&event, LINE_MAX_BYTES);
    buf_init(&visible, 4 * LINE_MAX_BYTES); /* what is made visible takes up to four bytes for one */
    va_start(args, format);
    buf_vprintf(&event, format, args);
    va_end(args);
    text_visible(&visible, event.data); /* a newline in a name must not begin another line */
    if (buf_check(&event, &err) < 0 || buf_check(&visible, &err) < 0) {
        log_warn("an event is not in the audit log: %s", err.message);
    } else {
        struct audit_record r = {
            .time = clock_now(), .kind = kinds[a->kind], .level = levels[level], .event = visible.data
        };

        tell(a, level, &r);
    }
    buf_release(&event);
    buf_release(&visible);
}

void audit_close(struct audit *a)
{
    close_text(a);
    free(a->syslog);
    a->syslog = NULL;
    audit_chain_close(&a->chain);
    free(a->app);
    a->app = NULL;
}
