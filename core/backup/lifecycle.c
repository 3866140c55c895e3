/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/store/s3.h"

#define RULES(X)                                                           \
    X("delete-daily-backups-after-30-days", "production/daily/", 30)       \
    X("delete-weekly-backups-after-90-days", "production/weekly/", 90)     \
    X("delete-monthly-backups-after-365-days", "production/monthly/", 365) \
    X("delete-staging-backups-after-7-days", "staging/daily/", 7)
#define SWEEP_ID "abort-unfinished-uploads-after-2-days"
#define SWEEP_DAYS 2

#define STRING(x) #x
#define RULE_FILTER(id, prefix)                                                                                   \
    "    {\n      \"ID\": \"" id "\",\n      \"Status\": \"Enabled\",\n      \"Filter\": { \"Prefix\": \"" prefix \
    "\" },\n"
#define RULE_JSON(id, prefix, days) \
    RULE_FILTER(id, prefix) "      \"Expiration\": { \"Days\": " STRING(days) " }\n    },\n"
#define SWEEP_JSON \
    RULE_FILTER(SWEEP_ID, "") "      \"AbortIncompleteMultipartUpload\": { \"DaysAfterInitiation\": 2 }\n    }\n"

const char lifecycle_json[] = "{\n  \"Rules\": [\n" RULES(RULE_JSON) SWEEP_JSON "  ]\n}\n";

static const struct {
    const char *id, *prefix;
    int days;
} contract_rules[] = {
#define RULE(id, prefix, days) { id, prefix, days },
    RULES(RULE)
#undef RULE
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
    return rule->narrowed || rule->dated || rule->moves;
}

/* "s3://bucket/prefix" -> "prefix/"; "" without one */
static const char *prefix_of(const struct store *store)
{
    const char *slash = strchr(store_url(store) + strlen("s3://"), '/');

    return slash != NULL ? slash + 1 : "";
}

static void fill(struct s3_rule *rule, const char *id, const char *base, const char *prefix)
{
    memset(rule, 0, sizeof *rule);
    snprintf(rule->id, sizeof rule->id, "%s", id);
    snprintf(rule->prefix, sizeof rule->prefix, "%s%s%s", base, *base != '\0' ? "/" : "", prefix);
    rule->enabled = true;
}

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
    for (size_t i = 0; i < CONTRACT_RULES; i++) {
        fill(&rules[n], contract_rules[i].id, base, contract_rules[i].prefix);
        rules[n++].expire_days = contract_rules[i].days;
    }
    fill(&rules[n], SWEEP_ID, base, "");
    rules[n++].abort_days = SWEEP_DAYS;
    rc = s3_put_lifecycle(s3, rules, n, NULL, err);
out:
    free(present);
    free(rules);
    return rc;
}
