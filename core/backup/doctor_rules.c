/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/doctor_rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/backup/listing.h"
#include "core/base/clock.h"
#include "core/base/text.h"

#define DAY 86400
#define SAID 8        /* findings of one kind, at most: a bucket may have a thousand rules */
#define LAST_CHANCE 3 /* days before the newest backup goes that this is an emergency */
#define BACKUP_AGE 25 /* hours */

/* ---- lifecycle ------------------------------------------------------------------------------------------------- */

static const struct series {
    const char *prefix, *environment;
    int days; /* that the contract keeps them; 0: for ever */
} all_series[] = {
    { "production/daily/", "production", 30 },
    { "production/weekly/", "production", 90 },
    { "production/monthly/", "production", 365 },
    { "staging/daily/", "staging", 7 },
    { "manual/", "", 0 },
};
#define SERIES (sizeof all_series / sizeof all_series[0])

/* Does it take objects of the series, all or some? */
static bool touches(const struct s3_rule *rule, const char *base, const struct series *series)
{
    char prefix[1200];

    snprintf(prefix, sizeof prefix, "%s%s", base, series->prefix);
    return text_starts(prefix, rule->prefix) || text_starts(rule->prefix, prefix);
}

static const char *some(const struct s3_rule *rule)
{
    return rule->narrowed ? ", those with certain tags or sizes" : "";
}

static void judge_days(struct doctor_report *r, const struct s3_rule *rule, const struct series *series)
{
    if (series->days == 0) {
        doctor_add(r, DOCTOR_WARNING, "lifecycle",
                   "rule \"%s\" deletes manual backups after %d days%s; they are meant to stay", rule->id,
                   rule->expire_days, some(rule));
        doctor_remedy(r, "give the rule a prefix that leaves manual/ alone, as `sfb prune --lifecycle` prints them");
    } else if (rule->expire_days < series->days) {
        doctor_add(r, DOCTOR_WARNING, "lifecycle", "rule \"%s\" deletes %s after %d days%s, and %d are promised",
                   rule->id, series->prefix, rule->expire_days, some(rule), series->days);
        doctor_remedy(r, "let it wait for %d days, or more when backups are made with --retention-days", series->days);
    }
}

static void judge_expiry(struct doctor_report *r, const struct doctor_lifecycle *l)
{
    size_t said = r->n + SAID;

    for (size_t i = 0; i < l->n; i++)
        for (size_t j = 0; j < SERIES && r->n < said; j++)
            if (l->rules[i].enabled && l->rules[i].expire_days > 0 && touches(&l->rules[i], l->base, &all_series[j]))
                judge_days(r, &l->rules[i], &all_series[j]);
}

/* Rules that take backups on a date, or to where they can't be read at once. */
static void judge_manners(struct doctor_report *r, const struct doctor_lifecycle *l)
{
    size_t said = r->n + SAID;

    for (size_t i = 0; i < l->n && r->n < said; i++) {
        const struct s3_rule *rule = &l->rules[i];
        bool ours = false;

        for (size_t j = 0; j < SERIES; j++)
            ours = ours || touches(rule, l->base, &all_series[j]);
        if (!rule->enabled || !ours)
            continue;
        if (rule->dated) {
            doctor_add(r, DOCTOR_WARNING, "lifecycle", "rule \"%s\" deletes backups on a fixed date%s", rule->id,
                       some(rule));
            doctor_remedy(r, "from that date on every new backup goes within a day: let the rule go by days");
        }
        if (rule->moves) {
            doctor_add(r, DOCTOR_WARNING, "lifecycle", "rule \"%s\" moves backups to another storage class%s", rule->id,
                       some(rule));
            doctor_remedy(r,
                          "out of an archive class (Glacier) they come back only after hours: mind the recovery time");
        }
    }
}

/* The rule that takes the environment's newest daily backup first; NULL: none does. */
static const struct s3_rule *first_taker(const struct doctor_lifecycle *l)
{
    const struct s3_rule *first = NULL;

    for (size_t i = 0; i < l->n; i++) {
        const struct s3_rule *rule = &l->rules[i];

        for (size_t j = 0; j < SERIES; j++)
            if (rule->enabled && !rule->narrowed && rule->expire_days > 0 &&
                text_ends(all_series[j].prefix, "/daily/") && strcmp(all_series[j].environment, l->environment) == 0 &&
                touches(rule, l->base, &all_series[j]) && (!first || rule->expire_days < first->expire_days))
                first = rule;
    }
    return first;
}

