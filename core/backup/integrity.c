/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/integrity_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup/sqlfile.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/io/digest.h"

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

void integrity_passed(struct check *c, const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_line(c, true, name, format, args);
    va_end(args);
}

int integrity_failed(struct check *c, const char *name, const char *format, ...)
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

int integrity_failed_with(struct check *c, const char *name)
{
    if (c->err->class != ERR_DAMAGED)
        return -1;
    return integrity_failed(c, name, "%s", c->err->message);
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
        return integrity_failed_with(c, "script");
    integrity_passed(c, "script", "a whole dump by pg_dump %s", facts.dump_version);
    c->found->dump_major = integrity_major_of(facts.dump_version);
    if (c->found->has_manifest) {
        if (strcmp(facts.server_version, m->database.server_version) != 0)
            return integrity_failed(c, "metadata", "it is of a server %s, its manifest says %s", facts.server_version,
                                    m->database.server_version);
        integrity_passed(c, "metadata", "database %s, server %s", m->database.name, facts.server_version);
        return 0;
    }
    m->format = FORMAT_SQL;
    m->size = c->found->size;
    m->database.server_version_num = integrity_major_of(facts.server_version) * 10000;
    integrity_passed(c, "metadata", "server %s; there is no manifest to compare with", facts.server_version);
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
    integrity_failed(c, "file", "it is a dump in pg_dump's tar format, which sfb does not read");
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
        return integrity_failed(c, "file", "it is empty");
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
            integrity_failed_with(c, "manifest");
        }
    }
    free(path);
    return rc;
}

int integrity_compare_sha256(struct check *c, const struct digest_sum *sum, const char *expected)
{
    char sha256[65];

    text_hex(sha256, sum->sha256, sizeof sum->sha256);
    if (strcmp(sha256, expected) == 0)
        return 0;
    return integrity_failed(
        c, "checksum", "its SHA-256 is %.16s…, its manifest says %.16s…: it was changed or replaced", sha256, expected);
}

/* n bytes from offset on have that SHA-256. */
static int check_sha256(struct check *c, uint64_t offset, uint64_t n, const char *expected)
{
    struct digest_sum sum;

    if (digest_file(c->fd, offset, n, DIGEST_SHA256, c->path, &sum, c->err) < 0)
        return -1;
    return integrity_compare_sha256(c, &sum, expected);
}

static int check_sum(struct check *c)
{
    const struct manifest *m = &c->found->manifest;
    int rc;

    if (!c->found->has_manifest)
        return 0;
    if (c->found->size != m->size)
        return integrity_failed(c, "size", "it has %llu bytes, its manifest says %llu: it was cut or changed",
                                (unsigned long long)c->found->size, (unsigned long long)m->size);
    if (c->p->walked != NULL)
        return 0;
    if (*m->sha256)
        rc = check_sha256(c, 0, UINT64_MAX, m->sha256);
    else if ((rc = check_sha256(c, 0, m->contents_size, m->contents_sha256)) == 0)
        rc = check_sha256(c, m->contents_size, UINT64_MAX, m->data_sha256);
    if (rc == 0)
        integrity_passed(c, "checksum", "SHA-256 and size as in the manifest");
    return rc;
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
    if ((found->kind == KIND_CUSTOM ? integrity_archive(&c) : check_sql(&c)) < 0)
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
