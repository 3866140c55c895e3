/* SPDX-License-Identifier: PostgreSQL */
/* probe.h - does a URL answer as it should? Asked again until it does, or the time is over: a service may still start.
 *
 * https is always verified (http.h); plain http is allowed, for what is asked here is no secret. Redirects are not
 * followed: their answer is told.
 */
#pragma once
#include <stddef.h>
#include "core/base/err.h"

struct probe {
    const char *url, *text; /* text: has to be in the answer; NULL: any will do */
    int status;             /* 0: any 2xx */
    unsigned seconds;       /* for all tries together; at least one is made */
};

/* The URL without what may be secret in it: user, password, query. Returns out. */
const char *probe_show(char *out, size_t size, const char *url);

/* ERR_CONFIG: no URL of http or https. Asks nobody. */
int probe_check(const struct probe *p, struct err *err);

/* 0: it answered so; *tries and *status tell. ERR_PROOF: the last answer, or why there was none. ERR_SIGNAL. */
int probe_run(const struct probe *p, unsigned *tries, int *status, struct err *err);
