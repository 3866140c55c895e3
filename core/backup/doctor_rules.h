/* SPDX-License-Identifier: PostgreSQL */
/* doctor_rules.h - what facts about a store mean for the backups in it. Pure: facts and a time in, findings out.
 *
 * The bucket's lifecycle goes by age alone, whether or not new backups come; `sfb prune` does not. So a rule is looked
 * at for what it would take: manual backups, which nobody may; others earlier than the contract keeps them; and the
 * newest one, were backups to stop. */
#pragma once
#include <stdbool.h>
#include "core/backup/doctor.h"
#include "core/store/s3.h"

#define DOCTOR_CLOCK_WARNING 60 /* seconds; S3 allows DOCTOR_CLOCK_LIMIT */
#define DOCTOR_CLOCK_LIMIT 900
#define DOCTOR_CERTIFICATE_DAYS 14 /* before its certificate ends that a server is warned of */

struct doctor_lifecycle {
    const struct s3_rule *rules;
    size_t n;
    const char *base;        /* the store's prefix in the bucket: "" or "prefix/" */
    const char *environment; /* whose newest backup that is: */
    time_t newest;           /* 0: there is none, or it is not known */
    bool versioned;          /* the bucket keeps what is deleted or overwritten */
    time_t now;
};
void doctor_rules_lifecycle(struct doctor_report *r, const struct doctor_lifecycle *l);

/* Seconds that this host's clock is ahead of the server's. */
void doctor_rules_clock(struct doctor_report *r, double ahead);

/* version "": not known; until 0: not known. */
void doctor_rules_tls(struct doctor_report *r, const char *version, time_t until, time_t now);

/* n backups, the newest of which is from then (contract: "Last Successful Backup", 25 hours). */
void doctor_rules_backups(struct doctor_report *r, const char *environment, size_t n, time_t newest, time_t now);
