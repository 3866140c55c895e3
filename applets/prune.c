/* SPDX-License-Identifier: PostgreSQL */
/* prune.c - delete what has expired, never the last good backups. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/backup/lifecycle.h"
#include "core/backup/places.h"
#include "core/backup/pruning.h"
#include "core/backup/repository.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/store/s3.h"
#include "core/watch/watch.h"

#define LIFECYCLE_MAX 65536

static const char usage[] =
    "prune [OPTIONS]\n"
    "\n"
    "Deletes the backups whose days are over, from the store and from the local cache: daily ones after 30 days (or as\n"
    "--retention-days said when they were made; staging 7), weekly ones after 90, monthly ones after 365. Whatever their\n"
    "age, the newest good backups of each environment stay (SFB_KEEP_AT_LEAST), and nothing goes while no new ones\n"
    "come. Manual backups stay until somebody deletes them. Of the drills' reports the newest 60 stay, and those that\n"
    "prove a backup which is still there. Prints what it would do, and asks on a terminal.\n";

static const char examples[] = "# What would go, and why?\nsfb prune --dry-run\n"
                               "# For cron: no terminal, no question\nsfb prune\n"
                               "# The contract's lifecycle rules for the bucket: see them, then set them\n"
                               "sfb prune --lifecycle\nsfb prune --lifecycle --apply\n";

static struct {
    const char *environment;
    bool dry_run, yes, force, adopt, local_only, lifecycle, apply, verbose;
} opt;

static const struct opt options[] = {
    OPT_TEXT('e', "environment", "ENV", &opt.environment, "only this environment: staging, production"),
    OPT_FLAG('n', "dry-run", &opt.dry_run, "print the plan, delete nothing"),
    OPT_FLAG('y', "yes", &opt.yes, "do not ask"),
    OPT_FLAG(0, "force", &opt.force, "also while backups are failing"),
    OPT_FLAG(0, "adopt", &opt.adopt, "judge backups without a manifest by their names"),
    OPT_FLAG(0, "local-only", &opt.local_only, "only the local cache"),
    OPT_FLAG(0, "lifecycle", &opt.lifecycle, "print the bucket's lifecycle rules as JSON"),
    OPT_FLAG(0, "apply", &opt.apply, "with --lifecycle: set them, and one that clears\nparts of unfinished uploads"),
    OPT_FLAG('v', "verbose", &opt.verbose, "verbose output (debugging)"),
    OPT_END,
};

static const struct exit_map exits[] = {
    { ERR_NONE, 3, "the store can't be read, or something can't be deleted" },
    { ERR_CANCELLED, 6, "user cancelled operation" },
    { ERR_CONFIG, 7, "usage or configuration" },
    { ERR_USAGE, 7, NULL },
    EXITS_END,
};

static const char *const links[] = { "prune-backups", NULL };

/* ---- one store ------------------------------------------------------------------------------------------------- */

static void print_plan(const struct store *store, const struct pruning *plan)
{
    char size[TEXT_SHORT];

    log_say("🗂️  %s", store_url(store));
    for (size_t i = 0; i < plan->catalog.n; i++)
        log_say("   %-6s  %s  (%s)", plan->verdicts[i].keep ? "keep" : "delete", plan->catalog.items[i].path,
                plan->verdicts[i].reason);
    log_say("   %zu kept, %zu to delete (%s)", plan->catalog.n - plan->doomed, plan->doomed,
            text_size(size, plan->doomed_bytes));
    if (plan->doomed_proofs > 0)
        log_say("   %zu reports of drills kept, %zu to delete", plan->proofs.n - plan->doomed_proofs,
                plan->doomed_proofs);
    log_say("%s", "");
}

static int confirm(size_t n, struct err *err)
{
    char answer[16] = "";

    if (opt.yes || !isatty(STDIN_FILENO))
        return 0;
    printf("Delete %zu backup%s? [y/N]: ", n, n == 1 ? "" : "s");
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
        return err_set(err, ERR_CANCELLED, "cancelled: nothing was deleted");
    return os_check_interrupt(err);
}

/* Deletes what the plan says, and leaves a trace of it. */
static int execute(const struct settings *settings, struct pruning_params *p, const struct pruning *plan,
                   struct err *err)
{
    struct places places;
    struct audit audit;
    int rc;

    if (places_open(settings, &places, err) < 0)
        return -1;
    audit_open(&audit, settings, &places, AUDIT_PRUNE);
    p->audit = &audit;
    audit_event(&audit, AUDIT_WARNING, "Prune started (user: %s, store: %s, to delete: %zu)", os_user(),
                store_url(p->store), plan->doomed);
    rc = pruning_execute(p, plan, err);
    if (rc == 0)
        audit_event(&audit, AUDIT_INFO, "Prune completed (deleted: %zu)", plan->doomed);
    else
        audit_event(&audit, AUDIT_ERROR, "Prune failed (%s)", err->message);
    p->audit = NULL;
    audit_close(&audit);
    places_release(&places);
    return rc;
}

