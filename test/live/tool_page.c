/* SPDX-License-Identifier: PostgreSQL */
/* tool_page.c - prints a report or a page of drills that never were: tool_page KIND html|json|txt. */
#include <unistd.h>

#include "test/unit/report_build.h"

static const struct {
    const char *kind;
    struct sample *(*make)(void);
} kinds[] = { { "passed", sample_new },      { "failed", sample_failed },   { "unfinished", sample_unfinished },
              { "nothing", sample_nothing }, { "hostile", sample_hostile }, { "many", sample_many } };

static struct sample *make(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].make();
    return NULL;
}

int main(int argc, char **argv)
{
    struct sample *s = argc == 3 ? make(argv[1]) : NULL;
    struct report r;
    struct err err = { 0 };
    struct buf out;
    int rc = 0;

    if (s == NULL) {
        fprintf(stderr, "tool_page KIND html|json|txt\n");
        return 2;
    }
    sample_report(&r, s);
    buf_init(&out, REPORT_MAX);
    if (strcmp(argv[2], "html") == 0)
        report_html(&out, &r);
    else if (strcmp(argv[2], "txt") == 0)
        report_text(&out, &r);
    else
        rc = report_json(&out, &r, &err);
    if (rc == 0)
        rc = buf_check(&out, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.message);
    fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    report_release(&r);
    sample_free(s);
    return rc < 0;
}
