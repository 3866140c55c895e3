/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/alert_heartbeat.h"

#include <string.h>

void alert_heartbeat_url(struct buf *out, const struct settings *s, enum alert_beat beat)
{
    static const struct {
        enum setting named;
        const char *suffix;
    } ways[] = {
        [ALERT_BEAT_START] = { SETTING_HEARTBEAT_START_URL, "/start" },
        [ALERT_BEAT_SUCCESS] = { SETTING_HEARTBEAT_URL, "" },
        [ALERT_BEAT_FAIL] = { SETTING_HEARTBEAT_FAIL_URL, "/fail" },
    };
    const char *url = settings_get(s, SETTING_HEARTBEAT_URL), *named = settings_get(s, ways[beat].named);
    size_t n = strlen(url);

    if (strcmp(named, "none") == 0)
        return;
    if (*named) {
        buf_puts(out, named);
        return;
    }
    if (n == 0 || strchr(url, '?'))
        return;
    while (n > 0 && url[n - 1] == '/')
        n--;
    buf_add(out, url, n);
    buf_puts(out, ways[beat].suffix);
}

/* The next "kind" or "kind:environment" of the list; false: there is none. */
static bool next_word(const char **list, const char **word, size_t *n)
{
    static const char between[] = ", \t";

    *word = *list + strspn(*list, between);
    *n = strcspn(*word, between);
    *list = *word + *n;
    return *n > 0;
}

bool alert_heartbeat_counts(const struct settings *s, enum run_kind kind, const char *environment)
{
    const char *list = settings_get(s, SETTING_HEARTBEAT_RUNS), *name = run_kind_name(kind), *word;
    size_t n;

    while (next_word(&list, &word, &n)) {
        size_t kind_n = strcspn(word, ":");
        const char *where = word + kind_n + 1;

        if (kind_n >= n) {
            if (n == strlen(name) && strncmp(word, name, n) == 0)
                return true;
        } else if (kind_n == strlen(name) && strncmp(word, name, kind_n) == 0 && environment &&
                   n - kind_n - 1 == strlen(environment) && strncmp(where, environment, strlen(environment)) == 0) {
            return true;
        }
    }
    return false;
}

int alert_heartbeat_check(const struct settings *s, struct err *err)
{
    const char *list = settings_get(s, SETTING_HEARTBEAT_RUNS), *word;
    size_t n;

    while (next_word(&list, &word, &n)) {
        size_t kind_n = strcspn(word, ":");
        bool known = false;

        kind_n = kind_n < n ? kind_n : n;
        for (int kind = RUN_NONE + 1; kind < RUN_KINDS; kind++) {
            const char *name = run_kind_name((enum run_kind)kind);
            known = known || (strlen(name) == kind_n && strncmp(word, name, kind_n) == 0);
        }
        if (!known) {
            err_set(err, ERR_CONFIG, "SFB_HEARTBEAT_RUNS: there are no runs of the kind \"%.*s\"", (int)kind_n, word);
            err_hint(err, "write backup:production, or backup:staging,drill");
            return -1;
        }
    }
    return 0;
}
