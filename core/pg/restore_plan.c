/* SPDX-License-Identifier: PostgreSQL */
/* restore_plan.c - what a restore of an archive on this server needs, and what it will have to do without. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/pg/restore.h"
#include "core/pg/roles.h"
#include "core/pg/sqltext.h"

#define MAX_ARRAY (4 * 1024 * 1024)
#define MAX_SENTENCE 4096

static bool is_desc(const struct archive_entry *e, const char *desc)
{
    return e->desc != NULL && strcmp(e->desc, desc) == 0;
}

static int major_of(const char *version)
{
    return version != NULL ? (int)strtol(version, NULL, 10) : 0;
}

static int __attribute__((format(printf, 4, 5)))
add_loss(struct restore_plan *plan, const struct names *which, struct err *err, const char *format, ...)
{
    struct buf sentence, list;
    va_list args;
    int rc;

    buf_init(&sentence, MAX_SENTENCE);
    buf_init(&list, MAX_SENTENCE);
    va_start(args, format);
    buf_vprintf(&sentence, format, args);
    va_end(args);
    if (which != NULL) {
        names_list(&list, which);
        buf_puts(&sentence, list.data);
    }
    rc = names_add(&plan->losses, sentence.data, err);
    buf_release(&sentence);
    buf_release(&list);
    return rc;
}

static void skip(struct restore_plan *plan, size_t i)
{
    if (!plan->skip[i])
        plan->skipped++;
    plan->skip[i] = true;
}

/* ---- what the server has ----------------------------------------------------------------------------------------- */

/* creates: a database is to be made. */
static int read_user(PGconn *c, struct restore_plan *plan, bool creates, struct err *err)
{
    PGresult *r = conn_query(c, ERR_RESTORE, err,
                             "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb,"
                             " pg_catalog.current_setting('max_locks_per_transaction')::int8 *"
                             " (pg_catalog.current_setting('max_connections')::int8 +"
                             " pg_catalog.current_setting('max_prepared_transactions')::int8) FROM pg_catalog.pg_roles"
                             " WHERE rolname = current_user",
                             0, NULL);
    int rc = -1;

    if (r == NULL)
        return -1;
    plan->server_version = PQserverVersion(c);
    plan->locks = strtoull(PQgetvalue(r, 0, 4), NULL, 10);
    plan->user = strdup(PQgetvalue(r, 0, 0));
    plan->superuser = *PQgetvalue(r, 0, 1) == 't';
    plan->may_create_roles = plan->superuser || *PQgetvalue(r, 0, 2) == 't';
    if (plan->user == NULL) {
        err_no_memory(err);
    } else if (creates && !plan->superuser && *PQgetvalue(r, 0, 3) != 't') {
        err_set(err, ERR_RESTORE, "user %s may not create databases; nothing was touched", plan->user);
        err_hint(err, "a superuser can allow it: ALTER ROLE \"%s\" CREATEDB", plan->user);
    } else {
        rc = 0;
    }
    PQclear(r);
    return rc;
}

/* The names of `wanted` for which the query, given them as $1 text[], returns a row. */
static int ask_names(PGconn *c, const char *sql, const struct names *wanted, struct names *out, struct err *err)
{
    struct buf array;
    PGresult *r = NULL;
    int rc = -1;

    if (wanted->n == 0)
        return 0;
    buf_init(&array, MAX_ARRAY);
    roles_array(&array, wanted);
    if (buf_check(&array, err) == 0)
        r = conn_query(c, ERR_RESTORE, err, sql, 1, (const char *[]){ array.data });
    rc = r != NULL ? 0 : -1;
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        rc = names_add(out, PQgetvalue(r, i, 0), err);
    PQclear(r);
    buf_release(&array);
    return rc;
}

static int check_extensions(PGconn *c, const struct names *wanted, struct err *err)
{
    struct names lacking = { 0 };
    struct buf list;
    int rc = -1;

    buf_init(&list, MAX_SENTENCE);
    if (ask_names(c,
                  "SELECT n FROM unnest($1::text[]) AS u (n)"
                  " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = n)",
                  wanted, &lacking, err) < 0)
        goto out;
    rc = 0;
    if (lacking.n > 0) {
        const char *it = lacking.n == 1 ? "it" : "them";

        names_list(&list, &lacking);
        rc = err_set(err, ERR_RESTORE, "this server has no extension %s, and the backup needs %s; nothing was touched",
                     list.data, it);
        err_hint(err,
                 "install %s on the server's machine (Debian: apt install postgresql-%d-NAME, or postgresql-contrib), "
                 "then restore again",
                 it, conn_server_major(c));
    }
out:
    names_release(&lacking);
    buf_release(&list);
    return rc;
}

