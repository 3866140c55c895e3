/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/snapshot_impl.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/io/digest.h"
#include "core/pg/witness.h"
#include "version.h"

#define NAME_TRIES 30
#define WRITE_BEHIND ((uint64_t)16 << 20) /* so much at once */

/* ---- space ----------------------------------------------------------------------------------------------------- */

/* COPY text is about as large as the tables it comes from, and compresses to a half or better. A guess on the safe
 * side: a run that starts and then fills the disk costs more than one that is asked to make room first. */
uint64_t snapshot_expected(uint64_t table_bytes, enum backup_method method, int level)
{
    const uint64_t least = 1024 * 1024;

    return least + (method != METHOD_NONE && level > 0 ? table_bytes / 2 : table_bytes + table_bytes / 4);
}

int snapshot_check_space(const struct snapshot_params *p, struct err *err)
{
    const struct dump_facts *facts = dump_get_facts(p->dump);
    uint64_t expected = snapshot_expected(facts->table_bytes, p->method, p->level);
    char need[TEXT_SHORT], have[TEXT_SHORT];
    uint64_t available;

    if (os_free_space(p->directory, &available, err) < 0)
        return -1;
    if (available >= expected)
        return 0;
    err_set(err, ERR_SPACE, "%s has %s free, and the dump is expected to need %s", p->directory,
            text_size(have, available), text_size(need, expected));
    err_hint(err, "make room there, or set SFB_WORK_DIR to a larger disk");
    return -1;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

static char *join(const char *a, const char *b, struct err *err)
{
    char *joined;

    if (asprintf(&joined, "%s%s", a, b) < 0) {
        err_no_memory(err);
        return NULL;
    }
    return joined;
}

/* Level 0 means that nothing is compressed, whatever the method. */
enum backup_method snapshot_method(const struct snapshot_params *p)
{
    return p->level > 0 ? p->method : METHOD_NONE;
}

static char *final_path(const struct snapshot_params *p, time_t started, struct err *err)
{
    char *name = manifest_file_name(p->label, started, manifest_extension_of(p->format, snapshot_method(p)));
    char *prefixed = NULL, *path = NULL;

    if (name == NULL) {
        err_no_memory(err);
        return NULL;
    }
    prefixed = join(p->prefix, name, err);
    if (prefixed != NULL && (path = os_path(p->directory, prefixed)) == NULL)
        err_no_memory(err);
    free(prefixed);
    free(name);
    return path;
}

/* A dump of another ending would share the manifest. */
static bool has_manifest(const char *path)
{
    char *manifest = manifest_path_of(path);
    bool has = manifest != NULL && access(manifest, F_OK) == 0;

    free(manifest);
    return has;
}

/* Is the name taken, or does another run write it right now? Two environments may be backed up in the same second. */
static bool is_contested(const struct os_file *f)
{
    const char *mine = os_basename(f->partial); /* ".NAME.partial-PID" */
    const char *dash = strrchr(mine, '-');
    size_t stem = dash != NULL ? (size_t)(dash - mine) + 1 : strlen(mine);
    char *directory = os_dirname(f->path);
    DIR *d = directory != NULL ? opendir(directory) : NULL;
    bool contested = access(f->path, F_OK) == 0 || has_manifest(f->path);
    const struct dirent *e;

    while (!contested && d != NULL && (e = readdir(d)) != NULL)
        contested = strncmp(e->d_name, mine, stem) == 0 && strcmp(e->d_name, mine) != 0;
    if (d != NULL)
        closedir(d);
    free(directory);
    return contested;
}

/* Opens the dump's file under the first free name from p->started on. Whoever sees that another run has the same name
 * gives way, by a random step, so that two that give way at once part. */
static int claim_name(const struct snapshot_params *p, struct os_file *f, time_t *started, struct err *err)
{
    *started = p->started;
    for (int tries = 0; tries < NAME_TRIES; tries++) {
        char *path = final_path(p, *started, err);
        unsigned char step = 0;
        int rc;

        if (path == NULL)
            return -1;
        rc = os_file_create(f, path, err);
        free(path);
        if (rc < 0)
            return -1;
        if (!is_contested(f))
            return 0;
        os_file_discard(f);
        if (os_random(&step, sizeof step, err) < 0)
            return -1;
        *started += 1 + step % 3;
    }
    return err_set(err, ERR_IO, "no free name for a backup in %s", p->directory);
}

/* ---- the dump -------------------------------------------------------------------------------------------------- */

/* The dump's file while it grows, and who follows it. A follower that fails is left behind: the backup on this host is
 * worth finishing; its own finish will say what went wrong. */
struct growing {
    const struct os_file *file;
    const struct snapshot_follower *follower; /* NULL: nobody, any more */
    time_t started;
    uint64_t table_bytes, size;
    uint64_t expected; /* better too much: for the size of an upload's parts */
    uint64_t behind;   /* so much of it has been sent to the disk */
    bool begun;
    unsigned jobs;
    struct witness *witness; /* NULL: it has finished, or this is no archive */
    uint8_t read_back[16];   /* its sum */
    struct walk_result *walked;
};

/* Bytes tell that pg_dump runs: only now a follower may start its threads. */
static int begin_following(struct growing *g, struct err *err)
{
    const struct snapshot_follower *f = g->follower;

    if (f == NULL || g->begun)
        return 0;
    g->begun = true;
    return f->begin(f->cookie, g->file->fd, g->started, g->expected, err);
}

static int growing_begin(void *cookie, uint64_t contents, struct err *err)
{
    struct growing *g = cookie;

    if (begin_following(g, err) < 0)
        return -1;
    if (g->follower != NULL && g->follower->hold(g->follower->cookie, contents) < 0)
        g->follower = NULL;
    g->witness = witness_follow(g->file->fd, contents, g->file->path, g->jobs, err);
    return g->witness != NULL ? 0 : -1;
}

static int growing_write(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct growing *g = cookie;

    if (begin_following(g, err) < 0)
        return -1;
    if (os_write(g->file->fd, bytes, n, g->file->path, err) < 0)
        return -1;
    g->size += n;
    if (g->size - g->behind >= WRITE_BEHIND) {
        os_write_behind(g->file->fd, g->behind, g->size - g->behind);
        g->behind = g->size;
    }
    if (g->witness != NULL && witness_advance(g->witness, g->size, err) < 0)
        return -1;
    if (g->follower != NULL && g->follower->advance(g->follower->cookie, g->size) < 0)
        g->follower = NULL;
    return 0;
}

/* Once: all of the archive is there, and has been read back. */
static int growing_end(struct growing *g, struct err *err)
{
    int rc;

    if (g->witness == NULL)
        return 0;
    rc = witness_finish(g->witness, g->walked, err);
    if (rc == 0)
        witness_sum(g->witness, g->read_back);
    witness_free(g->witness);
    g->witness = NULL;
    return rc;
}

/* The witness has read the contents as they were first, not half of them. */
static int growing_patch(void *cookie, uint64_t offset, const void *bytes, size_t n, struct err *err)
{
    struct growing *g = cookie;

    if (growing_end(g, err) < 0)
        return -1;
    return os_pwrite(g->file->fd, bytes, n, offset, g->file->path, err);
}

void snapshot_progress(void *cookie, uint64_t bytes)
{
    (void)cookie;
    progress_add(bytes);
}

enum archive_method snapshot_archive_method(const struct snapshot_params *p)
{
    switch (snapshot_method(p)) {
    case METHOD_ZSTD:
        return ARCHIVE_ZSTD;
    case METHOD_GZIP:
        return ARCHIVE_GZIP;
    default:
        return ARCHIVE_NONE;
    }
}

/* Text that is not compressed is larger than its table, where that was (TOAST). */
static uint64_t most_expected(const struct snapshot_params *p, uint64_t table_bytes)
{
    bool compressed = snapshot_method(p) != METHOD_NONE && p->level > 0;

    return compressed ? table_bytes : 4 * table_bytes;
}

static int write_dump(const struct snapshot_params *p, struct growing *g, struct transcode_result *result,
                      struct err *err)
{
    struct transcode_params t = {
        .sink = { .begin = growing_begin, .write = growing_write, .patch = growing_patch, .cookie = g },
        .method = snapshot_archive_method(p),
        .level = snapshot_method(p) == METHOD_NONE ? 0 : p->level,
        .jobs = p->jobs,
        .progress = snapshot_progress,
    };
    int rc;

    progress_start("dumping", g->table_bytes);
    rc = (p->format == FORMAT_SQL ? dump_write_sql : dump_write_archive)(p->dump, &t, result, err);
    progress_end();
    if (rc == 0 && growing_end(g, err) < 0) {
        transcode_result_release(result);
        rc = -1;
    }
    witness_free(g->witness);
    return rc;
}

/* Best effort: without roles the dump is still a dump, and some servers let nobody read them. What could not be
 * written leaves f closed. */
static int write_globals(const struct snapshot_params *p, const char *dump_path, struct os_file *f, struct manifest *m,
                         struct err *err)
{
    struct err why = { 0 };
    struct digest_sum sum;
    char *path = manifest_globals_path_of(dump_path);
    int rc = -1;

    if (path == NULL)
        return err_no_memory(err);
    if (os_file_create(f, path, err) < 0)
        goto out;
    if (dump_globals(p->dump, f->fd, &why) < 0) {
        os_file_discard(f);
        if (why.class != ERR_DUMP && why.class != ERR_CONNECT) {
            *err = why;
            goto out;
        }
        if (!p->quiet)
            log_warn("roles and tablespaces are not in this backup: %s", why.message);
        rc = 0;
        goto out;
    }
    if (digest_file(f->fd, 0, UINT64_MAX, DIGEST_SHA256, path, &sum, err) < 0 ||
        manifest_set(&m->globals_file, os_basename(path), err) < 0)
        goto out;
    text_hex(m->globals_sha256, sum.sha256, sizeof sum.sha256);
    rc = 0;
out:
    free(path);
    return rc;
}

/* ---- the manifest ---------------------------------------------------------------------------------------------- */

static int describe_database(const struct dump_facts *facts, struct manifest_database *d, struct err *err)
{
    const struct {
        char **member;
        const char *value;
    } strings[] = {
        { &d->name, facts->database },
        { &d->owner, facts->owner },
        { &d->encoding, facts->encoding },
        { &d->collate, facts->collate },
        { &d->ctype, facts->ctype },
        { &d->locale_provider, facts->locale_provider },
        { &d->locale, facts->locale },
        { &d->lc_monetary, facts->lc_monetary },
        { &d->server_version, facts->server_version },
        { &d->system_identifier, facts->system_identifier },
        { &d->lsn, facts->lsn },
    };

    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        if (manifest_set(strings[i].member, strings[i].value, err) < 0)
            return -1;
    }
    d->server_version_num = facts->server_version_num;
    d->size = facts->database_size;
    return 0;
}

