/* SPDX-License-Identifier: PostgreSQL */
/* integrity_stored.c - an archive in a store, read where it is; and one that is only there while it passes. */
#include "core/backup/integrity_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/backup/repository.h"

static int load_stored_manifest(struct check *c)
{
    struct err trouble = { 0 };
    int rc;

    if (c->p->ignore_manifest)
        return 0;
    manifest_release(&c->found->manifest);
    rc = repository_manifest(c->stored->store, c->stored->key, &c->found->manifest, &trouble);
    if (rc < 0)
        manifest_init(&c->found->manifest);
    c->found->has_manifest = c->found->counted = rc == 0;
    if (rc == 0 || trouble.class == ERR_NOT_FOUND)
        return 0;
    *c->err = trouble;
    return integrity_failed_with(c, "manifest");
}

/* ---- what was copied by other tools ------------------------------------------------------------------------------ */

/* An upload in parts has an ETag that tells how it was cut. Tools that copy a bucket cut otherwise: then it is the
 * SHA-256 that tells, of the whole or, when it was streamed, of its contents and of the data behind them. */
struct sums {
    struct digest *head, *rest;
    uint64_t left; /* bytes that head still gets */
};

static void sums_free(struct sums *s)
{
    if (s == NULL)
        return;
    digest_free(s->head);
    digest_free(s->rest);
    free(s);
}

static struct sums *sums_new(const struct manifest *m, struct err *err)
{
    struct sums *s = calloc(1, sizeof *s);

    if (s != NULL) {
        s->left = *m->sha256 ? UINT64_MAX : m->contents_size;
        s->head = digest_new(DIGEST_SHA256);
        s->rest = digest_new(DIGEST_SHA256);
    }
    if (s != NULL && s->head != NULL && s->rest != NULL)
        return s;
    sums_free(s);
    err_no_memory(err);
    return NULL;
}

void integrity_sum_up(void *cookie, const void *bytes, size_t n)
{
    struct sums *s = cookie;
    size_t head = n < s->left ? n : (size_t)s->left;

    digest_put(s->head, bytes, head);
    digest_put(s->rest, (const char *)bytes + head, n - head);
    s->left -= head;
}

static int compare(struct check *c, struct digest *d, const char *expected)
{
    struct digest_sum sum;

    digest_end(d, &sum);
    return integrity_compare_sha256(c, &sum, expected);
}

int integrity_compare_sums(struct check *c)
{
    const struct manifest *m = &c->found->manifest;
    int rc = compare(c, c->sums->head, *m->sha256 ? m->sha256 : m->contents_sha256);

    if (rc == 0 && !*m->sha256)
        rc = compare(c, c->sums->rest, m->data_sha256);
    if (rc == 0)
        integrity_passed(c, "checksum", "SHA-256 as in the manifest; the ETag is another: other tools have copied it");
    return rc;
}

/* ---- an object --------------------------------------------------------------------------------------------------- */

/* Nothing need be read for it: the server said the ETag when it had all of the upload, and the manifest holds it. When it
 * is another, all of it has to be read to know, unless the manifest is the caller's, who has sent it just now. */
static int check_etag(struct check *c, bool just_sent)
{
    const struct manifest *m = &c->found->manifest;
    const char *etag = c->stored->info.etag;

    if (!c->found->has_manifest)
        return 0;
    if (c->found->size != m->size)
        return integrity_failed(c, "size", "it has %llu bytes, its manifest says %llu: it was cut or replaced",
                                (unsigned long long)c->found->size, (unsigned long long)m->size);
    if (store_s3(c->stored->store) == NULL || m->etag[0] == '\0') {
        integrity_passed(c, "size", "as in the manifest");
        return 0;
    }
    if (strcmp(etag, m->etag) == 0) {
        integrity_passed(c, "checksum", "ETag and size as in the manifest");
        return 0;
    }
    if (!just_sent && c->p->depth == CHECK_ALL && (*m->sha256 || *m->data_sha256))
        return (c->sums = sums_new(m, c->err)) != NULL ? 0 : -1;
    return integrity_failed(
        c, "checksum", "its ETag is %.40s, its manifest says %.40s: it was replaced%s", etag, m->etag,
        just_sent ? "" : ", or copied by other tools; all of it has to be read to know: without --quick");
}

static int check_stored(struct check *c, bool just_sent)
{
    char magic[8];
    ssize_t n;

    if (c->found->size == 0)
        return integrity_failed(c, "file", "it is empty");
    if ((!just_sent && load_stored_manifest(c) < 0) || check_etag(c, just_sent) < 0)
        return -1;
    n = c->file.read_at(c->file.cookie, magic, sizeof magic, 0, c->err);
    if (n < 0)
        return -1;
    if (!archive_is(magic, (size_t)n)) {
        err_set(c->err, ERR_CONFIG, "%s is plain SQL: only custom archives are verified where they are", c->path);
        err_hint(c->err, "download it, and verify the file");
        return -1;
    }
    c->found->kind = KIND_CUSTOM;
    return integrity_archive(c);
}

/* While it is checked found's manifest is the caller's. */
static void lend(struct integrity *found, const struct manifest *m)
{
    manifest_release(&found->manifest);
    found->manifest = *m;
    found->has_manifest = found->counted = true;
}

static void give_back(struct integrity *found)
{
    manifest_init(&found->manifest);
    found->has_manifest = found->counted = false;
}

int integrity_check_stored(struct store *store, const char *key, const struct manifest *m,
                           const struct integrity_params *p, struct integrity *found, struct err *err)
{
    struct stored stored = { 0 };
    struct check c = { .path = key, .fd = -1, .p = p, .found = found, .stored = &stored, .err = err };
    bool just_sent = m != NULL;
    int rc = -1;

    memset(found, 0, sizeof *found);
    manifest_init(&found->manifest);
    if (just_sent)
        lend(found, m);
    if (stored_open(&stored, store, key, NULL, &c.file, err) == 0) {
        found->size = stored.info.size;
        rc = check_stored(&c, just_sent);
    }
    sums_free(c.sums);
    if (just_sent)
        give_back(found);
    stored_close(&stored);
    return rc;
}

/* ---- what only passed ------------------------------------------------------------------------------------------ */

int integrity_check_passed(const struct integrity_passed *passed, const struct manifest *m,
                           const struct integrity_params *p, struct integrity *found, struct err *err)
{
    struct integrity_params how = {
        .depth = CHECK_ALL, .bindir = p->bindir, .list = p->list, .walked = passed->walked
    };
    const struct walk_bytes contents = { passed->contents, passed->contents_size };
    struct check c = { .path = passed->name, .fd = -1, .p = &how, .found = found, .err = err };
    int rc;

    memset(found, 0, sizeof *found);
    manifest_init(&found->manifest);
    lend(found, m);
    found->kind = KIND_CUSTOM;
    found->size = m->size;
    c.file = walk_file_bytes(&contents);
    rc = integrity_archive(&c);
    give_back(found);
    return rc;
}
