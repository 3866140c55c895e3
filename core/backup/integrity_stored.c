/* SPDX-License-Identifier: PostgreSQL */
/* integrity_stored.c - an archive in a store, read where it is; and one that is only there while it passes. */
#include <string.h>

#include "core/backup/integrity_impl.h"
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

/* Nothing need be read for it: the server said the ETag when it had all of the upload, and the manifest holds it. */
static int check_etag(struct check *c)
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
    if (strcmp(etag, m->etag) != 0)
        return integrity_failed(c, "checksum",
                                "its ETag is %.40s, its manifest says %.40s: it was replaced, or copied by "
                                "other tools, and then has to be verified as a file",
                                etag, m->etag);
    integrity_passed(c, "checksum", "ETag and size as in the manifest");
    return 0;
}

static int check_stored(struct check *c)
{
    char magic[8];
    ssize_t n;

    if (c->found->size == 0)
        return integrity_failed(c, "file", "it is empty");
    if ((!c->found->has_manifest && load_stored_manifest(c) < 0) || check_etag(c) < 0)
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
    int rc = -1;

    memset(found, 0, sizeof *found);
    manifest_init(&found->manifest);
    if (m != NULL)
        lend(found, m);
    if (stored_open(&stored, store, key, NULL, &c.file, err) == 0) {
        found->size = stored.info.size;
        rc = check_stored(&c);
    }
    if (m != NULL)
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
