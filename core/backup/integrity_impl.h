/* SPDX-License-Identifier: PostgreSQL */
/* integrity_impl.h - the parts of one verification; for integrity*.c alone.
 *
 *     integrity.c           files, plain SQL, and what is said of every check
 *     integrity_archive.c   the custom format, wherever its bytes are
 *     integrity_list.c      pg_restore --list of it
 *     integrity_stored.c    objects in a store, and archives that only pass
 */
#pragma once
#include "core/backup/integrity.h"
#include "core/backup/stored.h"
#include "core/io/digest.h"
#include "core/pg/walk.h"

struct check { /* one integrity_check */
    const char *path;
    int fd;
    const struct integrity_params *p;
    struct integrity *found;
    struct walk_file file;
    struct stored *stored; /* what file reads; NULL: no object in a store */
    struct sums *sums;     /* NULL, or of what is walked: its ETag does not vouch for it */
    struct err *err;
};

void integrity_passed(struct check *c, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The line's text is the error's, unless something deeper has set err already. Always -1. */
int integrity_failed(struct check *c, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* expected: hexadecimal, out of the manifest. */
int integrity_compare_sha256(struct check *c, const struct digest_sum *sum, const char *expected);

/* A check that could not even be made for another reason than the file has no line of its own. Always -1. */
int integrity_failed_with(struct check *c, const char *name);

/* Once: does it read what the first `size` bytes of the file hold? ERR_DAMAGED with its words when not. */
int integrity_list_read(struct integrity_list *list, const struct walk_file *file, uint64_t size, struct err *err);
const char *integrity_list_version(const struct integrity_list *list);

/* What a walk sees of an object with c->sums (the cookie), and afterwards: is that what its manifest says? */
void integrity_sum_up(void *cookie, const void *bytes, size_t n);
int integrity_compare_sums(struct check *c);

/* A custom archive, as deep as c->p says. */
int integrity_archive(struct check *c);

int integrity_major_of(const char *version); /* "15.18 (Debian 15.18-0+deb12u1)" -> 15; "9.6.24" -> 9; NULL -> 0 */
