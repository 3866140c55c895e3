/* SPDX-License-Identifier: PostgreSQL */
/* report_build.h - drills that never were, for what tells of drills: test_report.c and test/live/tool_page.c.
 *
 * Everything is constant but the arrays, which struct sample holds: nothing needs to be released.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/watch/report.h"

#define SAMPLE_NOW ((time_t)1761973980) /* 2025-11-01 05:13:00 UTC */
#define SAMPLE_TABLES 2000
#define SAMPLE_RUNS 1000

struct sample {
    struct drill_result drill;
    struct err why;
    struct drill_check checks[16];
    struct drill_phase phases[16];
    struct drill_table tables[SAMPLE_TABLES];
    struct run runs[SAMPLE_RUNS];
    struct history history;
    struct proofs proofs;
    char names[SAMPLE_TABLES][32];
};

static void sample_check(struct sample *s, const char *name, enum drill_outcome outcome, const char *detail)
{
    s->checks[s->drill.n_checks++] = (struct drill_check){ (char *)name, outcome, (char *)detail };
}

static void sample_phase(struct sample *s, const char *name, double seconds, bool recovery)
{
    s->phases[s->drill.n_phases++] = (struct drill_phase){ (char *)name, seconds, recovery };
    s->drill.seconds += seconds;
    s->drill.recovery_seconds += recovery ? seconds : 0;
}

static void sample_table(struct sample *s, const char *schema, const char *name, uint64_t rows, double drift)
{
    struct drill_table *t = &s->tables[s->drill.n_tables++];

    *t = (struct drill_table){ .schema = (char *)schema,
                               .name = (char *)name,
                               .expected = true,
                               .rows = rows,
                               .bytes = rows * 120,
                               .found = true,
                               .rows_found = rows,
                               .same = true,
                               .in_production = drift >= 0,
                               .drift = drift };
    t->rows_production = drift >= 0 ? rows + (uint64_t)((double)rows * drift / 100) : 0;
    s->drill.n_rows += rows;
}

static void sample_run(struct sample *s, time_t started, bool passed, double recovery)
{
    struct run *r = &s->runs[s->history.n++];

    *r = (struct run){ .kind = RUN_DRILL,
                       .environment = (char *)"production",
                       .started = started,
                       .seconds = recovery * 1.2,
                       .exit_code = passed ? 0 : 5,
                       .backup = (char *)"backup-20251001-020000.dump",
                       .recovery_seconds = recovery };
}

/* A drill that passed, with a past of some weeks. */
static struct sample *sample_new(void)
{
    static const double past[] = { 244, 251, 239, 262, 0, 258, 266, 271, 268, 402, 279, 284 };
    struct sample *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->history.runs = s->runs;
    s->drill = (struct drill_result){
        .where = DRILL_BESIDE,
        .passed = true,
        .started = SAMPLE_NOW - 332,
        .environment = (char *)"production",
        .backup = (char *)"backup-20251101-020000.dump",
        .location = (char *)"s3://signupflow-backups/production/daily/backup-20251101-020000.dump",
        .stored = true,
        .taken = SAMPLE_NOW - 3 * 3600 - 780,
        .size = 1288490189,
        .md5 = (char *)"9e107d9d372bb6826bd81d3542a419d6",
        .sha256 = (char *)"d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592",
        .dumped_version = (char *)"15.18 (Debian 15.18-0+deb12u1)",
        .server_version = (char *)"15.18 (Debian 15.18-0+deb12u1)",
        .database = (char *)"signupflow_drill_20251101-050728",
        .pre_restore = (char *)"",
        .database_size = 1932735283,
        .proven = true,
        .has_drift = true,
        .drift = 0.4,
        .error = (char *)"",
        .hint = (char *)"",
        .checks = s->checks,
        .phases = s->phases,
        .tables = s->tables,
    };
    sample_check(s, "the backup is whole", DRILL_PASSED, "1.2 GB, checksum and every block");
    sample_check(s, "the backup is restored", DRILL_PASSED, "6 tables in 2m 51s");
    sample_check(s, "every row is as it was backed up", DRILL_PASSED, "6 tables, 4,403,324 rows");
    sample_check(s, "every index is valid", DRILL_PASSED, "17 indexes; amcheck is not installed");
    sample_check(s, "every constraint is validated", DRILL_PASSED, "21 constraints");
    sample_check(s, "no sequence is behind its column", DRILL_PASSED, "5 sequences");
    sample_check(s, "production has not drifted too far", DRILL_PASSED, "0.4 %, limit 5 %");
    sample_check(s, "smoke tests in SQL", DRILL_PASSED, "4 statements");
    sample_check(s, "smoke test by URL", DRILL_WARNING, "200 after 3 tries");
    sample_check(s, "smoke test by command", DRILL_SKIPPED, "none was given");
    sample_phase(s, "fetch", 48.2, true);
    sample_phase(s, "verify", 6.1, true);
    sample_phase(s, "restore", 171.3, true);
    sample_phase(s, "prove", 52.6, true);
    sample_phase(s, "examine", 4.4, false);
    sample_phase(s, "production", 9.8, false);
    sample_phase(s, "smoke tests", 31.9, false);
    sample_phase(s, "clear up", 1.2, false);
    sample_table(s, "public", "busiest", 10, 0);
    sample_table(s, "public", "events", 60000, 0.7);
    sample_table(s, "public", "messages", 640000, 1.2);
    sample_table(s, "public", "organisations", 3000, 0.03);
    sample_table(s, "public", "people", 400000, 0.2);
    sample_table(s, "public", "signups", 3300314, 0.3);
    s->tables[5].estimated = true;
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++)
        sample_run(s, SAMPLE_NOW - (time_t)(12 - i) * 7 * 86400, past[i] > 0, past[i]);
    return s;
}

