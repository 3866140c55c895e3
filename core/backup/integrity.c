/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/integrity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/backup/repository.h"
#include "core/backup/snapshot.h"
#include "core/backup/sqlfile.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/io/digest.h"
#include "core/pg/tool.h"
#include "core/pg/walk.h"

#define PIECE (256 * 1024)
#define CLOCK_SLACK 3600 /* seconds that the archive's time may be outside of the run that the manifest tells of */

struct check { /* one integrity_check */
    const char *path;
    int fd;
    const struct integrity_params *p;
    struct integrity *found;
    struct walk_file file;
    struct err *err;
};

/* ---- reporting ------------------------------------------------------------------------------------------------- */

static void add_line(struct check *c, bool good, const char *name, const char *format, va_list args)
{
    struct integrity *found = c->found;
    struct check_line *line;

    if (found->n_lines == sizeof found->lines / sizeof found->lines[0])
        return;
    line = &found->lines[found->n_lines++];
    line->good = good;
    snprintf(line->name, sizeof line->name, "%s", name);
    vsnprintf(line->detail, sizeof line->detail, format, args);
}

static void __attribute__((format(printf, 3, 4))) passed(struct check *c, const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_line(c, true, name, format, args);
    va_end(args);
}

/* The line's text is the error's, unless something deeper has set err already. Always -1. */
static int __attribute__((format(printf, 3, 4))) failed(struct check *c, const char *name, const char *format, ...)
{
    char detail[sizeof c->found->lines[0].detail];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    if (c->err->class == ERR_NONE)
        err_set(c->err, ERR_DAMAGED, "%s: %s", c->path, detail);
    va_start(args, format);
    add_line(c, false, name, format, args);
    va_end(args);
    return -1;
}

/* A check that could not even be made for another reason than the file: no line of its own. */
static int failed_with(struct check *c, const char *name)
{
    if (c->err->class != ERR_DAMAGED)
        return -1;
    return failed(c, name, "%s", c->err->message);
}

/* ---- custom format --------------------------------------------------------------------------------------------- */

/* "15.18 (Debian 15.18-0+deb12u1)" -> 15; "9.6.24" -> 9 */
static int major_of(const char *version)
{
    return version != NULL ? (int)strtol(version, NULL, 10) : 0;
}

static time_t archive_time(const struct archive *a)
{
    struct tm tm = { .tm_sec = a->second,
                     .tm_min = a->minute,
                     .tm_hour = a->hour,
                     .tm_mday = a->day,
                     .tm_mon = a->month,
                     .tm_year = a->year };

    return timegm(&tm); /* ours are UTC, as everything is; others are some local time */
}

