/* SPDX-License-Identifier: PostgreSQL */
/* restoring_source.c - a backup file made ready: contents, plan, roles. */
#include "core/backup/restoring.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/io/digest.h"
#include "core/base/text.h"
#include "core/pg/roles.h"
#include "core/pg/walk.h"

#define MAX_GLOBALS (16 * 1024 * 1024)

/* ---- what the backup says of its database ------------------------------------------------------------------------ */

static int copy(char **where, const char *value, struct err *err)
{
    if (value == NULL || *value == '\0')
        return 0;
    *where = strdup(value);
    return *where != NULL ? 0 : err_no_memory(err);
}

/* A script does not hold its database's shape; its manifest does, and else the database that is replaced has one. */
static int like_from_manifest(const struct restoring *r, const struct source *s, struct database *like, struct err *err)
{
    const struct manifest_database *m = &s->checked->manifest.database;
    const struct database_shape *old = &r->old.shape;
    bool known = s->checked->has_manifest && *m->encoding != '\0';
    const char *provider = *m->locale_provider == 'i' ? "icu" : *m->locale_provider == 'b' ? "builtin" : "libc";

    like->connection_limit = -1;
    like->allow_connections = true;
    if (known)
        return copy(&like->owner, m->owner, err) < 0 || copy(&like->shape.encoding, m->encoding, err) < 0 ||
                       copy(&like->shape.provider, provider, err) < 0 ||
                       copy(&like->shape.collate, m->collate, err) < 0 || copy(&like->shape.ctype, m->ctype, err) < 0 ||
                       copy(&like->shape.locale, m->locale, err) < 0
                 ? -1
                 : 0;
    return copy(&like->shape.encoding, old->encoding, err) < 0 || copy(&like->shape.provider, old->provider, err) < 0 ||
                   copy(&like->shape.collate, old->collate, err) < 0 || copy(&like->shape.ctype, old->ctype, err) < 0 ||
                   copy(&like->shape.locale, old->locale, err) < 0
             ? -1
             : 0;
}

static int open_archive(struct restoring *r, struct source *s, struct err *err)
{
    struct walk_file file;

    if (walk_file_fd(&file, &s->fd, err) < 0 || walk_contents(&file, &s->toc, err) < 0)
        return -1;
    s->has_toc = true;
    if (database_from_archive(&s->toc, &s->like, err) < 0 ||
        restore_plan_make(r->admin, &s->toc, r->p->bindir, &s->plan, err) < 0)
        return -1;
    s->has_plan = true;
    return 0;
}

static int open_script(struct restoring *r, struct source *s, struct err *err)
{
    if (like_from_manifest(r, s, &s->like, err) < 0 || sqlscript_scan(s->fd, s->path, &s->script, err) < 0 ||
        tool_for_server(PQserverVersion(r->admin), r->p->bindir, &s->psql, err) < 0 ||
        restore_plan_make_script(r->admin, &s->script.roles, &s->script.extensions, &s->plan, err) < 0)
        return -1;
    s->has_plan = true;
    return 0;
}

int restoring_open_source(struct restoring *r, struct source *s, struct err *err)
{
    return s->checked->kind == KIND_CUSTOM ? open_archive(r, s, err) : open_script(r, s, err);
}

void restoring_release_source(struct source *s)
{
    if (s->has_plan)
        restore_plan_release(&s->plan);
    if (s->has_toc)
        archive_release(&s->toc);
    sqlscript_release(&s->script);
    names_release(&s->refused);
    database_release(&s->like);
    s->has_plan = s->has_toc = false;
}

/* ---- roles ------------------------------------------------------------------------------------------------------- */

/* The globals beside the backup; "" when there are none, or when they are not what the manifest says. */
static int read_globals(const struct restoring *r, const struct source *s, struct buf *out, struct err *err)
{
    const char *path = r->p->globals_path, *expected = s->checked->manifest.globals_sha256;
    struct digest_sum sum = { 0 };
    struct err why = { 0 };
    struct digest *d;
    char sha256[65];

    if (path == NULL || s != &r->source)
        return 0;
    if (os_read_file(path, out, &why) < 0) {
        log_warn("the roles beside the backup can't be read: %s", why.message);
        buf_reset(out);
        return 0;
    }
    if (!s->checked->has_manifest || *expected == '\0')
        return 0;
    d = digest_new(DIGEST_SHA256);
    if (d == NULL)
        return err_no_memory(err);
    digest_put(d, out->data, out->size);
    digest_end(d, &sum);
    digest_free(d);
    if (strcmp(text_hex(sha256, sum.sha256, sizeof sum.sha256), expected) != 0) {
        log_warn("%s is not used: it was changed since the backup", path);
        buf_reset(out);
    }
    return 0;
}

static void tell(const char *before, const struct names *which, const char *after)
{
    struct buf list;

    if (which->n == 0)
        return;
    buf_init(&list, 8192);
    names_list(&list, which);
    log_warn("%s%s%s", before, list.data, after);
    buf_release(&list);
}

/* Those of missing that are not refused yet. */
static int wanted_roles(const struct source *s, struct names *out, struct err *err)
{
    for (size_t i = 0; i < s->plan.missing.n; i++)
        if (!names_have(&s->refused, s->plan.missing.items[i]) && names_add(out, s->plan.missing.items[i], err) < 0)
            return -1;
    return 0;
}

static int refuse_script_roles(const struct source *s, struct err *err)
{
    struct buf list;

    buf_init(&list, 1024);
    names_list(&list, &s->refused);
    err_set(err, ERR_RESTORE,
            "the script gives things to roles that this server does not have: %s; nothing was touched", list.data);
    err_hint(err, "create them first (CREATE ROLE ... NOLOGIN), or restore as a user who may create roles");
    buf_release(&list);
    return -1;
}

int restoring_provide_roles(struct restoring *r, struct source *s, struct err *err)
{
    struct names wanted = { 0 }, weaker = { 0 };
    struct roles_params how = { .logins = r->p->create_logins };
    struct buf globals;
    int rc = -1;

    buf_init(&globals, MAX_GLOBALS);
    if (restore_plan_unmakeable(&s->plan, &s->refused, err) < 0 || wanted_roles(s, &wanted, err) < 0 ||
        read_globals(r, s, &globals, err) < 0)
        goto out;
    how.globals = globals.size > 0 ? globals.data : NULL;
    if (r->p->dry_run) {
        tell("roles that would be created, without password and login: ", &wanted, "");
    } else {
        if (roles_create(r->admin, &wanted, &how, &r->made, &s->refused, &weaker, err) < 0)
            goto out;
        tell("roles created because the backup needs them: ", &r->made,
             how.logins ? " (they have no password)" : " (they can't log in)");
        tell("not given to them: ", &weaker, "");
    }
    if (!s->has_toc && s->refused.n > 0) {
        refuse_script_roles(s, err);
        goto out;
    }
    if (restore_plan_settle(&s->plan, &s->refused, err) < 0)
        goto out;
    for (size_t i = 0; i < s->plan.losses.n; i++)
        log_warn("%s", s->plan.losses.items[i]);
    rc = 0;
out:
    names_release(&wanted);
    names_release(&weaker);
    buf_release(&globals);
    return rc;
}