static int prune_store(const struct settings *settings, const char *url, struct run *r, struct err *err)
{
    struct pruning_params p = { .policy = retention_contract, .environment = opt.environment, .adopt = opt.adopt };
    struct pruning plan = { 0 };
    int least, rc = -1;

    if (settings_int(settings, SETTING_KEEP_AT_LEAST, 1, 100000, &least, err) < 0)
        return -1;
    p.policy.keep_at_least = (unsigned)least;
    p.policy.even_if_failing = opt.force;
    p.store = repository_open(settings, url, opt.dry_run ? STORE_READ : STORE_READ | STORE_DELETE, err);
    if (p.store == NULL || pruning_plan(&p, clock_now(), &plan, err) < 0)
        goto out;
    print_plan(p.store, &plan);
    if (opt.dry_run || plan.doomed + plan.doomed_proofs == 0) {
        rc = 0;
        goto out;
    }
    if ((plan.doomed > 0 && confirm(plan.doomed, err) < 0) || execute(settings, &p, &plan, err) < 0)
        goto out;
    r->removed += plan.doomed;
    r->removed_bytes += plan.doomed_bytes;
    if (plan.doomed > 0)
        log_say("✅ %zu backup%s deleted", plan.doomed, plan.doomed == 1 ? "" : "s");
    if (store_s3(p.store) != NULL && s3_hides_deleted(store_s3(p.store)))
        log_warn("%s keeps old versions: what was deleted is hidden, but paid for until a lifecycle rule with "
                 "NoncurrentVersionExpiration removes it",
                 store_url(p.store));
    if (plan.doomed_proofs > 0)
        log_say("✅ %zu report%s of drills deleted", plan.doomed_proofs, plan.doomed_proofs == 1 ? "" : "s");
    rc = 0;
out:
    pruning_release(&plan);
    store_close(p.store);
    return rc;
}

static int prune_cache(const struct settings *settings, struct run *r, struct err *err)
{
    struct places places;
    char *url = NULL;
    int rc = 0;

    if (places_open(settings, &places, err) < 0)
        return -1;
    if (places.cache != NULL) {
        if (asprintf(&url, "file://%s", places.cache) < 0)
            rc = err_no_memory(err);
        else
            rc = prune_store(settings, url, r, err);
        free(url);
    }
    places_release(&places);
    return rc;
}

/* ---- the bucket's own rules ------------------------------------------------------------------------------------ */

static const char by_age[] = "these rules go by age alone: when backups stop, the last good daily one is deleted 30 "
                             "days later, the last weekly one after 90, the last monthly one after 365";

static int print_lifecycle(struct store *store, struct err *err)
{
    struct buf json;
    int rc;

    buf_init(&json, LIFECYCLE_MAX);
    rc = lifecycle_json(store, &json, err);
    if (rc == 0) {
        printf("%s", json.data);
        log_warn("%s. `sfb prune` never does that", by_age);
        log_warn("--apply sets them; the AWS CLI takes them with \"ID\" for \"Id\"");
    }
    buf_release(&json);
    return rc;
}

static int run_lifecycle(const struct settings *settings, struct err *err)
{
    struct store *store = repository_open(settings, NULL, STORE_READ | STORE_WRITE, err);
    int rc = -1;

    if (store == NULL)
        return -1;
    if (!opt.apply) {
        rc = print_lifecycle(store, err);
        goto out;
    }
    if (store_s3(store) == NULL) {
        err_set(err, ERR_CONFIG, "%s is a directory: lifecycle rules are for buckets", store_url(store));
        goto out;
    }
    if (lifecycle_apply(store, err) < 0)
        goto out;
    log_say("✅ lifecycle rules set on %s: the contract's, and one that clears parts of unfinished uploads after 2 days",
            store_url(store));
    log_warn("%s. Watch the age of the newest", by_age);
    rc = 0;
out:
    store_close(store);
    return rc;
}

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    log_verbose(opt.verbose);
    if (argc > 0)
        return err_set(err, ERR_USAGE, "prune takes no operands: %s", argv[0]);
    if (opt.environment != NULL && places_check_environment(opt.environment, err) < 0)
        return -1;
    if (opt.apply && !opt.lifecycle)
        return err_set(err, ERR_USAGE, "--apply goes with --lifecycle");
    if (opt.lifecycle)
        return run_lifecycle(ctx->settings, err);
    ctx->run->unrecorded = opt.dry_run;
    ctx->run->local = opt.local_only;
    watch_begin(ctx->settings, ctx->run);
    if (!opt.local_only && prune_store(ctx->settings, NULL, ctx->run, err) < 0)
        return -1;
    return prune_cache(ctx->settings, ctx->run, err);
}

APPLET(prune, .summary = "delete backups that have expired", .usage = usage, .examples = examples, .options = options,
       .exits = exits, .wants_settings = true, .watched = RUN_PRUNE, .environment = &opt.environment, .links = links,
       .run = run);
