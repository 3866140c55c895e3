/* SPDX-License-Identifier: PostgreSQL */
/* probe.c - does a URL answer as it should? */
#include "core/io/probe.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/io/http.h"

#define BODY_MAX (4 * 1024 * 1024)
#define PAUSE_MS 500

const char *probe_show(char *out, size_t size, const char *url)
{
    const char *authority = strstr(url, "://"), *path, *at = NULL;
    int scheme;

    authority = authority != NULL ? authority + 3 : url;
    path = authority + strcspn(authority, "/?#");
    scheme = (int)(authority - url);
    for (const char *c = authority; c < path; c++)
        if (*c == '@')
            at = c + 1;
    snprintf(out, size, "%.*s%.*s%s", scheme, url, (int)strcspn(at != NULL ? at : authority, "?#"),
             at != NULL ? at : authority, strpbrk(path, "?#") != NULL ? "?..." : "");
    return out;
}

int probe_check(const struct probe *p, struct err *err)
{
    size_t scheme = strncasecmp(p->url, "https://", 8) == 0 ? 8 : strncasecmp(p->url, "http://", 7) == 0 ? 7 : 0;
    char shown[300];

    if (scheme > 0 && p->url[scheme] != '\0' && p->url[scheme] != '/')
        return 0;
    err_set(err, ERR_CONFIG, "no URL of http or https: %s", probe_show(shown, sizeof shown, p->url));
    err_hint(err, "like this: https://staging.example.com/health");
    return -1;
}

/* NULL: as it should be. Else why not, in `why`. */
static const char *judge(const struct probe *p, const struct http_response *a, char *why, size_t size)
{
    const char *where = http_header(a, "Location");
    char shown[300];

    if (p->status != 0 ? a->status != p->status : a->status < 200 || a->status > 299) {
        snprintf(why, size, "it answered %d%s%s", a->status, where != NULL ? ", go to " : "",
                 where != NULL ? probe_show(shown, sizeof shown, where) : "");
        return why;
    }
    if (p->text != NULL && memmem(a->body.data, a->body.size, p->text, strlen(p->text)) == NULL) {
        snprintf(why, size, "its answer (status %d, %zu bytes) does not hold the text \"%s\"", a->status, a->body.size,
                 p->text);
        return why;
    }
    return NULL;
}

static int pause_between(double deadline, struct err *err)
{
    double left = (deadline - clock_monotonic()) * 1000;

    poll(NULL, 0, left > PAUSE_MS ? PAUSE_MS : left > 0 ? (int)left : 0);
    return os_check_interrupt(err);
}

int probe_run(const struct probe *p, unsigned *tries, int *status, struct err *err)
{
    const struct http_params params = { .allow_http = true };
    struct http *http = http_new(&params, err);
    struct http_response answer = { 0 };
    double deadline = clock_monotonic() + p->seconds;
    char why[1024] = "", shown[300];
    const char *reason = why;

    *tries = 0;
    *status = 0;
    if (http == NULL)
        return -1;
    while (reason != NULL && err->class == ERR_NONE && (*tries == 0 || clock_monotonic() < deadline)) {
        double left = deadline - clock_monotonic();
        const struct http_request q = { .method = "GET",
                                        .url = p->url,
                                        .fresh = true,
                                        .max_body = BODY_MAX,
                                        .total_seconds = left > 1 ? (unsigned)left : 1 };
        struct err refused = { 0 };

        if (*tries > 0 && pause_between(deadline, err) < 0)
            break;
        (*tries)++;
        if (http_send(http, &q, &answer, &refused) == 0) {
            *status = answer.status;
            reason = judge(p, &answer, why, sizeof why);
        } else if (refused.class == ERR_SIGNAL || refused.class == ERR_INTERNAL || refused.class == ERR_CONFIG) {
            *err = refused;
        } else {
            snprintf(why, sizeof why, "%s", refused.message);
        }
    }
    http_response_release(&answer);
    http_free(http);
    if (reason != NULL && err->class == ERR_NONE)
        err_set(err, ERR_PROOF, "%s: %s (%u tries)", probe_show(shown, sizeof shown, p->url), reason, *tries);
    return reason == NULL ? 0 : -1;
}