int snapshot_describe_run(const struct snapshot_params *p, struct manifest *m, struct err *err)
{
    const struct tool *tool = dump_tool(p->dump);
    const struct dump_facts *facts = dump_get_facts(p->dump);
    char tool_text[64];

    snprintf(tool_text, sizeof tool_text, "pg_dump %s", tool_version(tool));
    if (manifest_set(&m->app, p->app, err) < 0 || manifest_set(&m->environment, p->environment, err) < 0 ||
        manifest_set(&m->label, p->label != NULL ? p->label : "", err) < 0 ||
        manifest_set(&m->sfb_version, SFB_VERSION, err) < 0 || manifest_set(&m->tool_version, tool_text, err) < 0 ||
        manifest_set(&m->host, os_hostname(), err) < 0 || manifest_set(&m->user, os_user(), err) < 0 ||
        manifest_set(&m->audit_head, p->audit_head != NULL ? p->audit_head : "", err) < 0 ||
        describe_database(facts, &m->database, err) < 0)
        return -1;
    m->tier = p->label != NULL && p->label[0] != '\0' ? TIER_MANUAL : TIER_DAILY;
    m->format = p->format;
    m->method = snapshot_method(p);
    m->level = p->level;
    m->snapshot_at = facts->snapshot_at;
    m->retention_days = m->tier == TIER_MANUAL ? 0 : p->retention_days;
    m->expires = m->retention_days > 0 ? m->started + (time_t)m->retention_days * 86400 : 0;
    for (size_t i = 0; i < facts->n_extensions; i++) {
        if (manifest_add_extension(m, facts->extensions[i][0], facts->extensions[i][1], err) < 0)
            return -1;
    }
    return 0;
}

