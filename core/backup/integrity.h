/* SPDX-License-Identifier: PostgreSQL */
/* integrity.h - is a backup file whole, and is it what its manifest says?
 *
 * The contract's three checks: the file can be read (its own structure, and pg_restore --list of the matching major),
 * its checksum, its metadata. CHECK_ALL also inflates every block and compares rows and fingerprints of every table;
 * what it counted stays in `found`, so that a restore can prove itself even of a dump that has no manifest.
 */
#pragma once
#include <stdbool.h>
#include "core/backup/manifest.h"
#include "core/base/err.h"
#include "core/pg/tool.h"
#include "core/pg/walk.h"
#include "core/store/store.h"

enum check_depth { CHECK_QUICK, CHECK_ALL };

/* What a file is, told by its content, not by its name. */
enum backup_kind {
    KIND_CUSTOM, /* PostgreSQL's custom format */
    KIND_SQL,    /* plain SQL, packed or not (core/io/unpack.h) */
};

struct check_line {
    char name[40];
    bool good;
    char detail[200];
}; /* "checksum", true, "SHA-256 as in the manifest" */

struct integrity {
    enum backup_kind kind;
    uint64_t size;
    bool has_manifest;
    struct manifest manifest; /* the file's own; without one, what the archive itself tells: database, versions, time,
                                 and, with CHECK_ALL, tables with rows and fingerprints */
    bool counted;             /* manifest.tables and large_objects are known */
    int archive_minor;        /* KIND_CUSTOM: format version 1.minor */
    int dump_major;           /* of the pg_dump that made it; 0: not known */
    struct check_line lines[12];
    size_t n_lines;
};

/* A pg_restore --list that waits for its archive. fork() and threads don't get along: who will verify a backup while an
 * upload is at work starts it before that, with the tool that makes the backup. */
struct integrity_list;
struct integrity_list *integrity_list_start(const struct tool *tool, struct err *err);
void integrity_list_free(struct integrity_list *list); /* ends it; NULL is fine */

struct integrity_params {
    enum check_depth depth;
    unsigned jobs;
    const char *bindir;          /* as in dump.h */
    bool ignore_manifest;        /* judge the file alone */
    struct integrity_list *list; /* for this one check; NULL: it is started when it is needed */
    /* NULL, or, with CHECK_ALL: what somebody found who has read back this very file while it was made, and its sums
     * since. It is compared with the manifest and the contents; neither is read once more. */
    const struct walk_result *walked;
};

/* How deep to look before a restore. With a manifest CHECK_QUICK: the SHA-256 of the whole file is compared, and what has
 * that sum was inflated and counted row by row when it was made. Without one the archive is all there is: CHECK_ALL. */
enum check_depth integrity_depth(const char *path);

/* 0: good. ERR_NOT_FOUND: no such file, or it can't be opened. ERR_DAMAGED: the message says what, where (offset, table)
 * and what was expected; the line of the check that failed is the last of found->lines. found holds what was learnt
 * either way; always release it. With fd not NULL the file stays open there on success, so that what was checked is
 * what is used afterwards, whatever happens to its name. */
int integrity_check(const char *path, const struct integrity_params *p, struct integrity *found, int *fd,
                    struct err *err);
/* The same of a custom archive in a store, where it is: read in ranges of one version, nothing is kept on this host. The
 * checksum that is compared is its ETag; when that is another, since other tools have copied the bucket, with CHECK_ALL
 * its SHA-256. The manifest is the one beside it, or m, when that is not NULL: then it was sent just now, and the ETag has
 * to be the one that the server gave it. ERR_STORE when it can't be read. */
int integrity_check_stored(struct store *store, const char *key, const struct manifest *m,
                           const struct integrity_params *p, struct integrity *found, struct err *err);

/* The same of an archive that nobody keeps: what a witness has seen pass (core/pg/witness.h), and its contents as they
 * are in the end, are what the manifest says. */
struct integrity_passed {
    const char *name;
    const void *contents;
    size_t contents_size;
    const struct walk_result *walked;
};
int integrity_check_passed(const struct integrity_passed *passed, const struct manifest *m,
                           const struct integrity_params *p, struct integrity *found, struct err *err);

void integrity_release(struct integrity *found);
