/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/pruning.h"

#include <stdlib.h>
#include <string.h>

#include "core/backup/repository.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define STAGING_DAYS 7
#define DAILY_DAYS 30

/* ---- what a name tells ----------------------------------------------------------------------------------------- */

/* A key without a manifest: ENV/TIER/FILE, manual/FILE. Anything else is nobody's, and kept. */
static void judge_by_name(const struct catalog_item *item, bool adopt, struct retention_item *out)
{
    static const char *const environments[] = { "production", "staging" };

    out->environment = "";
    out->tier = TIER_MANUAL;
    for (size_t e = 0; e < 2; e++) {
        size_t n = strlen(environments[e]);

        if (strncmp(item->path, environments[e], n) != 0 || item->path[n] != '/')
            continue;
        for (int t = TIER_DAILY; t < TIER_MANUAL; t++) {
            const char *tier = manifest_tier_name((enum tier)t);

            if (!text_starts(item->path + n + 1, tier) || item->path[n + 1 + strlen(tier)] != '/' ||
                strchr(item->path + n + 2 + strlen(tier), '/') != NULL)
                continue;
            out->environment = environments[e];
            out->tier = (enum tier)t;
            out->days = e == 0 ? DAILY_DAYS : STAGING_DAYS;
            out->adopted = adopt;
        }
    }
}

/* Is it where sfb has put it, or in a directory without tiers, as the cache is? A copy that somebody made elsewhere in
 * the store, manifest and all, is kept there for a reason. */
static bool is_in_place(const struct catalog_item *item)
{
    const struct manifest *m = &item->manifest;
    char *key = repository_key(m->environment, m->tier, m->file);
    bool in_place = strchr(item->path, '/') == NULL || (key != NULL && strcmp(key, item->path) == 0);

    free(key);
    return in_place;
}

static struct retention_item *describe(const struct catalog *c, bool adopt)
{
    struct retention_item *items = calloc(c->n + 1, sizeof *items);

    for (size_t i = 0; items != NULL && i < c->n; i++) {
        const struct catalog_item *item = &c->items[i];

        items[i].started = item->started;
        if (!item->has_manifest) {
            judge_by_name(item, adopt, &items[i]);
            continue;
        }
        items[i].described = true;
        items[i].environment = item->manifest.environment;
        items[i].tier = item->manifest.tier;
        items[i].days = item->manifest.retention_days;
        items[i].good = catalog_is_complete(item) && is_in_place(item);
    }
    return items;
}

/* ---- the plan -------------------------------------------------------------------------------------------------- */

int pruning_plan(const struct pruning_params *p, time_t now, struct pruning *out, struct err *err)
{
    struct retention_item *items = NULL;

    memset(out, 0, sizeof *out);
    if (repository_catalog(p->store, "", p->environment, &out->catalog, err) < 0)
        return -1;
    items = describe(&out->catalog, p->adopt);
    if (items == NULL)
        err_no_memory(err);
    else
        out->verdicts = retention_plan(items, out->catalog.n, &p->policy, now, err);
    free(items);
    if (out->verdicts == NULL || proofs_read_store(&out->proofs, p->store, p->environment, err) < 0) {
        pruning_release(out);
        return -1;
    }
    out->doomed_proofs = proofs_plan(&out->proofs, &out->catalog, PROOFS_KEEP);
    for (size_t i = 0; i < out->catalog.n; i++) {
        if (!out->verdicts[i].keep) {
            out->doomed++;
            out->doomed_bytes += out->catalog.items[i].size;
        }
    }
    return 0;
}

/* ---- its execution --------------------------------------------------------------------------------------------- */

static int delete_one(const struct pruning_params *p, const struct catalog_item *item, const char *reason,
                      struct err *err)
{
    int rc = repository_delete(p->store, item, err);

    if (p->audit != NULL && rc == 0)
        audit_event(p->audit, AUDIT_INFO, "Backup deleted (location: %s/%s, reason: %s)", store_url(p->store),
                    item->path, reason);
    else if (p->audit != NULL)
        audit_event(p->audit, AUDIT_ERROR, "Backup not deleted (location: %s/%s): %s", store_url(p->store), item->path,
                    err->message);
    return rc;
}

/* The keys of all that should be gone, sorted. */
struct gone {
    const char *store;
    char **keys;
    size_t n;
};

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect_gone(struct gone *g, const struct pruning *plan, struct err *err)
{
    g->keys = calloc(plan->doomed * REPOSITORY_KEYS + 1, sizeof *g->keys);
    if (g->keys == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < plan->catalog.n; i++) {
        if (plan->verdicts[i].keep)
            continue;
        if (repository_keys(&plan->catalog.items[i], &g->keys[g->n], err) < 0)
            return -1;
        while (g->keys[g->n] != NULL)
            g->n++;
    }
    qsort(g->keys, g->n, sizeof *g->keys, compare_keys);
    return 0;
}

static int look_for_gone(void *cookie, const struct store_item *item, struct err *err)
{
    const struct gone *g = cookie;

    if (bsearch(&item->key, g->keys, g->n, sizeof *g->keys, compare_keys) == NULL)
        return 0;
    err_set(err, ERR_STORE, "%s was deleted from %s, but is still there", item->key, g->store);
    err_hint(err, "object lock, or somebody who writes it again? `sfb prune --dry-run` shows what is left");
    return -1;
}

/* Nobody shall believe that old backups go while they pile up. */
static int check_gone(const struct pruning_params *p, const struct pruning *plan, struct err *err)
{
    struct gone gone = { .store = store_url(p->store) };
    int rc = -1;

    if (collect_gone(&gone, plan, err) == 0)
        rc = store_list(p->store, "", look_for_gone, &gone, err);
    for (size_t i = 0; gone.keys != NULL && gone.keys[i] != NULL; i++)
        free(gone.keys[i]);
    free(gone.keys);
    return rc;
}

int pruning_execute(const struct pruning_params *p, const struct pruning *plan, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < plan->catalog.n; i++) {
        struct err trouble = { 0 };

        if (os_check_interrupt(err) < 0)
            return -1;
        if (plan->verdicts[i].keep || delete_one(p, &plan->catalog.items[i], plan->verdicts[i].reason, &trouble) == 0)
            continue;
        if (rc == 0)
            *err = trouble;
        rc = -1;
        if (trouble.class == ERR_SIGNAL)
            return -1;
    }
    if (rc == 0)
        rc = proofs_remove_store(&plan->proofs, p->store, err);
    return rc == 0 && plan->doomed > 0 ? check_gone(p, plan, err) : rc;
}

void pruning_release(struct pruning *plan)
{
    catalog_release(&plan->catalog);
    proofs_release(&plan->proofs);
    free(plan->verdicts);
    memset(plan, 0, sizeof *plan);
}
