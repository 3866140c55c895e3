/* SPDX-License-Identifier: PostgreSQL */
/* doctor.c - would a backup work, and a restore? What is wrong, and what to do. */
#include <stdio.h>

#include "applets/applet.h"
#include "core/backup/doctor.h"
#include "core/backup/places.h"
#include "core/base/clock.h"
#include "core/base/log.h"

static const char usage[] = "doctor [OPTIONS]\n"
                            "\n"
                            "Look at everything that a backup and a restore need: settings, the database and\n"
                            "the rights in it, directories and space, the store, as whom and where and who\n"
                            "said so, clock, encryption, versions and lifecycle rules. One line each; under\n"
                            "what is wrong stands what to do. Changes nothing, but with --write, which puts\n"
                            "and deletes one small object.\n"
                            "\n"
                            "What this identity may not ask is not known, and no trouble: a backup needs the\n"
                            "right to put objects alone.\n";

static const char examples[] = "# Is everything ready for the backups of production?\n"
                               "sfb doctor\n"
                               "# And may they be written?\n"
                               "sfb doctor --write\n"
                               "# With the settings that the timer uses\n"
                               "sfb doctor --config /etc/sfb.env -e staging\n";

static struct {
    const char *environment;
    bool write, json, verbose;
} opt = { .environment = "production" };

static const struct opt options[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment, "whose database and backups: staging, production"),
    OPT_FLAG(0, "write", &opt.write, "put and delete an object, ENV/daily/.sfb-doctor"),
    OPT_FLAG(0, "json", &opt.json, "print the findings as JSON"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NONE, 1, "something is broken" },
    { ERR_CONFIG, 7, "usage, or the settings can't be read" },
    { ERR_USAGE, 7, NULL },
    EXITS_END,
};

#define OUTPUT_MAX ((size_t)1024 * 1024)

/* Somebody waits: each line when it is known. */
static void print_finding(void *cookie, const struct doctor_finding *f)
{
    struct buf out;

    (void)cookie;
    buf_init(&out, OUTPUT_MAX);
    doctor_line(&out, f);
    fputs(out.data, stdout);
    fflush(stdout);
    buf_release(&out);
}

static int print_end(const struct doctor_report *r, struct err *err)
{
    struct buf out;
    int rc = 0;

    buf_init(&out, OUTPUT_MAX);
    if (opt.json) {
        rc = doctor_json(&out, r, opt.environment, err);
    } else {
        buf_putc(&out, '\n');
        doctor_summary(&out, r);
    }
    if (rc == 0)
        fputs(out.data, stdout);
    fflush(stdout); /* before the error on stderr */
    buf_release(&out);
    return rc;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    static struct doctor_report report;
    struct doctor_params p = { .settings = ctx->settings,
                               .environment = opt.environment,
                               .write = opt.write,
                               .now = clock_now(),
                               .found = opt.json ? NULL : print_finding };

    log_verbose(opt.verbose);
    if (argc > 0)
        return err_set(err, ERR_USAGE, "doctor takes no operand, but \"%s\" was given", argv[0]);
    if (places_check_environment(opt.environment, err) < 0)
        return -1;
    if (!opt.json)
        log_say("🩺 Looking at what backups of %s need...", opt.environment);
    if (doctor_examine(&p, &report, err) < 0 || print_end(&report, err) < 0)
        return -1;
    if (doctor_count(&report, DOCTOR_BROKEN) > 0)
        return err_set(err, ERR_IO, "backups of %s do not work as things are", opt.environment);
    return 0;
}

APPLET(doctor, .summary = "look whether backups will work, and say what to do", .usage = usage, .examples = examples,
       .options = options, .exits = exits, .wants_settings = true, .run = run);