/* The first `size` bytes as a file in memory: what pg_restore --list reads, wherever the backup is. -1 and err. */
static int copy_beginning(struct check *c, uint64_t size)
{
    int fd = memfd_create("sfb-contents", MFD_CLOEXEC);
    char *piece = malloc(PIECE);
    uint64_t at = 0;
    int rc = -1;

    if (fd < 0 || piece == NULL) {
        err_errno(c->err, "can't keep the table of contents in memory");
        goto out;
    }
    while (at < size) {
        size_t want = size - at < PIECE ? (size_t)(size - at) : PIECE;
        ssize_t n = c->file.read_at(c->file.cookie, piece, want, at, c->err);

        if (n < 0 || os_write(fd, piece, (size_t)n, "the table of contents", c->err) < 0)
            goto out;
        if (n == 0)
            break;
        at += (uint64_t)n;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        err_errno(c->err, "can't read the table of contents");
    else
        rc = 0;
out:
    free(piece);
    if (rc == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int check_list(struct check *c, const struct archive *toc)
{
    static const char *const args[] = { "--list", NULL };
    struct tool_run run = { TOOL_RUN_NONE };
    struct tool tool;
    struct err ignored = { 0 };
    int rc;

    if (tool_for_archive(c->found->archive_minor, c->found->dump_major, c->p->bindir, &tool, &ignored) < 0) {
        passed(c, "pg_restore --list", "skipped: %s", ignored.message);
        return 0;
    }
    run.tool = &tool;
    run.program = TOOL_PG_RESTORE;
    run.args = args;
    run.stdin_fd = copy_beginning(c, toc->data_at);
    if (run.stdin_fd < 0)
        return -1;
    rc = tool_start(&run, c->err) == 0 && tool_wait(&run, ERR_DAMAGED, c->err) == 0 ? 0 : -1;
    tool_stop(&run);
    close(run.stdin_fd);
    if (rc < 0)
        return failed_with(c, "pg_restore --list");
    passed(c, "pg_restore --list", "pg_restore %s reads it", tool_version(&tool));
    return 0;
}

static int check_archive_metadata(struct check *c, const struct archive *toc)
{
    const struct manifest *m = &c->found->manifest;
    const char *database = toc->database != NULL ? toc->database : "";
    const char *version = toc->server_version != NULL ? toc->server_version : "";
    time_t when = archive_time(toc);

    if (strcmp(database, m->database.name) != 0)
        return failed(c, "metadata", "it holds database %s, its manifest says %s", database, m->database.name);
    if (strcmp(version, m->database.server_version) != 0)
        return failed(c, "metadata", "it is of a server %s, its manifest says %s", version, m->database.server_version);
    if (when < m->started - CLOCK_SLACK || when > m->finished + CLOCK_SLACK)
        return failed(c, "metadata", "it was dumped at another time than its manifest says");
    passed(c, "metadata", "database %s, server %s", database, version);
    return 0;
}

/* Without a manifest the archive speaks for itself. */
static int learn_from_archive(struct check *c, const struct archive *toc)
{
    struct manifest *m = &c->found->manifest;

    m->format = FORMAT_CUSTOM;
    m->started = m->snapshot_at = m->finished = archive_time(toc);
    m->size = c->found->size;
    if (manifest_set(&m->database.name, toc->database != NULL ? toc->database : "", c->err) < 0 ||
        manifest_set(&m->database.server_version, toc->server_version != NULL ? toc->server_version : "", c->err) < 0 ||
        manifest_set(&m->file, os_basename(c->path), c->err) < 0)
        return -1;
    m->database.server_version_num = major_of(toc->server_version) * 10000;
    passed(c, "metadata", "database %s, server %s; there is no manifest to compare with", m->database.name,
           m->database.server_version);
    return 0;
}

static bool same_tables(const struct manifest *expected, const struct manifest *counted, char *why, size_t n)
{
    for (size_t i = 0; i < expected->n_tables; i++) {
        const struct manifest_table *e = &expected->tables[i];
        const struct manifest_table *f = i < counted->n_tables ? &counted->tables[i] : NULL;

        if (f == NULL || strcmp(e->schema, f->schema) != 0 || strcmp(e->name, f->name) != 0)
            f = manifest_find_table(counted, e->schema, e->name);
        if (f == NULL) {
            snprintf(why, n, "table %s.%s is not in it", e->schema, e->name);
            return false;
        }
        if (e->tally.rows != f->tally.rows) {
            snprintf(why, n, "table %s.%s has %llu rows, its manifest says %llu", e->schema, e->name,
                     (unsigned long long)f->tally.rows, (unsigned long long)e->tally.rows);
            return false;
        }
        if (!tally_same(&e->tally, &f->tally)) {
            snprintf(why, n, "the rows of table %s.%s are not those of its manifest", e->schema, e->name);
            return false;
        }
    }
    if (counted->n_tables != expected->n_tables) {
        snprintf(why, n, "it has %zu tables, its manifest says %zu", counted->n_tables, expected->n_tables);
        return false;
    }
    if (!tally_same(&expected->large_objects, &counted->large_objects)) {
        snprintf(why, n, "its large objects are not those of its manifest");
        return false;
    }
    return true;
}

static int check_counted(struct check *c, const struct walk_result *walked)
{
    struct manifest counted;
    char rows[TEXT_SHORT], why[300] = "";
    int rc = -1;

    manifest_init(&counted);
    if (snapshot_describe_contents(&walked->blocks, &walked->objects, &counted, c->err) < 0)
        goto out;
    text_count(rows, manifest_rows(&counted));
    if (!c->found->has_manifest) {
        struct manifest *m = &c->found->manifest;

        passed(c, "rows", "%zu table%s, %s rows", counted.n_tables, counted.n_tables == 1 ? "" : "s", rows);
        m->tables = counted.tables;
        m->n_tables = counted.n_tables;
        m->large_objects = counted.large_objects;
        counted.tables = NULL;
        counted.n_tables = 0;
        c->found->counted = true;
    } else if (!same_tables(&c->found->manifest, &counted, why, sizeof why)) {
        failed(c, "rows", "%s", why);
        goto out;
    } else {
        passed(c, "rows", "%zu table%s, %s rows, every fingerprint as in the manifest", counted.n_tables,
               counted.n_tables == 1 ? "" : "s", rows);
    }
    rc = 0;
out:
    manifest_release(&counted);
    return rc;
}

static void walk_progress(void *cookie, uint64_t bytes)
{
    (void)cookie;
    progress_add(bytes);
}

static int check_blocks(struct check *c)
{
    struct walk_params p = { .file = c->file, .jobs = c->p->jobs, .progress = walk_progress };
    struct walk_result walked;
    int rc;

    progress_start("verifying", c->found->size);
    rc = walk(&p, &walked, c->err);
    progress_end();
    if (rc < 0)
        return failed_with(c, "data");
    passed(c, "data", "every block is whole");
    rc = check_counted(c, &walked);
    walk_result_release(&walked);
    return rc;
}

static int check_archive(struct check *c)
{
    struct archive toc;
    int rc = -1;

    if (walk_contents(&c->file, &toc, c->err) < 0)
        return failed_with(c, "table of contents");
    passed(c, "table of contents", "%zu entries", toc.n);
    c->found->archive_minor = toc.version % 256;
    c->found->dump_major = major_of(toc.dump_version);
    if (check_list(c, &toc) < 0)
        goto out;
    if ((c->found->has_manifest ? check_archive_metadata(c, &toc) : learn_from_archive(c, &toc)) < 0)
        goto out;
    rc = c->p->depth == CHECK_ALL ? check_blocks(c) : 0;
out:
    archive_release(&toc);
    return rc;
}

/* ---- plain SQL ------------------------------------------------------------------------------------------------- */

static int check_sql(struct check *c)
{
    struct manifest *m = &c->found->manifest;
    struct sqlfile_facts facts;

    progress_start("verifying", c->found->size);
    int rc = sqlfile_check(c->fd, c->path, &facts, c->err);
    progress_end();
    if (rc < 0)
        return failed_with(c, "script");
    passed(c, "script", "a whole dump by pg_dump %s", facts.dump_version);
    c->found->dump_major = major_of(facts.dump_version);
    if (c->found->has_manifest) {
        if (strcmp(facts.server_version, m->database.server_version) != 0)
            return failed(c, "metadata", "it is of a server %s, its manifest says %s", facts.server_version,
                          m->database.server_version);
        passed(c, "metadata", "database %s, server %s", m->database.name, facts.server_version);
        return 0;
    }
    m->format = FORMAT_SQL;
    m->size = c->found->size;
    m->database.server_version_num = major_of(facts.server_version) * 10000;
    passed(c, "metadata", "server %s; there is no manifest to compare with", facts.server_version);
    if (!manifest_parse_name(c->path, &m->started, &(enum backup_format){ FORMAT_SQL }))
        m->started = 0;
    return manifest_set(&m->database.server_version, facts.server_version, c->err) < 0 ||
                   manifest_set(&m->file, os_basename(c->path), c->err) < 0
             ? -1
             : 0;
}

/* ---- what both have -------------------------------------------------------------------------------------------- */

/* Only pg_dump -Fd makes a directory with this in it. */
static int refuse_directory(struct check *c)
{
    char *contents = NULL;

    err_set(c->err, ERR_NOT_FOUND, "%s is a directory, not a backup file", c->path);
    if (asprintf(&contents, "%s/toc.dat", c->path) < 0)
        return -1;
    if (access(contents, F_OK) == 0) {
        err_set(c->err, ERR_NOT_FOUND, "%s is a dump in pg_dump's directory format, which sfb does not read", c->path);
        err_hint(c->err, "`sfb pg_restore -d DATABASE %s` restores it, without a proof", c->path);
    }
    free(contents);
    return -1;
}

/* Its first member is the table of contents. */
static int refuse_tar(struct check *c)
{
    failed(c, "file", "it is a dump in pg_dump's tar format, which sfb does not read");
    err_hint(c->err, "`sfb pg_restore -d DATABASE %s` restores it, without a proof", c->path);
    return -1;
}

static int open_backup(struct check *c)
{
    struct stat st;

    c->fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to hang on a fifo */
    if (c->fd < 0) {
        err_set(c->err, ERR_NOT_FOUND, "can't open backup %s: %s", c->path, strerror(errno));
        if (errno == ENOENT)
            err_hint(c->err, "`sfb list` shows the backups in the local cache");
        return -1;
    }
    if (fstat(c->fd, &st) < 0)
        return err_errno(c->err, "can't look at %s", c->path);
    if (S_ISDIR(st.st_mode))
        return refuse_directory(c);
    if (!S_ISREG(st.st_mode))
        return err_set(c->err, ERR_NOT_FOUND, "%s is not a regular file", c->path);
    c->found->size = (uint64_t)st.st_size;
    if (st.st_size == 0)
        return failed(c, "file", "it is empty");
    return walk_file_fd(&c->file, &c->fd, c->err);
}

static int load_manifest(struct check *c)
{
    char *path = c->p->ignore_manifest ? NULL : manifest_path_of(c->path);
    int rc = 0;

    if (path != NULL && access(path, F_OK) == 0) {
        manifest_release(&c->found->manifest);
        rc = manifest_load(path, &c->found->manifest, c->err);
        c->found->has_manifest = c->found->counted = rc == 0;
        if (rc < 0) {
            manifest_init(&c->found->manifest);
            failed_with(c, "manifest");
        }
    }
    free(path);
    return rc;
}

static int check_sum(struct check *c)
{
    const struct manifest *m = &c->found->manifest;
    struct digest_sum sum;
    char sha256[65];

    if (!c->found->has_manifest)
        return 0;
    if (c->found->size != m->size)
        return failed(c, "size", "it has %llu bytes, its manifest says %llu: it was cut or changed",
                      (unsigned long long)c->found->size, (unsigned long long)m->size);
    if (digest_file(c->fd, 0, UINT64_MAX, DIGEST_SHA256, c->path, &sum, c->err) < 0)
        return -1;
    text_hex(sha256, sum.sha256, sizeof sum.sha256);
    if (strcmp(sha256, m->sha256) != 0)
        return failed(c, "checksum", "its SHA-256 is %.16s…, its manifest says %.16s…: it was changed", sha256,
                      m->sha256);
    passed(c, "checksum", "SHA-256 and size as in the manifest");
    return 0;
}

int integrity_check(const char *path, const struct integrity_params *p, struct integrity *found, int *fd,
                    struct err *err)
{
    struct check c = { .path = path, .fd = -1, .p = p, .found = found, .err = err };
    char magic[8];
    ssize_t n;
    int rc = -1;

    memset(found, 0, sizeof *found);
    manifest_init(&found->manifest);
    if (open_backup(&c) < 0 || load_manifest(&c) < 0 || check_sum(&c) < 0)
        goto out;
    n = os_pread(c.fd, magic, sizeof magic, 0, path, err);
    if (n < 0)
        goto out;
    if (n == sizeof magic && memcmp(magic, "toc.dat", sizeof magic) == 0) {
        refuse_tar(&c);
        goto out;
    }
    found->kind = archive_is(magic, (size_t)n) ? KIND_CUSTOM : KIND_SQL;
    if ((found->kind == KIND_CUSTOM ? check_archive(&c) : check_sql(&c)) < 0)
        goto out;
    rc = 0;
out:
    if (rc == 0 && fd != NULL) {
        *fd = c.fd;
        c.fd = -1;
    }
    if (c.fd >= 0)
        close(c.fd);
    return rc;
}

/* ---- in a store ------------------------------------------------------------------------------------------------ */

struct stored {
    struct store *store;
    const char *key;
    struct store_info info;
};

static ssize_t stored_read_at(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    const struct stored *s = cookie;

    return store_read_at(s->store, s->key, s->info.etag, bytes, n, offset, err);
}

static int load_stored_manifest(struct check *c, const struct stored *s)
{
    struct err trouble = { 0 };
    int rc;

    if (c->p->ignore_manifest)
        return 0;
    manifest_release(&c->found->manifest);
    rc = repository_manifest(s->store, s->key, &c->found->manifest, &trouble);
    if (rc < 0)
        manifest_init(&c->found->manifest);
    c->found->has_manifest = c->found->counted = rc == 0;
    if (rc == 0 || trouble.class == ERR_NOT_FOUND)
        return 0;
    *c->err = trouble;
    return failed_with(c, "manifest");
}

/* Nothing need be read for it: the server said the ETag when it had all of the upload, and the manifest holds it. */
static int check_etag(struct check *c, const struct stored *s)
{
    const struct manifest *m = &c->found->manifest;

    if (!c->found->has_manifest)
        return 0;
    if (c->found->size != m->size)
        return failed(c, "size", "it has %llu bytes, its manifest says %llu: it was cut or replaced",
                      (unsigned long long)c->found->size, (unsigned long long)m->size);
    if (store_s3(s->store) == NULL || m->etag[0] == '\0') {
        passed(c, "size", "as in the manifest");
        return 0;
    }
    if (strcmp(s->info.etag, m->etag) != 0)
        return failed(c, "checksum", "its ETag is %.40s, its manifest says %.40s: it was replaced", s->info.etag,
                      m->etag);
    passed(c, "checksum", "ETag and size as in the manifest");
    return 0;
}

int integrity_check_stored(struct store *store, const char *key, const struct integrity_params *p,
                           struct integrity *found, struct err *err)
{
    struct stored stored = { .store = store, .key = key };
    struct check c = { .path = key, .fd = -1, .p = p, .found = found, .err = err };
    char magic[8];
    ssize_t n;

    memset(found, 0, sizeof *found);
    manifest_init(&found->manifest);
    if (store_head(store, key, &stored.info, err) < 0)
        return -1;
    found->size = stored.info.size;
    c.file = (struct walk_file){ .read_at = stored_read_at, .cookie = &stored, .size = found->size };
    if (found->size == 0)
        return failed(&c, "file", "it is empty");
    if (load_stored_manifest(&c, &stored) < 0 || check_etag(&c, &stored) < 0)
        return -1;
    n = stored_read_at(&stored, magic, sizeof magic, 0, err);
    if (n < 0)
        return -1;
    if (!archive_is(magic, (size_t)n)) {
        err_set(err, ERR_CONFIG, "%s is plain SQL: only custom archives are verified where they are", key);
        err_hint(err, "download it, and verify the file");
        return -1;
    }
    found->kind = KIND_CUSTOM;
    return check_archive(&c);
}

enum check_depth integrity_depth(const char *path)
{
    char *manifest = manifest_path_of(path);
    bool described = manifest != NULL && access(manifest, F_OK) == 0;

    free(manifest);
    return described ? CHECK_QUICK : CHECK_ALL;
}

void integrity_release(struct integrity *found)
{
    manifest_release(&found->manifest);
    found->n_lines = 0;
}