static int describe_table(const struct archive_block *b, struct manifest *m, struct err *err)
{
    struct manifest_table *t;
    struct archive_copy copy;
    int rc = -1;

    if (archive_copy_parse(b->entry, &copy, err) < 0)
        return -1;
    t = manifest_add_table(m, copy.schema, copy.table, err);
    if (t == NULL)
        goto out;
    t->tally = b->tally;
    for (size_t i = 0; i < copy.n; i++) {
        if (manifest_add_column(t, copy.columns[i], err) < 0)
            goto out;
    }
    rc = 0;
out:
    archive_copy_release(&copy);
    return rc;
}

int snapshot_describe_contents(const struct archive_blocks *blocks, const struct tally *objects, struct manifest *m,
                               struct err *err)
{
    for (size_t i = 0; i < blocks->n; i++) {
        const struct archive_block *b = &blocks->items[i];

        if (b->type == BLOCK_DATA && b->counted && describe_table(b, m, err) < 0)
            return -1;
    }
    m->large_objects = *objects;
    return 0;
}

static int write_manifest(struct snapshot *out, struct err *err)
{
    struct buf json;
    int rc = -1;

    buf_init(&json, 256 * 1024 * 1024);
    out->manifest_path = manifest_path_of(out->path);
    if (out->manifest_path == NULL)
        err_no_memory(err);
    else if (manifest_write(&out->manifest, &json, err) == 0)
        rc = os_write_file(out->manifest_path, json.data, json.size, err);
    buf_release(&json);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

/* The sums of the finished file; a custom archive's contents have their own, so that they can be fetched alone, and
 * known for what they are. What is behind them must be what the witness has read. */
static int describe_file(const struct growing *g, uint64_t contents, struct manifest *m, struct err *err)
{
    enum { MD5, SHA256, CONTENTS, DATA };
    struct digest_range ranges[] = {
        [MD5] = { .which = DIGEST_MD5, .n = UINT64_MAX },
        [SHA256] = { .which = DIGEST_SHA256, .n = UINT64_MAX },
        [CONTENTS] = { .which = DIGEST_SHA256, .n = contents },
        [DATA] = { .which = DIGEST_XXH3, .offset = contents, .n = UINT64_MAX },
    };
    const struct os_file *f = g->file;

    if (digest_ranges(f->fd, ranges, contents > 0 ? 4 : 2, f->path, err) < 0)
        return -1;
    m->size = ranges[SHA256].sum.bytes;
    text_hex(m->md5, ranges[MD5].sum.md5, sizeof ranges[MD5].sum.md5);
    text_hex(m->sha256, ranges[SHA256].sum.sha256, sizeof ranges[SHA256].sum.sha256);
    if (contents > 0) {
        m->contents_size = contents;
        text_hex(m->contents_sha256, ranges[CONTENTS].sum.sha256, sizeof ranges[CONTENTS].sum.sha256);
    }
    if (m->size == g->size && ranges[MD5].sum.bytes == g->size &&
        (contents == 0 || memcmp(ranges[DATA].sum.xxh3, g->read_back, sizeof g->read_back) == 0))
        return 0;
    err_set(err, ERR_DAMAGED, "%s: read twice, it was not the same twice", f->path);
    err_hint(err, "something else writes to it, or the disk or the memory of this host fails: look at its kernel log");
    return -1;
}

/* The dump into its partial file, and all that is known of it into out. */
static int take_dump(const struct snapshot_params *p, const struct os_file *f, struct snapshot *out, struct err *err)
{
    struct manifest *m = &out->manifest;
    struct growing growing = {
        .file = f,
        .follower = p->follower,
        .started = m->started,
        .table_bytes = dump_get_facts(p->dump)->table_bytes,
        .expected = most_expected(p, dump_get_facts(p->dump)->table_bytes),
        .jobs = p->jobs,
        .walked = &out->walked,
    };
    struct transcode_result result;
    double from = clock_monotonic();
    int rc = -1;

    if (write_dump(p, &growing, &result, err) < 0)
        return -1;
    m->dump_seconds = clock_monotonic() - from;
    if (growing.follower != NULL)
        growing.follower->end(growing.follower->cookie, growing.size);
    if (snapshot_describe_contents(&result.blocks, &result.objects, m, err) == 0 &&
        describe_file(&growing, p->format == FORMAT_CUSTOM ? result.toc.data_at : 0, m, err) == 0)
        rc = manifest_set(&m->file, os_basename(f->path), err);
    transcode_result_release(&result);
    return rc;
}

/* *path: the name that the file has now. */
static int publish(struct os_file *f, char **path, struct err *err)
{
    char *name = strdup(f->path);

    if (name == NULL)
        return err_no_memory(err);
    if (os_check_interrupt(err) < 0 || os_file_commit(f, err) < 0) {
        free(name);
        return -1;
    }
    *path = name;
    return 0;
}

/* The globals are asked for first, though they get their name after the dump: when an upload follows the dump there are
 * threads, and pg_dumpall, which connects, must not be forked from among them. */
int snapshot_take(const struct snapshot_params *p, struct snapshot *out, struct err *err)
{
    struct os_file dump = OS_FILE_CLOSED, globals = OS_FILE_CLOSED;
    int rc = -1;

    memset(out, 0, sizeof *out);
    manifest_init(&out->manifest);
    if (claim_name(p, &dump, &out->manifest.started, err) < 0 || snapshot_describe_run(p, &out->manifest, err) < 0 ||
        write_globals(p, dump.path, &globals, &out->manifest, err) < 0 || take_dump(p, &dump, out, err) < 0 ||
        publish(&dump, &out->path, err) < 0 || (globals.fd >= 0 && publish(&globals, &out->globals_path, err) < 0))
        goto out;
    out->manifest.finished = clock_now();
    rc = write_manifest(out, err);
out:
    os_file_discard(&dump);
    os_file_discard(&globals);
    if (rc < 0) {
        snapshot_remove_files(out);
        snapshot_release(out);
    }
    return rc;
}

void snapshot_remove_files(const struct snapshot *s)
{
    if (s->manifest_path != NULL)
        unlink(s->manifest_path);
    if (s->globals_path != NULL)
        unlink(s->globals_path);
    if (s->path != NULL)
        unlink(s->path);
}

void snapshot_release(struct snapshot *s)
{
    manifest_release(&s->manifest);
    free(s->path);
    free(s->globals_path);
    free(s->manifest_path);
    buf_release(&s->globals);
    walk_result_release(&s->walked);
    memset(s, 0, sizeof *s);
}
