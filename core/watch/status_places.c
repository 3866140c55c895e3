/* SPDX-License-Identifier: PostgreSQL */
/* status_places.c - is what was made where it belongs, and will the way there be open tomorrow? */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "core/backup/doctor_rules.h"
#include "core/base/clock.h"
#include "core/watch/status_impl.h"

#define CERTIFICATE_CRITICAL (3 * STATUS_DAY)
#define VERIFY_DAMAGED 2 /* exit code of `sfb verify` */
#define NOT_GRAVE (-1)
#define ERR_SHOWN 200 /* letters of somebody else's message */
#define AUDIT_SHOWN 300

/* ---- other runs ------------------------------------------------------------------------------------------------- */

/* The newest of its kind failed, and recently. `grave`: the exit code that is critical, unless nothing tells that the file
 * was a backup of an environment. */
static void check_newest(struct status *s, enum run_kind kind, const char *name, const char *title, int grave)
{
    const struct run *r = history_newest(&s->facts->history, kind, -1);
    bool critical = r != NULL && r->exit_code == grave && r->environment != NULL;
    enum status_level level = critical ? STATUS_CRITICAL : STATUS_WARNING;
    char when[CLOCK_TEXT];

    if (r == NULL || difftime(s->now, r->started) > STATUS_WINDOW_DAYS * STATUS_DAY)
        return;
    if (run_failed(r))
        status_add(s, name, title, level, "the last one, at %s UTC, failed (exit code %d): %.*s",
                   clock_log(when, r->started), r->exit_code, ERR_SHOWN, r->error != NULL ? r->error : "no message");
    else
        status_add(s, name, title, STATUS_OK, "the last one, at %s UTC, succeeded", clock_log(when, r->started));
}

/* ---- the store -------------------------------------------------------------------------------------------------- */

static void check_store(struct status *s)
{
    const struct status_facts *f = s->facts;
    uint64_t bytes = 0;
    char size[TEXT_SHORT];
    size_t n = 0;

    if (!f->store_asked)
        return;
    if (f->store_denied) {
        status_add(s, "store", "Store", STATUS_UNKNOWN, "this identity may not list it: what it holds is not known");
        return;
    }
    if (!f->store_listed) {
        status_add(s, "store", "Store", STATUS_WARNING, "can't be read: %.*s", ERR_SHOWN,
                   f->store_trouble != NULL ? f->store_trouble : "no message");
        return;
    }
    for (int tier = 0; tier < TIER_COUNT; tier++) {
        n += f->stored[tier];
        bytes += f->stored_bytes[tier];
    }
    status_add(s, "store", "Store", STATUS_OK, "%zu backup%s (daily %zu, weekly %zu, monthly %zu, manual %zu), %s", n,
               n == 1 ? "" : "s", f->stored[TIER_DAILY], f->stored[TIER_WEEKLY], f->stored[TIER_MONTHLY],
               f->stored[TIER_MANUAL], text_size(size, bytes));
}

/* What should be in the store and is not, or is not the same; a manifest that has lost its dump. */
static void check_copies(struct status *s)
{
    const struct status_facts *f = s->facts;
    size_t n = f->disagreements + f->orphans;
    struct status_check *c;

    if (!f->store_listed)
        return;
    if (f->disagreements > 0)
        c = status_add(s, "copies", "Copies", STATUS_CRITICAL, "%zu backup%s in the store not as on this host: %.*s", n,
                       n == 1 ? " is" : "s are", ERR_SHOWN, f->disagreement);
    else if (f->orphans > 0)
        c = status_add(s, "copies", "Copies", STATUS_CRITICAL, "%zu backup%s lost in the store: %.*s has no dump",
                       f->orphans, f->orphans == 1 ? " is" : "s are", ERR_SHOWN, f->orphan);
    else
        c = status_add(s, "copies", "Copies", STATUS_OK, "the store has what this host knows of");
    status_measure(c, STATUS_NUMBER, (double)n, NAN, 0);
}