static int extensions_of(const struct restore_plan *plan, struct names *out, struct err *err)
{
    const struct archive *a = plan->archive;

    for (size_t i = 0; i < a->n; i++)
        if (!plan->skip[i] && is_desc(&a->entries[i], "EXTENSION") && a->entries[i].tag != NULL &&
            names_add(out, a->entries[i].tag, err) < 0)
            return -1;
    return 0;
}

static int check_tablespaces(PGconn *c, struct restore_plan *plan, struct err *err)
{
    const struct archive *a = plan->archive;
    struct names wanted = { 0 };
    int rc = -1;

    for (size_t i = 0; i < a->n; i++)
        if (!plan->skip[i] && a->entries[i].tablespace != NULL && *a->entries[i].tablespace != '\0' &&
            names_add(&wanted, a->entries[i].tablespace, err) < 0)
            goto out;
    rc = ask_names(c,
                   "SELECT n FROM unnest($1::text[]) AS u (n) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_tablespace"
                   " WHERE spcname = n AND pg_catalog.has_tablespace_privilege(oid, 'CREATE'))",
                   &wanted, &plan->lost_tablespaces, err);
    plan->no_tablespaces = plan->lost_tablespaces.n > 0;
    if (rc == 0 && plan->no_tablespaces)
        rc = add_loss(plan, &plan->lost_tablespaces, err,
                      "everything goes into the default tablespace, for there is no ");
out:
    names_release(&wanted);
    return rc;
}

/* Owners that exist, but that an ordinary user may not give things to. */
static int check_membership(PGconn *c, struct restore_plan *plan, struct err *err)
{
    bool options = PQserverVersion(c) >= 160000; /* membership without the option SET does not suffice */

    if (plan->superuser)
        return 0;
    return ask_names(c,
                     options ? "SELECT n FROM unnest($1::text[]) AS u (n) JOIN pg_catalog.pg_roles ON rolname = n"
                               " WHERE NOT pg_catalog.pg_has_role(oid, 'SET') AND n <> 'pg_database_owner'"
                             : "SELECT n FROM unnest($1::text[]) AS u (n) JOIN pg_catalog.pg_roles ON rolname = n"
                               " WHERE NOT pg_catalog.pg_has_role(oid, 'MEMBER') AND n <> 'pg_database_owner'",
                     &plan->owners, &plan->foreign, err);
}

static void warn_versions(PGconn *c, const struct restore_plan *plan)
{
    int from = major_of(plan->archive->server_version), into = conn_server_major(c);

    if (from > into)
        log_warn("the backup is of PostgreSQL %d and this server is %d: what only the newer one knows will fail", from,
                 into);
}

/* ---- what this user may not make --------------------------------------------------------------------------------- */

static bool of_all_tables(const struct archive_entry *e)
{
    struct sql_reader r = sql_reader(e->defn != NULL ? e->defn : "", e->defn != NULL ? strlen(e->defn) : 0);
    struct sql_token t;

    while (sql_next(&r, &t) != SQL_END)
        if (sql_is_word(&t, "FOR") && sql_take(&r, "ALL TABLES"))
            return true;
    return false;
}

/* PostgreSQL lets superusers alone make these; they stand in the dump of every database that has them. */
static bool superusers_only(const struct archive_entry *e)
{
    return is_desc(e, "EVENT TRIGGER") || is_desc(e, "PUBLICATION TABLES IN SCHEMA") ||
           (is_desc(e, "PUBLICATION") && of_all_tables(e));
}

/* Comments on what belongs to another: extensions comment on themselves when they are made, and so does public. */
static bool comments_on_foreign(const struct archive_entry *e)
{
    return is_desc(e, "COMMENT") && e->tag != NULL &&
           (text_starts(e->tag, "EXTENSION ") || strcmp(e->tag, "SCHEMA public") == 0);
}

static int skip_forbidden(struct restore_plan *plan, struct err *err)
{
    const struct archive *a = plan->archive;
    struct names kinds = { 0 }, subscriptions = { 0 };
    int rc = -1;

    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];
        const char *tag = e->tag != NULL ? e->tag : "";

        if (plan->skip[i])
            continue;
        if (is_desc(e, "SUBSCRIPTION")) { /* dropping one later would drop the original's slot at its publisher */
            skip(plan, i);
            if (names_add(&subscriptions, tag, err) < 0)
                goto out;
        } else if (!plan->superuser && superusers_only(e)) {
            char line[200];

            skip(plan, i);
            snprintf(line, sizeof line, "%s %s", e->desc, tag);
            if (names_add(&kinds, line, err) < 0)
                goto out;
        } else if (!plan->superuser && comments_on_foreign(e)) {
            skip(plan, i);
        }
    }
    if (subscriptions.n > 0 && add_loss(plan, &subscriptions, err,
                                        "subscriptions are not made again, else two databases "
                                        "would claim one place at the publisher: ") < 0)
        goto out;
    if (kinds.n > 0 && add_loss(plan, &kinds, err, "only a superuser can make ") < 0)
        goto out;
    rc = 0;
