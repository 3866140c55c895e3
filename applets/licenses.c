/* SPDX-License-Identifier: PostgreSQL */
/* licenses.c - the licences of everything that is inside. */
#include <stdio.h>

#include "applets/applet.h"

/* From vendor/embed.S: one text after the other, each under its library's name. */
extern const char sfb_licenses[];
extern const size_t sfb_licenses_len;

static const char usage[] = "licenses\n"
                            "\n"
                            "Print the licence texts of sfb and of every library that is linked into it.\n";

static const struct opt options[] = { OPT_END };

static const struct exit_map exits[] = {
    { ERR_NONE, 2, "wrong usage, or the output could not be written" },
    EXITS_END,
};

static int run(const struct context *ctx, int argc, char **argv, struct err *err)
{
    (void)ctx;
    if (argc > 0)
        return err_set(err, ERR_USAGE, "licenses takes no operand, but \"%s\" was given", argv[0]);
    fwrite(sfb_licenses, 1, sfb_licenses_len, stdout); /* the frame looks whether it arrived */
    return 0;
}

APPLET(licenses, .summary = "print the licences of everything inside", .usage = usage, .options = options,
       .exits = exits, .run = run);