static void check_leftovers(struct status *s)
{
    const struct status_facts *f = s->facts;
    char span[TEXT_SHORT];
    struct status_check *c;

    if (f->store_listed) {
        c = status_add(s, "unfinished", "Unfinished backups", f->unfinished > 0 ? STATUS_WARNING : STATUS_OK,
                       "%zu in the store without a manifest for more than a day", f->unfinished);
        status_measure(c, STATUS_NUMBER, (double)f->unfinished, 0, NAN);
    }
    if (!f->uploads_known)
        return;
    if (f->open_uploads > 0)
        c = status_add(s, "open_uploads", "Open uploads", STATUS_WARNING,
                       "%zu multipart upload%s open for more than a day, the oldest for %s: parts that cost money",
                       f->open_uploads, f->open_uploads == 1 ? " is" : "s are",
                       status_span(span, difftime(s->now, f->oldest_upload)));
    else
        c = status_add(s, "open_uploads", "Open uploads", STATUS_OK, "none that is older than a day");
    status_measure(c, STATUS_NUMBER, (double)f->open_uploads, 0, NAN);
}

/* ---- the way there ---------------------------------------------------------------------------------------------- */

static void check_clock(struct status *s)
{
    double off = fabs(s->facts->clock_ahead);
    char text[TEXT_SHORT];
    struct status_check *c;

    if (!s->facts->clock_known)
        return;
    c = status_add(s, "clock", "Clock", status_judge_value(off, DOCTOR_CLOCK_WARNING, DOCTOR_CLOCK_LIMIT), "%s %s",
                   off < 2 ? "as" : text_duration(text, off),
                   off < 2                     ? "the store's"
                   : s->facts->clock_ahead > 0 ? "ahead of the store's"
                                               : "behind the store's");
    status_measure(c, STATUS_SECONDS, off, DOCTOR_CLOCK_WARNING, DOCTOR_CLOCK_LIMIT);
}

static void check_certificate(struct status *s)
{
    double left = difftime(s->facts->certificate, s->now), soon = DOCTOR_CERTIFICATE_DAYS * STATUS_DAY;
    char date[CLOCK_TEXT], span[TEXT_SHORT];
    struct status_check *c;

    if (s->facts->certificate == 0)
        return;
    c = status_add(s, "certificate", "Certificate",
                   left < CERTIFICATE_CRITICAL ? STATUS_CRITICAL
                   : left < soon               ? STATUS_WARNING
                                               : STATUS_OK,
                   left > 0 ? "the store's is good until %s, for another %s" : "the store's ended on %s, %s ago",
                   clock_date(date, s->facts->certificate), status_span(span, fabs(left)));
    status_measure(c, STATUS_SECONDS, left, soon, CERTIFICATE_CRITICAL);
    c->least = true;
}

static void check_history(struct status *s)
{
    size_t n = s->facts->history.skipped;
    struct status_check *c;

    if (n == 0)
        return;
    c = status_add(s, "history", "History", STATUS_WARNING, "%zu record%s can't be read", n, n == 1 ? "" : "s");
    status_measure(c, STATUS_NUMBER, (double)n, 0, NAN);
}

/* ---- who did what ----------------------------------------------------------------------------------------------- */

static void check_audit(struct status *s)
{
    static const char name[] = "audit", title[] = "Audit log";
    const struct status_facts *f = s->facts;
    bool many = f->audit_entries != 1;

    if (f->audit_trouble != NULL)
        status_add(s, name, title, STATUS_UNKNOWN, "it can't be read: %.*s", ERR_SHOWN, f->audit_trouble);
    else if (f->audit_damage != NULL)
        status_add(s, name, title, STATUS_CRITICAL, "%.*s; `sfb verify --audit` tells all", AUDIT_SHOWN,
                   f->audit_damage);
    else if (f->audit_read && f->audit_first > 1)
        status_add(s, name, title, STATUS_OK,
                   "the newest %" PRIu64 " entr%s, from %" PRIu64 " on, %s as written; `sfb verify --audit` reads all",
                   f->audit_entries, many ? "ies" : "y", f->audit_first, many ? "are" : "is");
    else if (f->audit_read)
        status_add(s, name, title, STATUS_OK, "%s%" PRIu64 " entr%s as written", many ? "all " : "", f->audit_entries,
                   many ? "ies are" : "y is");
}

void status_check_places(struct status *s)
{
    check_newest(s, RUN_VERIFY, "verification", "Verification", VERIFY_DAMAGED);
    check_newest(s, RUN_PRUNE, "prune", "Retention", NOT_GRAVE);
    check_store(s);
    check_copies(s);
    check_leftovers(s);
    check_clock(s);
    check_certificate(s);
    check_history(s);
    check_audit(s);
}
