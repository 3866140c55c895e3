/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "version.h"

static const char *const kinds[RUN_KINDS] = { "none", "backup", "restore", "verify", "prune", "drill" };

const char *run_kind_name(enum run_kind kind)
{
    return kinds[kind];
}

void run_init(struct run *r, enum run_kind kind, time_t started)
{
    struct err ignored = { 0 }; /* without memory they stay unknown */

    memset(r, 0, sizeof *r);
    r->kind = kind;
    r->started = started;
    r->clock = clock_monotonic();
    r->pid = (int)getpid();
    run_set(&r->host, os_hostname(), &ignored);
    run_set(&r->user, os_user(), &ignored);
    run_set(&r->version, SFB_VERSION, &ignored);
}

void run_release(struct run *r)
{
    char *const texts[] = { r->environment, r->source, r->error,    r->hint, r->backup, r->location, r->report,
                            r->report_path, r->format, r->database, r->md5,  r->host,   r->user,     r->version };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (size_t i = 0; i < r->n_phases; i++)
        free(r->phases[i].name);
    memset(r, 0, sizeof *r);
}

int run_set(char **member, const char *value, struct err *err)
{
    char *copy = NULL;

    if (value != NULL && *value != '\0' && (copy = strdup(value)) == NULL)
        return err_no_memory(err);
    free(*member);
    *member = copy;
    return 0;
}

int run_phase(struct run *r, const char *name, double seconds, struct err *err)
{
    if (r->n_phases == RUN_PHASES)
        return 0;
    if (run_set(&r->phases[r->n_phases].name, name, err) < 0)
        return -1;
    r->phases[r->n_phases++].seconds = seconds;
    return 0;
}

void run_finish(struct run *r, int exit_code, const struct err *err)
{
    struct err ignored = { 0 };

    r->seconds = clock_monotonic() - r->clock;
    r->exit_code = exit_code;
    if (exit_code == 0)
        return;
    r->signal = err->class == ERR_SIGNAL ? err->signal : os_interrupted();
    r->unrecorded = r->unrecorded || (err->class == ERR_CANCELLED && r->removed == 0);
    run_set(&r->error, err->message, &ignored);
    run_set(&r->hint, err->hint, &ignored);
}

bool run_failed(const struct run *r)
{
    return r->exit_code != 0 && r->exit_code != RUN_BUSY;
}

const char *run_subject(const struct run *r)
{
    return r->source != NULL ? r->source : r->environment;
}
