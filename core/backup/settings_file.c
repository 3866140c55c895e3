/* SPDX-License-Identifier: PostgreSQL */
/* settings_file.c - the settings file: who may write it, and what its lines say. */
#include "core/backup/settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

/* ---- who may write it ---------------------------------------------------------------------------------------- */

static int check_owner(const char *path, const struct stat *st, struct err *err)
{
    if (st->st_mode & S_IWOTH) {
        err_set(err, ERR_CONFIG, "the settings file %s is refused: everybody may write to it", path);
        err_hint(err, "chmod o-w %s, and look whether it still says what you wrote", path);
        return -1;
    }
    if ((st->st_mode & S_IWGRP) && st->st_gid != getegid() && st->st_gid != 0) {
        err_set(err, ERR_CONFIG, "the settings file %s is refused: a group that is not yours may write to it", path);
        err_hint(err, "chmod g-w %s, and look whether it still says what you wrote", path);
        return -1;
    }
    if (st->st_uid != geteuid() && st->st_uid != 0) /* not refused: in a container with a mounted file it is usual */
        log_warn("the settings file %s belongs to somebody else (uid %lu), who may change it", path,
                 (unsigned long)st->st_uid);
    return 0;
}

int settings_file_read(const char *path, struct buf *out, bool *public, struct err *err)
{
    struct stat st;
    char *room;
    ssize_t n;
    int fd = -1, rc = -1;

    *public = false;
    if (strcmp(path, "/dev/null") == 0)
        return 0;
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not hold us */
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(err, ERR_CONFIG, "can't read the settings file %s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_CONFIG, "the settings file %s is no regular file", path);
        goto out;
    }
    if (check_owner(path, &st, err) < 0)
        goto out;
    *public = st.st_mode & S_IROTH;
    room = buf_reserve(out, SETTINGS_FILE_MAX + 1);
    if (!room) {
        buf_check(out, err);
        goto out;
    }
    n = os_read(fd, room, SETTINGS_FILE_MAX + 1, path, err);
    if (n < 0) {
        err_reclass(err, ERR_CONFIG);
        goto out;
    }
    if (n > SETTINGS_FILE_MAX) {
        err_set(err, ERR_CONFIG, "the settings file %s is larger than %d bytes", path, SETTINGS_FILE_MAX);
        goto out;
    }
    buf_commit(out, (size_t)n);
    rc = 0;
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- what its lines say -------------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Takes the quotes off a value, in place; NULL when the closing one is missing or something follows it. */
static char *unquote(char *value)
{
    const char quote = *value;
    char *from = value + 1, *to = value;

    while (*from && *from != quote) {
        if (quote == '"' && *from == '\\' && from[1] && strchr("\"\\$`", from[1]))
            from++;
        *to++ = *from++;
    }
    if (*from != quote || from[1])
        return NULL;
    *to = '\0';
    return value;
}

/* One line without its newline, NUL-terminated and writable. *name NULL: there is nothing in it. */
static int parse_line(char *line, unsigned number, const char *path, char **name, char **value, struct err *err)
{
    char *end = line + strlen(line);
    char *equals;

    *name = *value = NULL;
    while (is_space(*line))
        line++;
    while (end > line && is_space(end[-1]))
        *--end = '\0';
    if (!*line || *line == '#' || *line == ';')
        return 0;
    if (text_starts(line, "export ")) {
        err_set(err, ERR_CONFIG, "%s, line %u: \"export\" belongs to the shell", path, number);
        err_hint(err, "write NAME=VALUE, without export: systemd and docker read the file like that too");
        return -1;
    }
    for (equals = line; is_name_char(*equals, equals == line); equals++)
        ;
    *name = line;
    *value = equals;
    while (is_space(**value))
        (*value)++;
    if (equals == line || **value != '=') {
        err_set(err, ERR_CONFIG, "%s, line %u is no NAME=VALUE", path, number);
        err_hint(err, "a comment begins with #; a name has letters, digits and _ only");
        return -1;
    }
    *equals = '\0';
    (*value)++;
    while (is_space(**value))
        (*value)++;
    if (**value == '"' || **value == '\'') {
        char quote = **value;
        *value = unquote(*value);
        if (!*value) {
            err_set(err, ERR_CONFIG, "%s, line %u: the quoted value of %s does not end with its %c", path, number,
                    *name, quote);
            err_hint(err, "inside double quotes write \\\" for a quote; a value can't go on in the next line");
            return -1;
        }
    }
    return 0;
}

int settings_file_parse(const char *text, size_t n, const char *path, settings_file_take *take, void *cookie,
                        struct err *err)
{
    char *copy = NULL, *line, *next, *name, *value;
    unsigned number = 0;
    int rc = 0;

    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* some editors put a mark at the start of UTF-8 */
        text += 3;
        n -= 3;
    }
    if (memchr(text, '\0', n))
        return err_set(err, ERR_CONFIG, "the settings file %s holds a NUL byte: it is no text", path);
    copy = strndup(text, n);
    if (!copy)
        return err_no_memory(err);
    next = copy;
    while ((line = strsep(&next, "\n")) != NULL) {
        struct err one = { 0 };

        number++;
        if (parse_line(line, number, path, &name, &value, &one) == 0 &&
            (!name || take(cookie, number, name, value, &one) == 0))
            continue;
        if (rc == 0)
            *err = one;
        rc = -1;
    }
    text_wipe(copy, n); /* it may hold passwords */
    free(copy);
    return rc;
}
