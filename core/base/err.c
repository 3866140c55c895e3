/* SPDX-License-Identifier: PostgreSQL */
/* err.c - one failure, as the person on call will read it. */
#include "core/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* vsnprintf that cuts between characters, never inside one: a message must stay valid UTF-8. */
static void format_cut(char *out, size_t size, const char *format, va_list args)
{
    int needed = vsnprintf(out, size, format, args);
    size_t end;

    if (needed < 0)
        out[0] = '\0';
    if (needed < 0 || (size_t)needed < size)
        return;
    end = size - 1;
    for (int i = 0; i < 3 && ((unsigned char)out[end - 1] & 0xC0) == 0x80; i++) /* a character's later bytes */
        end--;
    if ((unsigned char)out[end - 1] >= 0xC0) /* and its first; that it may have been whole is no loss */
        end--;
    out[end] = '\0';
}

int err_vset(struct err *err, enum err_class class, const char *format, va_list args)
{
    if (err && err->class == ERR_NONE) {
        err->class = class;
        err->hint[0] = err->code[0] = '\0';
        format_cut(err->message, sizeof err->message, format, args);
    }
    return -1;
}

int err_set(struct err *err, enum err_class class, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err_vset(err, class, format, args);
    va_end(args);
    return -1;
}

int err_errno(struct err *err, const char *format, ...)
{
    int number = errno;
    enum err_class class = number == ENOSPC || number == EDQUOT ? ERR_SPACE : ERR_IO;
    char what[sizeof err->message];
    va_list args;

    va_start(args, format);
    format_cut(what, sizeof what, format, args);
    va_end(args);
    err_set(err, class, "%s: %s", what, strerror(number));
    errno = number;
    return -1;
}

void err_hint(struct err *err, const char *format, ...)
{
    va_list args;

    if (!err)
        return;
    va_start(args, format);
    format_cut(err->hint, sizeof err->hint, format, args);
    va_end(args);
}

void err_code(struct err *err, const char *code)
{
    if (err && err->class != ERR_NONE)
        snprintf(err->code, sizeof err->code, "%s", code);
}

void err_context(struct err *err, const char *format, ...)
{
    char context[sizeof err->message];
    struct err old;
    va_list args;

    if (!err || err->class == ERR_NONE)
        return;
    va_start(args, format);
    format_cut(context, sizeof context, format, args);
    va_end(args);

    old = *err;
    err->class = ERR_NONE; /* so that err_set writes */
    err_set(err, old.class, "%s: %s", context, old.message);
    memcpy(err->hint, old.hint, sizeof err->hint);
    memcpy(err->code, old.code, sizeof err->code);
}

void err_reclass(struct err *err, enum err_class class)
{
    if (err && err->class != ERR_NONE)
        err->class = class;
}

void err_clear(struct err *err)
{
    if (err)
        memset(err, 0, sizeof *err);
}

int err_no_memory(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "out of memory");
}
