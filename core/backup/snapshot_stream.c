/* SPDX-License-Identifier: PostgreSQL */
/* snapshot_stream.c - a snapshot that has no file on this host: seen once, and verified while it is seen. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/backup/integrity.h"
#include "core/backup/snapshot_impl.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/io/digest.h"
#include "core/pg/witness.h"

#define CONTENTS_MAX ((size_t)1024 * 1024 * 1024)
#define GLOBALS_MAX ((size_t)64 * 1024 * 1024)
#define DUMP_JOBS 8 /* more than pg_dump keeps busy; each takes memory, */
#define WALK_JOBS 4 /* of which the parts need the most */

/* What passes, and who sees it. */
struct passing {
    const struct snapshot_stream *to;
    struct witness *witness;
    struct integrity_list *list;
    struct buf contents; /* of the archive; their offsets are patched at the end */
    size_t contents_size;
    struct digest *data; /* of what is behind them */
    uint64_t size;
    unsigned jobs;
};

/* ---- while it passes --------------------------------------------------------------------------------------------- */

static int passing_begin(void *cookie, uint64_t contents, struct err *err)
{
    struct passing *p = cookie;

    p->contents_size = (size_t)contents;
    p->witness = witness_new(p->jobs < WALK_JOBS ? p->jobs : WALK_JOBS, err);
    return p->witness != NULL ? p->to->hold(p->to->cookie, contents, err) : -1;
}

static int passing_write(void *cookie, const void *bytes, size_t n, struct err *err)
{
    struct passing *p = cookie;
    size_t left = p->contents_size - p->contents.size, first = n < left ? n : left;

    buf_add(&p->contents, bytes, first);
    digest_put(p->data, (const char *)bytes + first, n - first);
    p->size += n;
    if (buf_check(&p->contents, err) < 0 || witness_write(p->witness, bytes, n, err) < 0)
        return -1;
    return p->to->write(p->to->cookie, bytes, n, err);
}

static int passing_patch(void *cookie, uint64_t offset, const void *bytes, size_t n, struct err *err)
{
    struct passing *p = cookie;

    if (offset > p->contents.size || n > p->contents.size - offset)
        return err_set(err, ERR_INTERNAL, "an offset outside of the table of contents");
    memcpy(p->contents.data + offset, bytes, n);
    return p->to->patch(p->to->cookie, offset, bytes, n, err);
}

/* ---- when it has passed ------------------------------------------------------------------------------------------ */

static int describe(struct passing *p, const struct transcode_result *result, struct manifest *m, struct err *err)
{
    struct digest *contents = digest_new(DIGEST_SHA256);
    struct digest_sum sum;

    if (contents == NULL)
        return err_no_memory(err);
    digest_put(contents, p->contents.data, p->contents.size);
    digest_end(contents, &sum);
    text_hex(m->contents_sha256, sum.sha256, sizeof sum.sha256);
    digest_end(p->data, &sum);
    text_hex(m->data_sha256, sum.sha256, sizeof sum.sha256);
    m->contents_size = p->contents.size;
    m->size = p->size;
    digest_free(contents);
    return snapshot_describe_contents(&result->blocks, &result->objects, m, err);
}

static int verify(struct passing *p, const struct manifest *m, struct err *err)
{
    struct integrity_params how = { .list = p->list };
    struct integrity found;
    struct walk_result walked;
    struct integrity_passed passed = {
        .name = m->file, .contents = p->contents.data, .contents_size = p->contents.size, .walked = &walked
    };
    int rc;

    if (witness_finish(p->witness, &walked, err) < 0)
        return -1;
    rc = integrity_check_passed(&passed, m, &how, &found, err);
    integrity_release(&found);
    walk_result_release(&walked);
    return rc;
}

