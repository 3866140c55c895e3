/* SPDX-License-Identifier: PostgreSQL */
/* audit_chain.h - the machine-readable audit log: entries of which each one holds the hash of the one before.
 *
 * One JSON object a line:
 *
 *     {"chain":"9f86d081884c7d65","seq":17,"time":"2025-10-23T02:00:15Z","kind":"backup","level":"INFO","event":"...",
 *      "host":"db1","user":"ubuntu","pid":12345,"previous":"<hash of entry 16>","hash":"<hash of this one>"}
 *
 * "hash" is the SHA-256 of the line up to, not including, `,"hash":`; entry 1 has zeros for "previous". "chain" is drawn
 * at random when a log begins, so that the logs of two hosts are told apart. The head, that is chain, number and hash of
 * the newest entry, is kept beside the log (APP-audit.head), which is also what writers lock: several processes make
 * one chain, and after a rotation the new file goes on where the old one ended.
 *
 * A crash in the middle of a line leaves bytes that are no entry. The next run keeps them, ends the line, and says so:
 * its first entry is of kind "audit" and has "fragment", the SHA-256 of those bytes. When the file ends before the head, or
 * not with it, an entry says that too, and the chain goes on from the head, so that the gap stays.
 *
 * What this finds: a changed, missing, added or moved line, and a cut-off end (by the head). What it can't find by itself:
 * that somebody who may write to the log made all of it anew, head included. Against that the head is also told elsewhere:
 * in each backup's manifest, which is in S3 where the host may write but neither read nor delete, and in each
 * syslog message. audit_check.h compares.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "core/base/buf.h"
#include "core/base/err.h"

#define AUDIT_CHAIN_ID 16
#define AUDIT_HASH 64
#define AUDIT_HEAD_TEXT 112 /* "9f86d081884c7d65:17:<hash>" and a NUL */
#define AUDIT_LOG_MAX ((size_t)256 * 1024 * 1024)

struct audit_head {
    char chain[AUDIT_CHAIN_ID + 1];
    uint64_t seq; /* 0: of no entry */
    char hash[AUDIT_HASH + 1];
};

const char *audit_head_text(char out[AUDIT_HEAD_TEXT], const struct audit_head *h); /* "" of none */
bool audit_head_parse(const char *text, struct audit_head *h);                      /* blanks at the end are fine */

/* ---- a line ---------------------------------------------------------------------------------------------------- */

struct audit_entry {
    struct audit_head self;        /* its chain, number, and the hash that stands in it */
    char previous[AUDIT_HASH + 1]; /* the hash of the entry before */
    char fragment[AUDIT_HASH + 1]; /* of the bytes before it that are no entry; "" mostly */
    bool sound;                    /* its content has the hash that stands in it */
};

/* Is the line (n bytes, no newline) an entry, sound or not? */
bool audit_entry_parse(const char *line, size_t n, struct audit_entry *e);
void audit_hash(char out[AUDIT_HASH + 1], const void *bytes, size_t n);

/* ---- the log ---------------------------------------------------------------------------------------------------- */

struct audit_chain {
    char *path, *head_path; /* NULL: closed */
};

struct audit_record {
    time_t time;
    const char *kind, *level, *event; /* "backup", "INFO", visible text (text_visible) */
};

int audit_chain_open(struct audit_chain *c, const char *dir, const char *app, struct err *err);
void audit_chain_close(struct audit_chain *c);

/* Appends the record, after what has to be told about the log's end. One write, synced; on failure the log is as it was,
 * or a later append tells. Waits some seconds for another writer. *head: the new entry. */
int audit_chain_append(struct audit_chain *c, const struct audit_record *r, struct audit_head *head, struct err *err);

/* "DIR/APP-audit.jsonl" -> "DIR/APP-audit.head"; NULL when the path ends otherwise, or without memory. Caller frees. */
char *audit_head_path(const char *path);
int audit_head_read(const char *head_path, struct audit_head *h,
                    struct err *err); /* no file, or nothing in it: seq 0 */
