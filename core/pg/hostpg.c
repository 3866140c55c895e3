/* SPDX-License-Identifier: PostgreSQL */
/* hostpg.c - the PostgreSQL server programs that this host has. */
#include "core/pg/hostpg.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/names.h"
#include "core/base/os.h"
#include "core/base/program.h"
#include "core/base/text.h"

#define VERSION_SECONDS 10.0

/* ---- pure ---------------------------------------------------------------------------------------------------- */

int hostpg_parse_version(const char *words)
{
    static const char begin[] = "postgres (PostgreSQL) ";
    char *end;
    long major;

    if (!text_starts(words, begin))
        return 0;
    major = strtol(words + sizeof begin - 1, &end, 10);
    return end > words + sizeof begin - 1 && major > 0 && major < 1000 ? (int)major : 0;
}

size_t hostpg_choose(const int *majors, size_t n, int wanted)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++) {
        if (majors[i] <= 0 || majors[i] < wanted)
            continue;
        if (best == n || (wanted > 0 ? majors[i] < majors[best] : majors[i] > majors[best]))
            best = i;
    }
    return best;
}

/* ---- looking around ------------------------------------------------------------------------------------------ */

static bool has_program(const char *dir, const char *name)
{
    char *path = os_path(dir, name);
    bool found = path != NULL && access(path, X_OK) == 0;

    free(path);
    return found;
}

static int add_if_server(struct names *places, const char *dir, struct err *err)
{
    return has_program(dir, "initdb") && has_program(dir, "postgres") ? names_add(places, dir, err) : 0;
}

static int add_known_places(struct names *places, struct err *err)
{
    static const char *const patterns[] = {
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/usr/libexec/postgresql*",
        "/usr/lib/postgresql*/bin",
        "/opt/homebrew/opt/postgresql*/bin",
        "/usr/local/opt/postgresql*/bin",
        "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
        "/usr/local/pgsql*/bin",
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof patterns / sizeof *patterns; i++) {
        glob_t found = { 0 };

        if (glob(patterns[i], GLOB_NOSORT, NULL, &found) == 0)
            for (size_t j = 0; rc == 0 && j < found.gl_pathc; j++)
                rc = add_if_server(places, found.gl_pathv[j], err);
        globfree(&found);
    }
    return rc;
}

static int add_path(struct names *places, struct err *err)
{
    const char *path = getenv("PATH");
    char *copy = strdup(path != NULL ? path : "/usr/local/bin:/usr/bin"), *rest = copy, *dir;
    int rc = 0;

    if (copy == NULL)
        return err_no_memory(err);
    while (rc == 0 && (dir = strsep(&rest, ":")) != NULL)
        if (*dir == '/') /* what is relative belongs to whoever stands where we stand */
            rc = add_if_server(places, dir, err);
    free(copy);
    return rc;
}

/* 0: it does not tell. */
static int major_of(const char *dir, struct err *err)
{
    char *path = os_path(dir, "postgres");
    const char *const argv[] = { path, "--version", NULL };
    /* In a directory that its user may not enter PostgreSQL complains, and says so before it says its version. */
    struct program p = { .argv = argv, .directory = "/", .dies_by = 9, PROGRAM_NOTHING_RUNS };
    struct buf words;
    int status = 0, major = 0;

    buf_init(&words, 1024);
    if (path == NULL)
        err_no_memory(err);
    else if (program_start(&p, err) == 0 && program_wait(&p, VERSION_SECONDS, &status, err) == 0) {
        program_tail(&p, &words);
        major = hostpg_parse_version(words.data);
    }
    program_stop(&p, 9, 0);
    buf_release(&words);
    free(path);
    log_debug("%s: PostgreSQL %d", dir, major);
    return major;
}

static int none_fits(const char *bindir, const struct names *places, const int *majors, int wanted, struct err *err)
{
    bool named = bindir != NULL && *bindir != '\0';
    struct buf found;

    buf_init(&found, 512);
    for (size_t i = 0; i < places->n; i++)
        if (majors[i] > 0)
            buf_printf(&found, "%s%d (%s)", found.size > 0 ? ", " : "", majors[i], places->items[i]);
    if (found.size > 0)
        err_set(err, ERR_CONFIG, "the backup is of PostgreSQL %d, and this host has only older servers: %s", wanted,
                found.data);
    else if (named)
        err_set(err, ERR_CONFIG, "SFB_PG_BINDIR: there is no PostgreSQL server (postgres and initdb) in %s", bindir);
    else
        err_set(err, ERR_CONFIG, "this host has no PostgreSQL server programs (postgres and initdb)");
    if (wanted > 0)
        err_hint(err,
                 "install a server of PostgreSQL %d or newer (on Debian: postgresql-%d), or set SFB_PG_BINDIR to its "
                 "directory; without --local the drill uses the staging server",
                 wanted, wanted);
    else
        err_hint(err, "install one, or set SFB_PG_BINDIR to its directory; without --local the drill uses the staging "
                      "server");
    buf_release(&found);
    return -1;
}

int hostpg_find(const char *bindir, int wanted, struct hostpg *out, struct err *err)
{
    bool named = bindir != NULL && *bindir != '\0';
    struct names places = { 0 };
    int *majors = NULL, rc = -1;
    size_t best;

    memset(out, 0, sizeof *out);
    if (named ? add_if_server(&places, bindir, err) < 0
              : add_known_places(&places, err) < 0 || add_path(&places, err) < 0)
        goto out;
    majors = calloc(places.n + 1, sizeof *majors);
    if (majors == NULL) {
        err_no_memory(err);
        goto out;
    }
    for (size_t i = 0; i < places.n; i++) {
        majors[i] = major_of(places.items[i], err);
        if (err->class != ERR_NONE)
            goto out;
    }
    best = hostpg_choose(majors, places.n, wanted);
    if (best == places.n) {
        none_fits(bindir, &places, majors, wanted, err);
        goto out;
    }
    out->major = majors[best];
    out->bindir = strdup(places.items[best]);
    rc = out->bindir != NULL ? 0 : err_no_memory(err);
out:
    names_release(&places);
    free(majors);
    return rc;
}

void hostpg_release(struct hostpg *h)
{
    free(h->bindir);
    memset(h, 0, sizeof *h);
}