out:
    names_release(&kinds);
    names_release(&subscriptions);
    return rc;
}

/* ---- without some roles ------------------------------------------------------------------------------------------ */

int restore_plan_unmakeable(const struct restore_plan *plan, struct names *out, struct err *err)
{
    for (size_t i = 0; i < plan->missing.n; i++)
        if ((!plan->may_create_roles || text_starts(plan->missing.items[i], "pg_")) &&
            names_add(out, plan->missing.items[i], err) < 0)
            return -1;
    return 0;
}

static bool any_of(const struct names *some, const struct names *of)
{
    for (size_t i = 0; i < some->n; i++)
        if (names_have(of, some->items[i]))
            return true;
    return false;
}

/* Those of one set that are in the other, too. */
static int both(const struct names *a, const struct names *b, struct names *out, struct err *err)
{
    for (size_t i = 0; i < a->n; i++)
        if (names_have(b, a->items[i]) && names_add(out, a->items[i], err) < 0)
            return -1;
    return 0;
}

static int lose_owners(struct restore_plan *plan, struct err *err)
{
    struct names lost = { 0 };
    int rc = -1;

    if (both(&plan->owners, &plan->refused, &lost, err) < 0)
        goto out;
    if (lost.n > 0 &&
        add_loss(plan, &lost, err, "%s will own what belonged to roles that do not exist here: ", plan->user) < 0)
        goto out;
    if (plan->foreign.n > 0 &&
        add_loss(plan, &plan->foreign, err, "%s will own what belonged to roles it is no member of: ", plan->user) < 0)
        goto out;
    plan->no_owner = lost.n > 0 || plan->foreign.n > 0;
    rc = 0;
out:
    names_release(&lost);
    return rc;
}

/* One entry that grants something: left to pg_restore, or taken apart (privileges), or lost (policies, mappings). */
static int settle_entry(struct restore_plan *plan, size_t i, struct names *lost, struct names *policies,
                        struct err *err)
{
    const struct archive_entry *e = &plan->archive->entries[i];
    bool privileges = is_desc(e, "ACL") || is_desc(e, "DEFAULT ACL");
    struct names roles = { 0 };
    bool affected;
    int rc = -1;

    if (plan->skip[i] || e->defn == NULL || (e->tag != NULL && text_starts(e->tag, "DATABASE ")))
        return 0;
    if (roles_of_entry(e, &roles, err) < 0)
        goto out;
    affected = any_of(&roles, &plan->refused);
    if (affected || (privileges && plan->no_owner)) { /* privileges come after owners */
        skip(plan, i);
        plan->mine[i] = privileges;
        plan->n_mine += privileges;
    }
    if (affected && both(&roles, &plan->refused, lost, err) < 0)
        goto out;
    if (affected && !privileges && names_add(policies, e->tag != NULL ? e->tag : "", err) < 0)
        goto out;
    rc = 0;
out:
    names_release(&roles);
    return rc;
}