/* One table lost a row, another is not there. */
static struct sample *sample_failed(void)
{
    struct sample *s = sample_new();

    s->drill.passed = s->drill.proven = false;
    s->why.class = ERR_PROOF;
    s->drill.error = (char *)"public.signups has 3,300,313 rows, but 3,300,314 were backed up";
    s->drill.hint = (char *)"this backup is not to be relied on: drill an older one, and see what `sfb verify` says";
    s->checks[2].outcome = DRILL_FAILED;
    s->checks[2].detail = (char *)"public.signups differs, public.events was not found";
    for (size_t i = 3; i < s->drill.n_checks; i++) {
        s->checks[i].outcome = DRILL_SKIPPED;
        s->checks[i].detail = (char *)"not reached";
    }
    s->tables[1].found = s->tables[1].same = false;
    s->tables[5].rows_found--;
    s->tables[5].same = false;
    for (size_t i = 0; i < s->drill.n_tables; i++)
        s->tables[i].in_production = s->tables[i].estimated = false;
    s->drill.has_drift = false;
    s->drill.n_phases = 4;
    return s;
}

/* There was no server to restore to. */
static struct sample *sample_unfinished(void)
{
    struct sample *s = sample_new();

    s->drill.passed = s->drill.proven = s->drill.has_drift = false;
    s->why.class = ERR_CONNECT;
    s->drill.error = (char *)"connection to server at \"10.0.0.7\", port 5432 failed: Connection refused";
    s->drill.hint = (char *)"is the staging server running? `sfb doctor` tells more, `sfb drill --local` needs none";
    s->drill.n_tables = s->drill.n_phases = 0;
    s->drill.n_rows = s->drill.database_size = 0;
    s->drill.recovery_seconds = 0;
    s->drill.server_version = (char *)"";
    for (size_t i = 0; i < s->drill.n_checks; i++)
        s->checks[i] = (struct drill_check){ s->checks[i].name, DRILL_SKIPPED, (char *)"not reached" };
    return s;
}

/* It failed before anything was known: what a caller gets whose memory was zeroed. */
static struct sample *sample_nothing(void)
{
    struct sample *s = sample_new();

    s->drill = (struct drill_result){ .started = SAMPLE_NOW };
    s->why.class = ERR_NOT_FOUND;
    s->history.n = 0;
    return s;
}

#define SAMPLE_EVIL "<script>alert(1)</script>\"' &amp; \xE2\x80\xAEtxt.exe\nnext\x1B[31m\xFF"

/* Names from a database whose owner means no good, in every place. */
static struct sample *sample_hostile(void)
{
    struct sample *s = sample_failed();

    s->drill.backup = s->drill.location = s->drill.database = s->drill.error = s->drill.hint = (char *)SAMPLE_EVIL;
    s->drill.dumped_version = s->drill.server_version = s->drill.sha256 = (char *)SAMPLE_EVIL;
    s->checks[0].name = s->checks[0].detail = (char *)SAMPLE_EVIL;
    s->phases[0].name = (char *)SAMPLE_EVIL;
    s->tables[0].schema = s->tables[0].name = (char *)SAMPLE_EVIL;
    s->tables[1].name = (char *)"a_name_of_sixty_three_letters_without_any_place_to_break_it_xxxx";
    s->runs[s->history.n - 1].backup = (char *)SAMPLE_EVIL;
    return s;
}

/* As many as a large installation has: tables, and drills. */
static struct sample *sample_many(void)
{
    struct sample *s = sample_new();

    s->drill.n_tables = s->history.n = 0;
    s->drill.n_rows = 0;
    for (size_t i = 0; i < SAMPLE_TABLES; i++) {
        snprintf(s->names[i], sizeof s->names[i], "part_%04zu", i);
        sample_table(s, "events", s->names[i], i * 1000003, (double)(i % 7));
    }
    for (size_t i = 0; i < SAMPLE_RUNS; i++)
        sample_run(s, SAMPLE_NOW - (time_t)(SAMPLE_RUNS - i) * 86400, i % 97 != 0, 200 + (double)(i % 50));
    return s;
}

static void sample_report(struct report *r, struct sample *s)
{
    struct err err = { 0 };

    if (report_init(r, &s->drill, &s->why, &s->history, &s->proofs, SAMPLE_NOW, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
}

static void sample_free(struct sample *s)
{
    proofs_release(&s->proofs);
    free(s);
}
