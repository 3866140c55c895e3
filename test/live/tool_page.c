/* SPDX-License-Identifier: PostgreSQL */
/* tool_page.c - prints reports of drills and standings of backups that never were.
 *
 *     tool_page --list                the kinds
 *     tool_page KIND [json|txt]       the page; of a report also the other forms
 */
#include <string.h>
#include <unistd.h>

#include "test/unit/report_build.h"
#include "test/unit/status_build.h"

static const struct {
    const char *kind;
    struct sample *(*report)(void);
    struct standing *(*status)(void);
} kinds[] = {
    { "passed", sample_new, NULL },
    { "failed", sample_failed, NULL },
    { "unfinished", sample_unfinished, NULL },
    { "nothing", sample_nothing, NULL },
    { "hostile", sample_hostile, NULL },
    { "many", sample_many, NULL },
    { "status-fine", NULL, standing_fine },
    { "status-trouble", NULL, standing_trouble },
    { "status-nothing", NULL, standing_new },
    { "status-hostile", NULL, standing_hostile },
};

#define KINDS (sizeof kinds / sizeof kinds[0])

static int write_report(struct buf *out, struct sample *s, const char *form, struct err *err)
{
    struct report r;
    int rc = 0;

    sample_report(&r, s);
    if (strcmp(form, "json") == 0)
        rc = report_json(out, &r, err);
    else if (strcmp(form, "txt") == 0)
        report_text(out, &r);
    else
        report_html(out, &r);
    report_release(&r);
    sample_free(s);
    return rc;
}

static int write_kind(struct buf *out, size_t kind, const char *form, struct err *err)
{
    struct standing *s;

    if (kinds[kind].report != NULL)
        return write_report(out, kinds[kind].report(), form, err);
    s = kinds[kind].status();
    standing_page(out, s);
    standing_free(s);
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    struct buf out;
    size_t kind = 0;
    int rc;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < KINDS; i++)
            printf("%s\n", kinds[i].kind);
        return 0;
    }
    while (argc > 1 && kind < KINDS && strcmp(argv[1], kinds[kind].kind) != 0)
        kind++;
    if (argc < 2 || kind == KINDS) {
        fprintf(stderr, "tool_page KIND [json|txt] | --list\n");
        return 2;
    }
    buf_init(&out, REPORT_MAX);
    rc = write_kind(&out, kind, argc > 2 ? argv[2] : "html", &err);
    if (rc == 0)
        rc = buf_check(&out, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.message);
    fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    return rc < 0;
}
