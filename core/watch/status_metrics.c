/* SPDX-License-Identifier: PostgreSQL */
/* status_metrics.c - the metrics of all environments that anything is known of, in one file. */
#include <string.h>

#include "core/base/os.h"
#include "core/watch/status_gather.h"

#define ENVIRONMENTS 2

/* Anything but runs that are of no one environment. */
static bool is_known(const struct status_facts *f)
{
    for (size_t i = 0; i < f->history.n; i++)
        if (f->history.runs[i].environment != NULL)
            return true;
    return f->n_backups > 0;
}

struct gathered {
    struct status_facts facts[ENVIRONMENTS];
    struct status status[ENVIRONMENTS];
    const struct status *all[ENVIRONMENTS];
    size_t n;
};

static int gather(const struct status_params *p, struct gathered *g, struct err *err)
{
    static const char *const environments[ENVIRONMENTS] = { "production", "staging" };

    for (size_t i = 0; i < ENVIRONMENTS; i++) {
        struct status_params one = *p;
        struct status_facts *facts = &g->facts[g->n];

        if (p->environment != NULL && strcmp(p->environment, environments[i]) != 0)
            continue;
        one.environment = environments[i];
        if (status_gather(&one, facts, err) < 0)
            return -1;
        if (p->environment == NULL && i > 0 && !is_known(facts)) {
            status_release_facts(facts);
            continue;
        }
        status_judge(facts, p->now, &g->status[g->n]);
        g->all[g->n] = &g->status[g->n];
        g->n++;
    }
    return 0;
}

/* Critical is worse than unknown, and that than a warning. */
static enum status_level worst_of(const struct gathered *g)
{
    static const int rank[] = { [STATUS_OK] = 0, [STATUS_WARNING] = 1, [STATUS_UNKNOWN] = 2, [STATUS_CRITICAL] = 3 };
    enum status_level worst = STATUS_OK;

    for (size_t i = 0; i < g->n; i++)
        if (rank[g->all[i]->level] > rank[worst])
            worst = g->all[i]->level;
    return worst;
}

int status_metrics(const struct status_params *p, const char *path, struct buf *out, enum status_level *worst,
                   struct err *err)
{
    struct gathered g = { .n = 0 };
    struct buf text;
    int rc = -1;

    buf_init(&text, STATUS_METRICS_MAX);
    if (gather(p, &g, err) < 0)
        goto out;
    status_prometheus(path != NULL ? &text : out, g.all, g.n);
    if (worst != NULL)
        *worst = worst_of(&g);
    rc = path != NULL ? buf_check(&text, err) : buf_check(out, err);
    if (rc == 0 && path != NULL)
        rc = os_publish_file(path, text.data, text.size, 0644, err);
out:
    for (size_t i = 0; i < g.n; i++)
        status_release_facts(&g.facts[i]);
    buf_release(&text);
    return rc;
}
