/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/sqlfile.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/manifest.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/io/unpack.h"

#define PIECE (256 * 1024)
#define HEAD 4096 /* pg_dump's first comments are well within */
#define TAIL 1024 /* and so are its last ones, and \unrestrict */

static const char dump_begins[] = "-- PostgreSQL database dump\n";
static const char cluster_begins[] = "-- PostgreSQL database cluster dump\n";
static const char dump_ends[] = "\n-- PostgreSQL database dump complete\n";
static const char from_server[] = "\n-- Dumped from database version ";
static const char by_pg_dump[] = "\n-- Dumped by pg_dump version ";

struct ends { /* the first and the last bytes of a text that is read in pieces */
    char head[HEAD + 1], tail[TAIL + 1];
    size_t head_n, tail_n;
};

static void ends_add(struct ends *e, const char *piece, size_t n)
{
    size_t room = HEAD - e->head_n;
    size_t keep;

    memcpy(e->head + e->head_n, piece, n < room ? n : room);
    e->head_n += n < room ? n : room;

    if (n >= TAIL) {
        memcpy(e->tail, piece + n - TAIL, TAIL);
        e->tail_n = TAIL;
        return;
    }
    keep = e->tail_n + n > TAIL ? TAIL - n : e->tail_n;
    memmove(e->tail, e->tail + e->tail_n - keep, keep);
    memcpy(e->tail + keep, piece, n);
    e->tail_n = keep + n;
}

static void find_version(const struct ends *e, const char *label, char *out, size_t n)
{
    const char *at = memmem(e->head, e->head_n, label, strlen(label));
    size_t length;

    out[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(label);
    length = strcspn(at, "\n");
    if (length >= n)
        length = n - 1;
    memcpy(out, at, length);
    out[length] = '\0';
}

/* What else was named: the backup's own manifest, some other script, or what nobody can feed to anything. */
static void hint_at_backup(const struct ends *e, const char *what, struct err *err)
{
    static const char *const kinds[] = { ".dump", ".sql.gz", ".sql" };
    size_t n = strlen(what) - (text_ends(what, MANIFEST_ENDING) ? strlen(MANIFEST_ENDING) : 0);

    for (size_t i = 0; what[n] != '\0' && i < sizeof kinds / sizeof *kinds; i++) {
        char path[PATH_MAX];

        if (snprintf(path, sizeof path, "%.*s%s", (int)n, what, kinds[i]) < PATH_MAX && access(path, F_OK) == 0) {
            err_hint(err, "this is the manifest; the backup is %s", path);
            return;
        }
    }
    if (what[n] != '\0')
        err_hint(err, "this is a manifest; the backup itself is not beside it");
    else if (memchr(e->head, '\0', e->head_n) == NULL)
        err_hint(err, "a script of another kind can be fed to `sfb psql`");
}

static int judge(const struct ends *e, const char *what, struct sqlfile_facts *facts, struct err *err)
{
    if (memmem(e->head, e->head_n, cluster_begins, sizeof cluster_begins - 1) != NULL) {
        err_set(err, ERR_DAMAGED, "%s is a dump of a whole cluster (pg_dumpall), not of one database", what);
        err_hint(err, "feed it to `sfb psql`, connected to the database postgres of an empty server");
        return -1;
    }
    if (memmem(e->head, e->head_n, dump_begins, sizeof dump_begins - 1) == NULL) {
        err_set(err, ERR_DAMAGED, "%s is neither an archive nor an SQL script made by pg_dump", what);
        hint_at_backup(e, what, err);
        return -1;
    }
    if (memmem(e->tail, e->tail_n, dump_ends, sizeof dump_ends - 1) == NULL)
        return err_set(err, ERR_DAMAGED, "%s is cut: pg_dump's last line is missing", what);
    find_version(e, from_server, facts->server_version, sizeof facts->server_version);
    find_version(e, by_pg_dump, facts->dump_version, sizeof facts->dump_version);
    return 0;
}

int sqlfile_check(int fd, const char *what, struct sqlfile_facts *facts, struct err *err)
{
    struct unpack *u = NULL;
    struct ends *e = calloc(1, sizeof *e);
    char *piece = malloc(PIECE);
    uint64_t seen = 0;
    ssize_t n;
    int rc = -1;

    if (e == NULL || piece == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (lseek(fd, 0, SEEK_SET) < 0) {
        err_errno(err, "can't read %s", what);
        goto out;
    }
    u = unpack_open(fd, what, err);
    if (u == NULL)
        goto out;
    while ((n = unpack_read(u, piece, PIECE, err)) > 0) {
        ends_add(e, piece, (size_t)n);
        progress_add(unpack_consumed(u) - seen);
        seen = unpack_consumed(u);
        if (os_check_interrupt(err) < 0)
            goto out;
    }
    if (n == 0)
        rc = judge(e, what, facts, err);
out:
    unpack_close(u);
    free(piece);
    free(e);
    return rc;
}
