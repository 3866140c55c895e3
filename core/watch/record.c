/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/record.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/backup/repository.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/watch/history.h"
#include "core/watch/outbox.h"

#define PATIENCE 10         /* seconds for a store that does not answer: the run is over, and somebody may wait */
#define PATIENCE_SIGNALED 3 /* somebody does */
#define KEY_MAX 1024

/* ---- a store that takes backups but no records --------------------------------------------------------------------- */

/* Is this the first time that it says no? Remembered by a file, until it says yes. */
static bool is_new_denial(const struct places *p)
{
    char *path = p->state != NULL ? os_path(p->state, "records-denied") : NULL;
    struct err ignored = { 0 };
    bool new = path != NULL &&access(path, F_OK) < 0 && os_write_file(path, "", 0, &ignored) == 0;

    free(path);
    return new;
}

static void forget_denial(const struct places *p)
{
    char *path = p->state != NULL ? os_path(p->state, "records-denied") : NULL;

    if (path != NULL)
        unlink(path);
    free(path);
}

/* A role that only reads (the contract's restore role) is meant to be refused. One that has just put a backup most likely
 * is not: it is said once. Nor is it trouble that a store has no credentials, for a run that did not need it. */
static void tell_trouble(const struct places *p, const struct run *r, const struct err *err)
{
    bool of_backup = r->kind == RUN_BACKUP && r->stored, denied = store_was_denied(err);
    const char *subject = run_subject(r);

    if (denied && of_backup && is_new_denial(p))
        log_warn("the store takes backups, but no records of runs: other hosts can't learn from it how they went; to "
                 "allow that, s3:PutObject is needed on %s/history/ (this is said once)",
                 subject != NULL ? subject : "");
    else if (!denied && r->stored)
        log_warn("the store has no record of this run%s: %s", p->state != NULL ? " yet, the next run sends it" : "",
                 err->message);
    else
        log_debug("the store has no record of this run: %s", err->message);
}

/* ---- the record in the store --------------------------------------------------------------------------------------- */

static bool goes_to_store(const struct settings *s, const struct run *r)
{
    return !r->local && (r->stored || settings_given(s, SETTING_BUCKET));
}

static void send_it(const struct settings *s, const struct places *p, const struct run *r, const struct buf *key,
                    const struct buf *text)
{
    unsigned seconds = r->signal != 0 ? PATIENCE_SIGNALED : PATIENCE;
    struct err err = { 0 };
    struct store *store = repository_open_briefly(s, NULL, STORE_WRITE, seconds, &err);

    if (store == NULL || repository_check(store, &err) < 0 ||
        outbox_put(store, p, key->data, text->data, text->size, &err) < 0) {
        tell_trouble(p, r, &err);
    } else {
        forget_denial(p);
        outbox_send(store, p, seconds);
    }
    store_close(store);
}

static void put_record(const struct settings *s, const struct places *p, const struct run *r, bool send)
{
    struct err err = { 0 };
    struct buf key, text;

    buf_init(&key, KEY_MAX);
    buf_init(&text, RUN_LINE_MAX);
    if (history_object(r, &key, &text, &err) < 0) {
        log_warn("the store has no record of this run: %s", err.message);
        goto out;
    }
    if (outbox_keep(p, key.data, text.data, text.size, &err) < 0)
        log_debug("the record of this run is not kept for later: %s", err.message);
    if (send)
        send_it(s, p, r, &key, &text);
out:
    buf_release(&key);
    buf_release(&text);
}

void record_run(const struct settings *s, const struct places *p, const struct run *r, bool send)
{
    struct err err = { 0 };

    if (history_append(p, r, &err) < 0)
        log_warn("this run is not in the history: %s", err.message);
    if (goes_to_store(s, r))
        put_record(s, p, r, send);
}
