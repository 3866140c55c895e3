/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/store/s3.h"

#define SWEEP_ID "abort-unfinished-uploads-after-2-days"
#define SWEEP_DAYS 2

static const struct {
    const char *id, *prefix;
    int days;
} contract_rules[] = {
    { "delete-daily-backups-after-30-days", "production/daily/", 30 },
    { "delete-weekly-backups-after-90-days", "production/weekly/", 90 },
    { "delete-monthly-backups-after-365-days", "production/monthly/", 365 },
    { "delete-staging-backups-after-7-days", "staging/daily/", 7 },
};

#define CONTRACT_RULES (sizeof contract_rules / sizeof contract_rules[0])

static bool is_ours(const char *id)
{
    for (size_t i = 0; i < CONTRACT_RULES; i++) {
        if (strcmp(id, contract_rules[i].id) == 0)
            return true;
    }
    return strcmp(id, SWEEP_ID) == 0;
}

/* Putting a configuration replaces all of it, and struct s3_rule does not hold everything that a rule may say. */
static bool is_beyond_us(const struct s3_rule *rule)
{
    return rule->narrowed || rule->dated || rule->moves || rule->more;
}

/* "s3://bucket/a/b" -> "a/b"; "" without one */
static const char *prefix_of(struct store *store)
{
    const char *slash = store_s3(store) != NULL ? strchr(store_url(store) + strlen("s3://"), '/') : NULL;

    return slash != NULL ? slash + 1 : "";
}

static void fill(struct s3_rule *rule, const char *id, const char *base, const char *prefix)
{
    memset(rule, 0, sizeof *rule);
    snprintf(rule->id, sizeof rule->id, "%s", id);
    snprintf(rule->prefix, sizeof rule->prefix, "%s%s%s", base, *base != '\0' ? "/" : "", prefix);
    rule->enabled = true;
}

static void fill_contract(struct s3_rule *rule, const char *base, size_t i)
{
    fill(rule, contract_rules[i].id, base, contract_rules[i].prefix);
    rule->expire_days = contract_rules[i].days;
}

/* ---- as text ---------------------------------------------------------------------------------------------------- */

static void put_rule(struct buf *out, const struct s3_rule *rule, bool last)
{
    buf_printf(out, "    {\n      \"Id\": \"%s\",\n      \"Status\": \"Enabled\",\n", rule->id);
    buf_printf(out, "      \"Filter\": {\n        \"Prefix\": \"%s\"\n      },\n", rule->prefix);
    buf_printf(out, "      \"Expiration\": {\n        \"Days\": %d\n      }\n    }%s\n", rule->expire_days,
               last ? "" : ",");
}

int lifecycle_json(struct store *store, struct buf *out, struct err *err)
{
    buf_puts(out, "{\n  \"Rules\": [\n");
    for (size_t i = 0; i < CONTRACT_RULES; i++) {
        struct s3_rule rule;

        fill_contract(&rule, prefix_of(store), i);
        put_rule(out, &rule, i + 1 == CONTRACT_RULES);
    }
    buf_puts(out, "  ]\n}\n");
    return buf_check(out, err);
}

/* ---- on the bucket ---------------------------------------------------------------------------------------------- */

int lifecycle_apply(struct store *store, struct err *err)
{
    struct s3 *s3 = store_s3(store);
    struct s3_rule *present = NULL, *rules = NULL;
    size_t n_present = 0, n = 0;
    const char *base = prefix_of(store);
    int rc = -1;

    if (s3_get_lifecycle(s3, &present, &n_present, NULL, err) < 0)
        goto out;
    rules = calloc(n_present + CONTRACT_RULES + 1, sizeof *rules);
    if (rules == NULL) {
        err_no_memory(err);
        goto out;
    }
    for (size_t i = 0; i < n_present; i++) {
        if (is_ours(present[i].id))
            continue;
        if (is_beyond_us(&present[i])) {
            err_set(err, ERR_STORE, "the bucket has a lifecycle rule \"%s\" that sfb could not put back as it is",
                    present[i].id);
            err_hint(err, "add the rules that `sfb prune --lifecycle` prints by hand, to those that are there");
            goto out;
        }
        rules[n++] = present[i];
    }
    for (size_t i = 0; i < CONTRACT_RULES; i++)
        fill_contract(&rules[n++], base, i);
    fill(&rules[n], SWEEP_ID, base, "");
    rules[n++].abort_days = SWEEP_DAYS;
    rc = s3_put_lifecycle(s3, rules, n, NULL, err);
out:
    free(present);
    free(rules);
    return rc;
}