int restore_plan_settle(struct restore_plan *plan, const struct names *refused, struct err *err)
{
    size_t n = plan->archive != NULL ? plan->archive->n : 0; /* a script is not taken apart */
    struct names policies = { 0 }, lost = { 0 };
    int rc = -1;

    if (names_add_all(&plan->refused, refused, err) < 0 || lose_owners(plan, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (settle_entry(plan, i, &lost, &policies, err) < 0)
            goto out;
    if (lost.n > 0 && add_loss(plan, &lost, err, "nothing is granted to roles that do not exist here: ") < 0)
        goto out;
    if (policies.n > 0 && add_loss(plan, &policies, err, "policies and user mappings of such roles are missing: ") < 0)
        goto out;
    rc = 0;
out:
    names_release(&policies);
    names_release(&lost);
    return rc;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* without NULL: all of it, into a database that is to be made. */
static int make(PGconn *c, const struct archive *a, const bool *without, const char *bindir, struct restore_plan *plan,
                struct err *err)
{
    struct names needed = { 0 }, extensions = { 0 };
    int rc = -1;

    memset(plan, 0, sizeof *plan);
    plan->archive = a;
    plan->skip = calloc(a->n + 1, sizeof *plan->skip);
    plan->mine = calloc(a->n + 1, sizeof *plan->mine);
    if (plan->skip == NULL || plan->mine == NULL) {
        err_no_memory(err);
        goto out;
    }
    for (size_t i = 0; without != NULL && i < a->n; i++)
        if (without[i])
            skip(plan, i);
    if (tool_for_archive(a->version % 256, major_of(a->dump_version), bindir, &plan->tool, err) < 0 ||
        read_user(c, plan, without == NULL, err) < 0 || skip_forbidden(plan, err) < 0 ||
        roles_of_archive(a, plan->skip, &plan->owners, &plan->others, err) < 0 ||
        names_add_all(&needed, &plan->owners, err) < 0 || names_add_all(&needed, &plan->others, err) < 0 ||
        roles_missing(c, &needed, &plan->missing, err) < 0 || extensions_of(plan, &extensions, err) < 0 ||
        check_extensions(c, &extensions, err) < 0 || check_tablespaces(c, plan, err) < 0 ||
        check_membership(c, plan, err) < 0)
        goto out;
    warn_versions(c, plan);
    rc = 0;
out:
    names_release(&needed);
    names_release(&extensions);
    if (rc < 0)
        restore_plan_release(plan);
    return rc;
}

int restore_plan_make(PGconn *c, const struct archive *a, const char *bindir, struct restore_plan *plan,
                      struct err *err)
{
    return make(c, a, NULL, bindir, plan, err);
}

int restore_plan_make_part(PGconn *c, const struct archive *a, const bool *without, const char *bindir,
                           struct restore_plan *plan, struct err *err)
{
    return make(c, a, without, bindir, plan, err);
}

int restore_plan_make_script(PGconn *c, const struct names *roles, const struct names *extensions,
                             struct restore_plan *plan, struct err *err)
{
    memset(plan, 0, sizeof *plan);
    if (read_user(c, plan, true, err) == 0 && roles_missing(c, roles, &plan->missing, err) == 0 &&
        check_extensions(c, extensions, err) == 0)
        return 0;
    restore_plan_release(plan);
    return -1;
}

/* "schema"."table", as to_regclass takes it */
static int add_table(const struct archive_entry *e, struct names *out, struct err *err)
{
    struct archive_copy copy;
    struct buf name;
    int rc = -1;

    if (archive_copy_parse(e, &copy, err) < 0)
        return -1;
    buf_init(&name, MAX_SENTENCE);
    conn_quote_name(&name, copy.schema);
    buf_putc(&name, '.');
    conn_quote_name(&name, copy.table);
    if (buf_check(&name, err) == 0)
        rc = names_add(out, name.data, err);
    buf_release(&name);
    archive_copy_release(&copy);
    return rc;
}

int restore_check_tables(const struct restore_plan *plan, const struct target *filled, struct err *err)
{
    const struct archive *a = plan->archive;
    struct names tables = { 0 }, lacking = { 0 };
    struct buf list;
    PGconn *c = conn_open(filled, NULL, err);
    int rc = -1;

    buf_init(&list, MAX_SENTENCE);
    if (c == NULL)
        goto out;
    for (size_t i = 0; i < a->n; i++)
        if (!plan->skip[i] && archive_is_copy(&a->entries[i]) && add_table(&a->entries[i], &tables, err) < 0)
            goto out;
    rc = ask_names(c, "SELECT n FROM unnest($1::text[]) AS u (n) WHERE pg_catalog.to_regclass(n) IS NULL", &tables,
                   &lacking, err);
    if (rc == 0 && lacking.n > 0) {
        names_list(&list, &lacking);
        rc = err_set(err, ERR_RESTORE,
                     "the backup holds rows, but not the tables they belong to: %s; nothing was touched", list.data);
        err_hint(
            err,
            "is it a dump with --data-only, or one that needs something of an extension? `sfb pg_restore` can put it "
            "into a database that has the tables");
    }
out:
    conn_close(c);
    names_release(&tables);
    names_release(&lacking);
    buf_release(&list);
    return rc;
}

void restore_plan_release(struct restore_plan *plan)
{
    struct names *sets[] = { &plan->owners,           &plan->others,  &plan->missing, &plan->foreign,
                             &plan->lost_tablespaces, &plan->refused, &plan->losses };

    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        names_release(sets[i]);
    free(plan->user);
    free(plan->skip);
    free(plan->mine);
    memset(plan, 0, sizeof *plan);
}
