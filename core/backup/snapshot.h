/* SPDX-License-Identifier: PostgreSQL */
/* snapshot.h - takes one backup: dump, globals and manifest, as files that appear whole or not at all, or as a stream.
 *
 * The order is what makes it safe: globals and dump are written under partial names and synced; then the dump is linked
 * to its name, then the globals; the manifest last, since a backup without a manifest does not count. Whatever fails,
 * what this run had made is removed again.
 */
#pragma once
#include <stdbool.h>
#include "core/backup/manifest.h"
#include "core/base/err.h"
#include "core/pg/dump.h"
#include "core/pg/walk.h"

/* Somebody who takes the dump elsewhere while it is being made: an upload. A follower that can't begin stops the
 * backup as it begins; one that fails later is left behind, and the dump is finished without it. It may start threads:
 * whatever connects to the server was forked before. */
struct snapshot_follower {
    /* Before the first byte: the file (the follower's to duplicate), what names the backup, a guess of its size. */
    int (*begin)(void *cookie, int fd, time_t started, uint64_t expected, struct err *err);
    /* Header and table of contents of a custom archive take so many bytes, which still change; before any are there. */
    int (*hold)(void *cookie, uint64_t contents);
    /* The first `size` bytes are there. Any thread. */
    int (*advance)(void *cookie, uint64_t size);
    /* So large is the whole, and nothing in it changes any more; whether it is good is not known yet. */
    int (*end)(void *cookie, uint64_t size);
    void *cookie;
};

struct snapshot_params {
    struct dump *dump; /* open */
    const char *app, *environment, *label;
    enum backup_format format;
    enum backup_method method;
    int level;
    unsigned jobs;
    int retention_days;
    time_t started; /* names the files */
    const char *directory;
    const char *prefix;                       /* before "backup-..." in file names: "signupflow-"; "" for none */
    const struct snapshot_follower *follower; /* NULL: none */
    const char *audit_head;                   /* of the audit log, for the manifest; NULL: none */
    bool quiet;                               /* no warnings about globals that can't be read: a pre-restore backup */
};

struct snapshot {
    struct manifest manifest;
    char *path, *globals_path, *manifest_path; /* globals_path NULL: the server would not let us read them */
    struct buf globals;                        /* of one without files: their text; empty as above */
    struct walk_result walked;                 /* of a custom archive in a file: what was read back from it */
};

/* ERR_SPACE when the directory's file system has less free than the dump is expected to need (`snapshot_expected`). */
int snapshot_check_space(const struct snapshot_params *p, struct err *err);
uint64_t snapshot_expected(uint64_t table_bytes, enum backup_method method, int level);

/* Tables with their columns, rows and fingerprints, and the large objects, into m. Also for an archive that was walked. */
int snapshot_describe_contents(const struct archive_blocks *blocks, const struct tally *objects, struct manifest *m,
                               struct err *err);

/* A custom archive is read back from its file while it grows, every block inflated and counted again: out->walked. It is
 * for integrity_check() to compare with the manifest. ERR_DAMAGED when it can't be read back. */
int snapshot_take(const struct snapshot_params *p, struct snapshot *out, struct err *err);

/* Where a snapshot goes that has no files: a custom archive, written once, from its first byte to its last, but for
 * the contents, which are patched after the last write. Each call as in transcode.h. */
struct snapshot_stream {
    int (*begin)(void *cookie, time_t started, uint64_t expected, struct err *err); /* names it */
    int (*hold)(void *cookie, uint64_t contents, struct err *err);
    int (*write)(void *cookie, const void *bytes, size_t n, struct err *err);
    int (*patch)(void *cookie, uint64_t offset, const void *bytes, size_t n, struct err *err);
    void *cookie;
};

/* The same without a file: p->directory, prefix and follower do not count. What returned 0 has been verified while it
 * passed: every block was inflated and counted again (core/pg/witness.h), and pg_restore reads its contents. ERR_DAMAGED
 * when not. */
int snapshot_take_streamed(const struct snapshot_params *p, const struct snapshot_stream *to, struct snapshot *out,
                           struct err *err);
void snapshot_remove_files(const struct snapshot *s); /* manifest first */
void snapshot_release(struct snapshot *s);
