/* SPDX-License-Identifier: PostgreSQL */
/* alert.c - do alerts arrive? Sends one by each channel, and says what became of it. */
#include <stdio.h>

#include "applets/applet.h"
#include "core/backup/places.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/watch/alert.h"
#include "core/watch/alert_text.h"

static const char usage[] =
    "alert --test [OPTIONS]\n"
    "alert --failed UNIT [--reason TEXT] [OPTIONS]\n"
    "\n"
    "Send a test alert by each channel that the settings name, and say what became of it:\n"
    "SFB_SLACK_WEBHOOK_URL, SFB_SMTP_URL with SFB_ALERT_TO, SFB_WEBHOOK_URL, SFB_HEARTBEAT_URL.\n"
    "\n"
    "Alerts themselves are sent by the commands: a backup, restore, verify, prune or drill that fails is told at\n"
    "once, the same failure again after SFB_ALERT_REPEAT_HOURS, and that it works again once. What could not be\n"
    "delivered is kept in SFB_STATE_DIR and tried again when the next run ends. No alert changes an exit code.\n"
    "\n"
    "A heartbeat URL is asked for when a run has ended well (a backup: verified), URL/start when it begins and\n"
    "URL/fail when it fails, as healthchecks.io has it. For other services name SFB_HEARTBEAT_START_URL and\n"
    "SFB_HEARTBEAT_FAIL_URL, or set them to none; a URL with a query is asked for on success alone. It is the\n"
    "heartbeat of production's backups; SFB_HEARTBEAT_RUNS names others. The test counts as a success there.\n"
    "\n"
    "--failed is for a service manager: it tells of a run that was ended before it could tell by itself.\n";

static const char examples[] = "# Do they arrive?\n"
                               "sfb alert --test\n"
                               "# With the settings that the timer uses\n"
                               "sfb alert --test --config /etc/sfb.env\n"
                               "# systemd has ended a run\n"
                               "sfb alert --failed signupflow-backup.service --reason oom-kill\n";

static struct {
    bool test, verbose;
    const char *failed, *reason;
} opt;

static const struct opt options[] = {
    OPT_FLAG(0, "test", &opt.test, "send a test alert by each channel"),
    OPT_TEXT(0, "failed", "UNIT", &opt.failed, "tell that a service has failed"),
    OPT_TEXT(0, "reason", "TEXT", &opt.reason, "with --failed: why"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NONE, 1, "a channel did not take it" },
    { ERR_CONFIG, 7, "usage, or no channel is configured" },
    { ERR_USAGE, 7, NULL },
    EXITS_END,
};

static void print_outcome(enum alert_channel channel, const struct alert_outcome *o)
{
    const char *name = alert_channel_name(channel);

    if (!o->configured)
        log_say("➖ %s: not configured", name);
    else if (!o->delivered)
        log_say("❌ %s (%s): %s", name, o->where, o->err.message);
    else if (o->err.message[0])
        log_say("⚠️  %s (%s): delivered, but %s", name, o->where, o->err.message);
    else
        log_say("✅ %s (%s): %s", name, o->where,
                channel == ALERT_HEARTBEAT ? "it has answered; the test counts as a success there" : "delivered");
    if (o->err.hint[0])
        log_say("   %s", o->err.hint);
}

static int no_channel(struct err *err)
{
    err_set(err, ERR_CONFIG, "no channel is configured: nobody would know");
    err_hint(err, "set SFB_SLACK_WEBHOOK_URL, SFB_SMTP_URL and SFB_ALERT_TO, or SFB_WEBHOOK_URL");
    return -1;
}

/* What was not delivered is kept, and told with the next run. Only the state directory is asked for: what kept the run from
 * its other ones must not keep this from being told. */
static int tell_failed(const struct settings *settings, struct err *err)
{
    char headline[256], action[256], when[CLOCK_TEXT], moment[CLOCK_TEXT + 4];
    time_t now = clock_now();
    struct places places = { 0 };
    struct alert a = { 0 };
    int rc = -1;

    if (!alert_wanted(settings))
        return no_channel(err);
    snprintf(headline, sizeof headline, "❌ %s failed", opt.failed);
    snprintf(action, sizeof action, "Look why: journalctl -u %s", opt.failed);
    snprintf(moment, sizeof moment, "%s UTC", clock_log(when, now));
    places_open_state(settings, &places);
    if (alert_init(&a, ALERT_FAILED, now, headline, "Scheduled Run Failed", err) < 0 ||
        alert_field(&a, "Unit", opt.failed, false, err) < 0 ||
        alert_field_clean(&a, "Error", opt.reason != NULL ? opt.reason : "ended before it could tell why", false,
                          settings, err) < 0 ||
        alert_field(&a, "Time", moment, false, err) < 0 || alert_field(&a, "Host", os_hostname(), false, err) < 0 ||
        alert_action(&a, action, err) < 0)
        goto out;
    rc = alert_tell(settings, &places, &a, err);
out:
    alert_release(&a);
    places_release(&places);
    return rc;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    struct alert_outcome outcomes[ALERT_CHANNELS];
    int configured = 0, failed = 0;

    log_verbose(opt.verbose);
    if (argc > 0)
        return err_set(err, ERR_USAGE, "alert takes no operand, but \"%s\" was given", argv[0]);
    if (opt.failed != NULL && !opt.test)
        return tell_failed(ctx->settings, err);
    if (!opt.test || opt.failed != NULL || opt.reason != NULL)
        return err_set(err, ERR_USAGE, "alert takes either --test, or --failed UNIT with or without --reason");
    log_say("🔔 Sending a test alert by each channel...");
    alert_test(ctx->settings, outcomes);
    if (os_check_interrupt(err) < 0)
        return -1;
    for (int i = 0; i < ALERT_CHANNELS; i++) {
        print_outcome((enum alert_channel)i, &outcomes[i]);
        configured += outcomes[i].configured;
        failed += outcomes[i].configured && (!outcomes[i].delivered || outcomes[i].err.message[0]);
    }
    if (configured == 0)
        return no_channel(err);
    if (failed > 0)
        return err_set(err, ERR_IO, "%d of %d channels did not deliver", failed, configured);
    return 0;
}

APPLET(alert, .summary = "try whether alerts arrive", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .run = run);
