/* SPDX-License-Identifier: PostgreSQL */
/* audit_check.h - is the chained audit log (audit_chain.h) what was written, line for line?
 *
 *     audit_check_open(paths, n, &check, &err)        reads the files; sorted by their entries, so any order will do
 *     audit_check_mark(check, name, "CHAIN:17:HASH")  what a manifest or a syslog message says of the log; any number
 *     audit_check_judge(check, &result, &err)
 *
 * A log in several files (rotated ones, compressed too) is checked as one. Each finding says which line of which file. A
 * line that a crash cut short, and that the next run told of, is no damage; neither is a log that begins later than
 * with entry 1, when older files are gone: both are told as notes.
 */
#pragma once
#include "core/backup/audit_chain.h"
#include "core/base/err.h"

struct audit_finding {
    bool damage; /* else a note */
    char *text;
};

struct audit_result {
    struct audit_finding *findings;
    size_t n, damages;
    uint64_t entries, first, last; /* how many sound ones, and the numbers of the first and last; 0: none */
    size_t marks;                  /* that were compared, and agree */
};

struct audit_check;
/* ERR_NOT_FOUND: one of the files is not there; ERR_IO, ERR_DAMAGED: it can't be read. The heads beside the files are
 * read first, so that a run that goes on meanwhile does no harm. */
struct audit_check *audit_check_open(const char *const *paths, size_t n, struct err *err);
/* The same of files of which only the end may be read, from an entry on that leans on nothing before it. */
struct audit_part {
    const char *path;
    size_t bytes; /* SIZE_MAX: all of it, compressed or not */
};
struct audit_check *audit_check_open_parts(const struct audit_part *parts, size_t n, struct err *err);

/* where: "backup-20251023-020000.dump". ERR_DAMAGED: the text is no head. */
int audit_check_mark(struct audit_check *c, const char *where, const char *head, struct err *err);
/* 0, or -1 and ERR_DAMAGED when there is damage; *result is filled either way. */
int audit_check_judge(struct audit_check *c, struct audit_result *result, struct err *err);
void audit_check_free(struct audit_check *c);
void audit_result_release(struct audit_result *r);

/* DIR/APP-audit.jsonl and its rotated files, NULL at the end; an empty list when there are none. Caller frees with
 * audit_check_free_files. NULL without memory. */
char **audit_check_find_files(const char *dir, const char *app, size_t *n, struct err *err);
void audit_check_free_files(char **paths);
