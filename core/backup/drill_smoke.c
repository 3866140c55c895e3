/* SPDX-License-Identifier: PostgreSQL */
/* drill_smoke.c - smoke tests of a restored database: statements, a command of the host, a URL. */
#include "core/backup/drilling.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/program.h"
#include "core/base/text.h"
#include "core/io/probe.h"
#include "core/pg/smoke.h"
#include "core/pg/target_env.h"

#define SHELL "/bin/sh"
#define TAIL_BYTES 2000 /* of what a command that failed said */
#define GRACE_SECONDS 5.0

static struct probe probe_of(const struct drill_params *p)
{
    return (struct probe){
        .url = p->smoke_url, .text = p->smoke_text, .status = p->smoke_status, .seconds = p->smoke_seconds
    };
}

bool drill_smoke_wanted(const struct drill_params *p)
{
    return p->smoke_sql != NULL || p->smoke_cmd != NULL || p->smoke_url != NULL;
}

int drill_smoke_check(const struct drill_params *p, struct err *err)
{
    struct probe probe = probe_of(p);

    if (p->smoke_sql != NULL && smoke_check_file(p->smoke_sql, err) < 0)
        return -1;
    if (p->smoke_cmd != NULL && access(SHELL, X_OK) < 0) {
        err_set(err, ERR_CONFIG, "a smoke command needs " SHELL ", and there is none here");
        err_hint(err, "--smoke-sql and --smoke-url need nothing of the host");
        return -1;
    }
    return p->smoke_url != NULL ? probe_check(&probe, err) : 0;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

struct listener {
    struct drill *d;
    struct err *err; /* that there is no memory */
};

static void note_test(void *cookie, const struct smoke_test *test)
{
    struct listener *l = cookie;
    char name[200];

    snprintf(name, sizeof name, "smoke test: %s", test->statement);
    if (!test->passed)
        log_warn("%s: %s", name, test->detail);
    drill_check_add(l->d->r, name, test->passed ? DRILL_PASSED : DRILL_FAILED, test->detail, l->err);
}

static int run_sql(struct drill *d, struct err *err)
{
    struct err memory = { 0 }, why = { 0 };
    struct listener listener = { .d = d, .err = &memory };
    struct smoke_params p = { .target = d->target,
                              .path = d->p->smoke_sql,
                              .seconds = d->p->smoke_seconds,
                              .tell = note_test,
                              .cookie = &listener };

    if (smoke_run(&p, &why) < 0) {
        if (why.class == ERR_SIGNAL || why.class == ERR_INTERNAL) {
            *err = why;
            return -1;
        }
        log_warn("the other smoke tests were not run: %s", why.message);
        drill_check_add(d->r, "smoke tests: all statements were run", DRILL_FAILED, why.message, &memory);
    }
    if (memory.class == ERR_NONE)
        return 0;
    *err = memory;
    return -1;
}

/* ---- a command --------------------------------------------------------------------------------------------------- */

/* text without the secret, should that be in it. */
static void put_without(struct buf *out, const char *text, const char *secret)
{
    size_t n = strlen(secret);
    const char *next;

    for (; n > 0 && (next = strstr(text, secret)) != NULL; text = next + n) {
        buf_add(out, text, (size_t)(next - text));
        buf_puts(out, "***");
    }
    buf_puts(out, text);
}

/* The last of what it said goes to the terminal or the log, where the command's own output would have gone; not into the
 * report and the alerts, for who knows what it says. The password, plain or as in a URL, stays out of that, too. */
static void show_tail(const struct program *program, const struct target *t)
{
    const char *password = target_get(t, "password");
    struct buf tail, plain, shown, escaped;

    buf_init(&tail, TAIL_BYTES);
    buf_init(&plain, 4 * TAIL_BYTES);
    buf_init(&shown, 16 * TAIL_BYTES);
    buf_init(&escaped, 4096);
    target_escape(&escaped, password != NULL ? password : "");
    program_tail(program, &tail);
    while (tail.size > 0 && strchr(" \r\n", tail.data[tail.size - 1]) != NULL)
        buf_cut(&tail, tail.size - 1);
    put_without(&plain, tail.data, password != NULL ? password : "");
    put_without(&shown, plain.data, escaped.data);
    log_warn("the smoke command said: %s", shown.size > 0 ? shown.data : "nothing");
    text_wipe(escaped.data, escaped.size);
    text_wipe(plain.data, plain.size);
    text_wipe(tail.data, tail.size);
    buf_release(&escaped);
    buf_release(&shown);
    buf_release(&plain);
    buf_release(&tail);
}

/* rc and status: as program_wait had them */
static int note_command(struct drill *d, const struct program *program, int rc, int status, struct err *err)
{
    struct buf detail;
    bool passed = rc == 0 && status == 0;
    int result;

    buf_init(&detail, 200);
    if (rc > 0)
        buf_printf(&detail, "not done after %u seconds", d->p->smoke_seconds);
    else
        program_describe(&detail, status);
    if (!passed)
        show_tail(program, d->target);
    /* not its text, which may hold a key */
    result = drill_check_add(d->r, "the smoke command succeeds", passed ? DRILL_PASSED : DRILL_FAILED, detail.data,
                             err);
    buf_release(&detail);
    return result;
}

static int run_command(struct drill *d, struct err *err)
{
    const char *const argv[] = { SHELL, "-c", d->p->smoke_cmd, NULL };
    char **environment = target_environment(d->target, err);
    struct program program = {
        .argv = argv, .environment = (const char *const *)environment, .dies_by = SIGKILL, PROGRAM_NOTHING_RUNS
    };
    int status = 0, waited, rc = -1;

    if (environment == NULL || program_start(&program, err) < 0)
        goto out;
    waited = program_wait(&program, d->p->smoke_seconds, &status, err);
    if (waited >= 0)
        rc = note_command(d, &program, waited, status, err);
out:
    program_stop(&program, SIGTERM, GRACE_SECONDS);
    target_environment_free(environment);
    return rc;
}

/* ---- a URL ------------------------------------------------------------------------------------------------------- */

static int run_url(struct drill *d, struct err *err)
{
    struct probe probe = probe_of(d->p);
    struct err why = { 0 };
    char name[400], detail[100], shown[300];
    unsigned tries;
    int status, rc;

    snprintf(name, sizeof name, "smoke test: %s answers", probe_show(shown, sizeof shown, d->p->smoke_url));
    rc = probe_run(&probe, &tries, &status, &why);
    if (rc < 0 && (why.class == ERR_SIGNAL || why.class == ERR_INTERNAL)) {
        *err = why;
        return -1;
    }
    if (rc < 0)
        log_warn("%s", why.message);
    snprintf(detail, sizeof detail, "status %d%s%s", status, d->p->smoke_text != NULL ? ", with the text" : "",
             tries > 1 ? ", after some tries" : "");
    return drill_check_add(d->r, name, rc == 0 ? DRILL_PASSED : DRILL_FAILED, rc == 0 ? detail : why.message, err);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

int drill_smoke_run(struct drill *d, struct err *err)
{
    log_step("Running smoke tests...");
    if (d->p->smoke_sql != NULL && run_sql(d, err) < 0)
        return -1;
    if (d->p->smoke_cmd != NULL && run_command(d, err) < 0)
        return -1;
    return d->p->smoke_url != NULL ? run_url(d, err) : 0;
}
