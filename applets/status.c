/* SPDX-License-Identifier: PostgreSQL */
/* status.c - how backups stand, in one line and an exit code; for people, monitoring plugins, Prometheus. */
#include <stdio.h>
#include <string.h>

#include "applets/applet.h"
#include "core/backup/places.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/watch/alert.h"
#include "core/watch/alert_digest.h"
#include "core/watch/status_gather.h"

static const char usage[] =
    "status [OPTIONS]\n"
    "\n"
    "Judges what is known of an environment's backups: is there a new one, do they succeed, were they shown to come\n"
    "back, are they where they belong, is the audit log as it was written? This host's history tells, and the store.\n"
    "The first line and the exit code are a monitoring plugin's. The limits: SFB_SCHEDULE_HOURS, SFB_DRILL_DAYS,\n"
    "SFB_RTO_MINUTES; an hour for a backup; half as much again, or half as much less, in seven days for its size.\n"
    "Backups write SFB_METRICS_FILE by themselves.\n"
    "\n"
    "A digest goes where alerts go (`sfb alert --help`): daily, what is at warning or worse, and nothing when all is\n"
    "well; weekly, what was backed up and proven, in any case. It ends with 0 when it was told.\n";

static const char examples[] = "# How do production's backups stand?\nsfb status\n"
                               "# For a program\nsfb status --environment staging --json\n"
                               "# A page with charts of size, duration, rows and recovery\n"
                               "sfb status --html /var/www/backups.html\n"
                               "# For Prometheus's textfile collector, from cron\n"
                               "sfb status --prometheus /var/lib/prometheus/node-exporter/sfb.prom\n"
                               "# What needs attention, to Slack and by mail, from cron\n"
                               "sfb status --digest daily\n";

static struct {
    const char *environment, *prometheus, *html, *digest;
    bool json, local_only, verbose;
} opt;

static const struct opt options[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment, "whose backups: staging, production (default)"),
    OPT_FLAG(0, "json", &opt.json, "print it as JSON"),
    OPT_TEXT(0, "prometheus", "FILE", &opt.prometheus,
             "write metrics to FILE, of every environment unless\n--environment names one; - prints them"),
    OPT_TEXT(0, "html", "FILE", &opt.html, "write it to FILE as a page with charts, too"),
    OPT_TEXT(0, "digest", "WHEN", &opt.digest, "send the daily or the weekly digest"),
    OPT_FLAG(0, "local-only", &opt.local_only, "ask no store: what this host knows"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_OWN, 1, "warning: nothing is lost yet" },
    { ERR_OWN, 2, "critical: there is no backup to rely on, or soon won't be" },
    { ERR_NONE, 3, "unknown: usage, configuration, or nothing is known of any backup" },
    EXITS_END,
};

#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)
#define PAGE_MAX ((size_t)64 * 1024 * 1024)

static int print(struct buf *out, struct err *err)
{
    if (buf_check(out, err) < 0)
        return -1;
    fwrite(out->data, 1, out->size, stdout);
    return 0;
}

static int write_metrics(const struct status_params *p, struct err *err)
{
    const char *path = strcmp(opt.prometheus, "-") != 0 ? opt.prometheus : NULL;
    enum status_level level = STATUS_UNKNOWN;
    struct buf out;
    int rc;

    buf_init(&out, OUTPUT_MAX);
    rc = status_metrics(p, path, &out, &level, err);
    if (rc == 0)
        rc = print(&out, err);
    buf_release(&out);
    return rc < 0 ? -1 : (int)level;
}

static int write_page(const struct status *status, struct err *err)
{
    struct buf page;
    int rc;

    buf_init(&page, PAGE_MAX);
    status_html(&page, status);
    rc = buf_check(&page, err);
    if (rc == 0)
        rc = os_publish_file(opt.html, page.data, page.size, 0644, err);
    buf_release(&page);
    return rc;
}

static int tell(const struct status_params *p, struct err *err)
{
    struct status_facts facts;
    struct status status;
    struct buf out;
    int rc = 0;

    if (status_gather(p, &facts, err) < 0)
        return -1;
    buf_init(&out, OUTPUT_MAX);
    status_judge(&facts, p->now, &status);
    if (opt.json)
        rc = status_json(&out, &status, err);
    else
        status_text(&out, &status);
    if (rc == 0)
        rc = print(&out, err);
    if (rc == 0 && opt.html != NULL)
        rc = write_page(&status, err);
    buf_release(&out);
    status_release_facts(&facts);
    return rc < 0 ? -1 : (int)status.level;
}

static int send_digest(const struct status_params *p, enum alert_digest kind, struct err *err)
{
    struct status_facts facts;
    struct places places = { .state = NULL };
    struct status status;
    struct alert a;
    int rc;

    if (status_gather(p, &facts, err) < 0)
        return -1;
    status_judge(&facts, p->now, &status);
    rc = alert_digest_write(&a, kind, &status, p->settings, err);
    if (rc > 0) {
        places_open_state(p->settings, &places);
        rc = alert_tell(p->settings, &places, &a, err);
        if (rc == 0)
            log_say("📨 Sent: %s", a.title);
        alert_release(&a);
        places_release(&places);
    } else if (rc == 0) {
        log_say("✅ All is well: there is nothing to tell");
    }
    status_release_facts(&facts);
    return rc;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct status_params p = {
        .settings = ctx->settings, .environment = opt.environment, .now = clock_now(), .here_only = opt.local_only
    };
    enum alert_digest kind = ALERT_DAILY;

    log_verbose(opt.verbose);
    if (argc > 0)
        return err_set(err, ERR_USAGE, "status takes no operands: %s", argv[0]);
    if (opt.environment != NULL && places_check_environment(opt.environment, err) < 0)
        return -1;
    if (opt.json + (opt.prometheus != NULL) + (opt.digest != NULL) > 1)
        return err_set(err, ERR_USAGE, "--json, --prometheus and --digest are each a form of their own");
    if (opt.html != NULL && (opt.prometheus != NULL || opt.digest != NULL))
        return err_set(err, ERR_USAGE, "--html goes with what is printed: not with --prometheus, not with --digest");
    if (opt.digest != NULL && !alert_digest_parse(opt.digest, &kind))
        return err_set(err, ERR_USAGE, "--digest is daily or weekly, not \"%s\"", opt.digest);
    if (opt.prometheus != NULL)
        return write_metrics(&p, err);
    if (p.environment == NULL)
        p.environment = "production";
    if (opt.digest != NULL)
        return send_digest(&p, kind, err);
    return tell(&p, err);
}

APPLET(status, .summary = "say how backups stand, for people and monitoring", .usage = usage, .examples = examples,
       .options = options, .exits = exits, .wants_settings = true, .run = run);