static void judge_last(struct doctor_report *r, const struct doctor_lifecycle *l)
{
    const struct s3_rule *rule = first_taker(l);
    char date[CLOCK_TEXT];
    time_t end;

    if (!rule) {
        doctor_add(r, DOCTOR_FINE, "lifecycle", "no rule deletes daily backups of %s by age: `sfb prune` does",
                   l->environment);
        return;
    }
    if (l->newest == 0) {
        doctor_add(r, DOCTOR_WARNING, "lifecycle",
                   "rule \"%s\" goes by age alone: were backups to stop, it deletes the last"
                   " daily one %d days later",
                   rule->id, rule->expire_days);
        doctor_remedy(
            r, "watch the age of the newest one; or leave deleting to `sfb prune`, which keeps the last good ones");
        return;
    }
    end = l->newest + (time_t)rule->expire_days * DAY;
    if (end - l->now < LAST_CHANCE * DAY && l->now - l->newest > BACKUP_AGE * 3600) {
        doctor_add(r, DOCTOR_BROKEN, "lifecycle",
                   "rule \"%s\" deletes the newest daily backup of %s on %s, and none came since", rule->id,
                   l->environment, clock_date(date, end));
        doctor_remedy(r, "disable the rule, find out why backups fail, and run: sfb backup -e %s --label rescue",
                      l->environment);
        return;
    }
    doctor_add(r, DOCTOR_WARNING, "lifecycle",
               "rule \"%s\" goes by age alone: were backups to stop now, the last daily one of"
               " %s goes on %s",
               rule->id, l->environment, clock_date(date, end));
    doctor_remedy(r,
                  "watch the age of the newest one; or leave deleting to `sfb prune`, which keeps the last good ones");
}

/* What nobody sees and everybody pays for. */
static void judge_leftovers(struct doctor_report *r, const struct doctor_lifecycle *l)
{
    int abort_days = 0;
    bool noncurrent = false;

    for (size_t i = 0; i < l->n; i++) {
        const struct s3_rule *rule = &l->rules[i];

        if (!rule->enabled || !text_starts(l->base, rule->prefix))
            continue;
        if (rule->abort_days > 0 && !rule->narrowed && (abort_days == 0 || rule->abort_days < abort_days))
            abort_days = rule->abort_days;
        noncurrent = noncurrent || rule->noncurrent_days > 0;
    }
    if (abort_days > 0) {
        doctor_add(r, DOCTOR_FINE, "cut uploads", "their parts are cleared after %d day%s", abort_days,
                   abort_days == 1 ? "" : "s");
    } else {
        doctor_add(r, DOCTOR_WARNING, "cut uploads",
                   "no rule clears the parts of uploads that nobody finished: they cost money");
        doctor_remedy(r, "add AbortIncompleteMultipartUpload, or let `sfb prune --lifecycle --apply` set its rules");
    }
    if (l->versioned && !noncurrent) {
        doctor_add(r, DOCTOR_WARNING, "old versions", "the bucket keeps what is deleted, and no rule ever clears it");
        doctor_remedy(r, "add NoncurrentVersionExpiration with as many days as you want to be able to undo");
    }
}

void doctor_rules_lifecycle(struct doctor_report *r, const struct doctor_lifecycle *l)
{
    judge_expiry(r, l);
    judge_manners(r, l);
    judge_last(r, l);
    judge_leftovers(r, l);
}

/* ---- others ---------------------------------------------------------------------------------------------------- */

void doctor_rules_clock(struct doctor_report *r, double ahead)
{
    double off = fabs(ahead);
    char text[TEXT_SHORT];
    enum doctor_state state = off > DOCTOR_CLOCK_LIMIT   ? DOCTOR_BROKEN
                            : off > DOCTOR_CLOCK_WARNING ? DOCTOR_WARNING
                                                         : DOCTOR_FINE;

    if (off < 2)
        doctor_add(r, state, "clock", "as the server's");
    else
        doctor_add(r, state, "clock", "%s %s the server's", text_duration(text, off),
                   ahead > 0 ? "ahead of" : "behind");
    if (state != DOCTOR_FINE)
        doctor_remedy(r, "set this host's clock (NTP): S3 refuses requests that are off by more than 15 minutes");
}

void doctor_rules_tls(struct doctor_report *r, const char *version, time_t until, time_t now)
{
    char date[CLOCK_TEXT];
    bool soon = until != 0 && until - now < DOCTOR_CERTIFICATE_DAYS * DAY;

    if (*version == '\0')
        doctor_add(r, DOCTOR_FINE, "TLS", "1.2 or newer, and its certificate is good");
    else if (until == 0)
        doctor_add(r, DOCTOR_FINE, "TLS", "%s, and its certificate is good", version);
    else
        doctor_add(r, soon ? DOCTOR_WARNING : DOCTOR_FINE, "TLS", "%s, its certificate is good until %s", version,
                   clock_date(date, until));
    if (soon)
        doctor_remedy(r, "have it renewed on the server before that day: backups stop then");
}

void doctor_rules_backups(struct doctor_report *r, const char *environment, size_t n, time_t newest, time_t now)
{
    char age[LISTING_AGE];

    if (n == 0) {
        doctor_add(r, DOCTOR_WARNING, "backups", "there is none of %s yet", environment);
        doctor_remedy(r, "sfb backup -e %s", environment);
        return;
    }
    listing_age(age, newest, now);
    doctor_add(r, now - newest > BACKUP_AGE * 3600 ? DOCTOR_WARNING : DOCTOR_FINE, "backups",
               "%zu of %s, the newest %s%s", n, environment, strcmp(age, "now") == 0 ? "just made" : age,
               strcmp(age, "now") == 0 ? "" : " old");
    if (now - newest > BACKUP_AGE * 3600)
        doctor_remedy(r, "find out why the daily ones don't come: the audit log, cron or the timer");
}