static int dump(const struct snapshot_params *params, struct passing *p, struct snapshot *out, struct err *err)
{
    struct transcode_params t = {
        .sink = { .begin = passing_begin, .write = passing_write, .patch = passing_patch, .cookie = p },
        .method = snapshot_archive_method(params),
        .level = snapshot_method(params) == METHOD_NONE ? 0 : params->level,
        .jobs = p->jobs < DUMP_JOBS ? p->jobs : DUMP_JOBS,
        .progress = snapshot_progress,
    };
    uint64_t table_bytes = dump_get_facts(params->dump)->table_bytes;
    struct transcode_result result;
    double from = clock_monotonic();
    int rc;

    progress_start("dumping", table_bytes);
    rc = dump_write_archive(params->dump, &t, &result, err);
    progress_end();
    if (rc < 0)
        return -1;
    out->manifest.dump_seconds = clock_monotonic() - from;
    rc = describe(p, &result, &out->manifest, err);
    transcode_result_release(&result);
    return rc;
}

static int set_name(const struct snapshot_params *params, struct manifest *m, struct err *err)
{
    char *file = manifest_file_name(params->label, params->started,
                                    manifest_extension_of(FORMAT_CUSTOM, snapshot_method(params)));
    int rc = file != NULL ? manifest_set(&m->file, file, err) : err_no_memory(err);

    free(file);
    return rc;
}

/* Best effort, as with files: into memory. */
static int read_globals(const struct snapshot_params *params, struct snapshot *out, struct err *err)
{
    struct err why = { 0 };
    struct digest_sum sum;
    char *name = NULL;
    int fd = memfd_create("sfb-globals", MFD_CLOEXEC), rc = -1;

    if (fd < 0)
        return err_errno(err, "can't keep the globals in memory");
    if (dump_globals(params->dump, fd, &why) < 0) {
        if (why.class == ERR_DUMP || why.class == ERR_CONNECT) {
            log_warn("roles and tablespaces are not in this backup: %s", why.message);
            rc = 0;
        } else {
            *err = why;
        }
        goto out;
    }
    if (digest_file(fd, 0, UINT64_MAX, DIGEST_SHA256, "the globals", &sum, err) < 0)
        goto out;
    if (sum.bytes > GLOBALS_MAX) {
        err_set(err, ERR_DUMP, "the globals are larger than %zu MB", GLOBALS_MAX >> 20);
        goto out;
    }
    char *room = buf_reserve(&out->globals, (size_t)sum.bytes);
    if (room == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (os_pread(fd, room, (size_t)sum.bytes, 0, "the globals", err) < 0)
        goto out;
    buf_commit(&out->globals, (size_t)sum.bytes);
    text_hex(out->manifest.globals_sha256, sum.sha256, sizeof sum.sha256);
    name = manifest_globals_path_of(out->manifest.file);
    rc = name != NULL ? manifest_set(&out->manifest.globals_file, name, err) : err_no_memory(err);
out:
    close(fd);
    free(name);
    return rc;
}

int snapshot_take_streamed(const struct snapshot_params *params, const struct snapshot_stream *to, struct snapshot *out,
                           struct err *err)
{
    uint64_t expected = snapshot_expected(dump_get_facts(params->dump)->table_bytes, snapshot_method(params),
                                          params->level);
    struct passing p = { .to = to, .data = digest_new(DIGEST_SHA256), .jobs = params->jobs };
    int rc = -1;

    memset(out, 0, sizeof *out);
    manifest_init(&out->manifest);
    buf_init(&out->globals, GLOBALS_MAX + 1);
    buf_init(&p.contents, CONTENTS_MAX);
    if (p.data == NULL) {
        err_no_memory(err);
        goto out;
    }
    out->manifest.started = params->started;
    /* As with files: nothing may be forked from among an upload's threads. */
    p.list = integrity_list_start(dump_tool(params->dump), err);
    if (p.list == NULL || snapshot_describe_run(params, &out->manifest, err) < 0 ||
        set_name(params, &out->manifest, err) < 0 || read_globals(params, out, err) < 0 ||
        to->begin(to->cookie, params->started, expected, err) < 0 || dump(params, &p, out, err) < 0)
        goto out;
    out->manifest.finished = clock_now();
    if (verify(&p, &out->manifest, err) == 0 && os_check_interrupt(err) == 0)
        rc = 0;
out:
    integrity_list_free(p.list);
    witness_free(p.witness);
    digest_free(p.data);
    buf_release(&p.contents);
    if (rc < 0)
        snapshot_release(out);
    return rc;
}
