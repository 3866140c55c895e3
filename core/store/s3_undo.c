/* SPDX-License-Identifier: PostgreSQL */
/* s3_undo.c - what an upload that failed may have left: parts, an upload whose id never came, an object. */
#include <string.h>
#include "core/base/log.h"
#include "core/store/s3_upload.h"

/* ---- uploads ------------------------------------------------------------------------------------------------- */

static void abort_own(struct store_s3 *s, const struct s3_undo *u)
{
    struct err err = { 0 };
    bool denied = false;

    if (s3_abort_upload(s->s3, u->key, u->id, &denied, &err) == 0 || s->leaves_parts)
        return;
    s->leaves_parts = true;
    log_warn("the parts of the upload that failed are still in the bucket, invisible but paid for: %s",
             denied ? "this identity may not abort it (s3:AbortMultipartUpload)" : err.message);
    log_warn("a lifecycle rule with AbortIncompleteMultipartUpload clears them: `sfb prune --lifecycle --apply`, by "
             "somebody who may, sets one of 2 days; sfb doctor says whether there is one");
}

struct others {
    struct s3 *s3;
    const char *key, *except;
};

static int abort_other(void *cookie, const struct s3_open_upload *other, struct err *err)
{
    const struct others *o = cookie;
    struct err ignored = { 0 };

    (void)err;
    if (strcmp(other->key, o->key) == 0 && strcmp(other->id, o->except) != 0)
        s3_abort_upload(o->s3, other->key, other->id, NULL, &ignored);
    return 0;
}

void s3_abort_others(struct s3 *s, const char *key, const char *except)
{
    struct others others = { s, key, except };
    struct err ignored = { 0 };

    s3_list_uploads(s, key, true, abort_other, &others, NULL, &ignored);
}

/* ---- the object ---------------------------------------------------------------------------------------------- */

/* It may be another host's, of the same name. */
static bool is_ours(struct store_s3 *s, const struct s3_undo *u)
{
    struct store_info info;
    enum store_proof proof;
    struct err err = { 0 };

    if (s3_head(s->s3, u->key, &info, true, &err) == 0)
        return info.size == u->size && s3_etag_check(info.etag, u->etag, info.sse, &proof, &err) == 0;
    if (store_was_denied(&err))
        log_warn("s3://%s/%s may be there after all, and this identity may not look; without a manifest it is no "
                 "backup, and a lifecycle rule deletes it by its age",
                 s3_bucket(s->s3), u->key);
    return false;
}

static void remove_object(struct store_s3 *s, const struct s3_undo *u)
{
    struct err err = { 0 };

    if (!(s->store.rights & STORE_DELETE) || (!u->wrong && !is_ours(s, u)))
        return;
    if (s3_delete(s->s3, u->key, true, &err) < 0)
        log_warn("what was not finished is still there: %s", err.message);
}

void s3_undo(struct store_s3 *s, const struct s3_undo *u)
{
    if (u->id[0]) /* first: then nothing can complete it behind our back */
        abort_own(s, u);
    if (u->twice)
        s3_abort_others(s->s3, u->key, u->id);
    if (u->wrong || u->unsure)
        remove_object(s, u);
}
