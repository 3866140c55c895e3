/* SPDX-License-Identifier: PostgreSQL */
/* audit_chain.c - entries that hold the hash of the one before: reading one, and appending the next. */
#include "core/backup/audit_chain.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/io/digest.h"

#define LOG_MODE 0640
#define LOCK_SECONDS 10
#define LINE_MAX_BYTES ((size_t)512 * 1024)
#define TAIL_BYTES (2 * LINE_MAX_BYTES)   /* the last entry, and what a crash may have left behind it, are in here */
#define SEQ_MAX UINT64_C(999999999999999) /* beyond it JSON's numbers are not printed as they are */
#define HEAD_BYTES 104                    /* always the same, so that a head is replaced in one place */

#define HASH_KEY ",\"hash\":"
#define HASH_PART (sizeof HASH_KEY - 1 + AUDIT_HASH + 3) /* ,"hash":"..."} */

/* ---- heads and hashes ------------------------------------------------------------------------------------------- */

void audit_hash(char out[AUDIT_HASH + 1], const void *bytes, size_t n)
{
    struct digest *d = digest_new(DIGEST_SHA256);
    struct digest_sum sum = { 0 };

    out[0] = '\0'; /* equal to no hash */
    if (d != NULL) {
        digest_put(d, bytes, n);
        digest_end(d, &sum);
        text_hex(out, sum.sha256, sizeof sum.sha256);
    }
    digest_free(d);
}

const char *audit_head_text(char out[AUDIT_HEAD_TEXT], const struct audit_head *h)
{
    out[0] = '\0';
    if (h->seq > 0)
        snprintf(out, AUDIT_HEAD_TEXT, "%s:%" PRIu64 ":%s", h->chain, h->seq, h->hash);
    return out;
}

/* Exactly n lower-case hexadecimal digits, then `end`. */
static bool copy_hex(char *out, const char *text, size_t n, char end)
{
    if (strspn(text, "0123456789abcdef") != n || text[n] != end)
        return false;
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

bool audit_head_parse(const char *text, struct audit_head *h)
{
    struct audit_head parsed = { .seq = 0 };
    char copy[HEAD_BYTES + 1] = "", *digits, *hash;
    size_t n = strlen(text);

    while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
        n--;
    if (n > HEAD_BYTES)
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    digits = strchr(copy, ':');
    hash = digits != NULL ? strchr(digits + 1, ':') : NULL;
    if (hash == NULL || !copy_hex(parsed.chain, copy, AUDIT_CHAIN_ID, ':') ||
        !copy_hex(parsed.hash, hash + 1, AUDIT_HASH, '\0'))
        return false;
    *hash = '\0';
    if (!text_parse_u64(digits + 1, &parsed.seq) || parsed.seq == 0 || parsed.seq > SEQ_MAX)
        return false;
    *h = parsed;
    return true;
}

char *audit_head_path(const char *path)
{
    char *head = NULL;

    if (!text_ends(path, ".jsonl") || asprintf(&head, "%.*s.head", (int)(strlen(path) - strlen(".jsonl")), path) < 0)
        return NULL;
    return head;
}

/* A head that was torn while it was written counts as none: the log's last entry then stands for it. */
static int read_head(int fd, const char *path, struct audit_head *h, struct err *err)
{
    char text[HEAD_BYTES + 1];
    ssize_t n = os_pread(fd, text, HEAD_BYTES, 0, path, err);

    *h = (struct audit_head){ .seq = 0 };
    if (n < 0)
        return -1;
    text[n] = '\0';
    if (!audit_head_parse(text, h))
        *h = (struct audit_head){ .seq = 0 };
    return 0;
}

int audit_head_read(const char *head_path, struct audit_head *h, struct err *err)
{
    int fd = open(head_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int rc;

    *h = (struct audit_head){ .seq = 0 };
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_errno(err, "can't open %s", head_path);
    rc = read_head(fd, head_path, h, err);
    close(fd);
    return rc;
}

/* Overwritten in place: it is what writers lock, and it may lie where nothing new can be made. */
static int write_head(int fd, const char *path, const struct audit_head *h, struct err *err)
{
    char name[AUDIT_HEAD_TEXT], text[HEAD_BYTES + 1];

    snprintf(text, sizeof text, "%-*s\n", HEAD_BYTES - 1, audit_head_text(name, h));
    return os_pwrite(fd, text, HEAD_BYTES, 0, path, err);
}

/* ---- an entry --------------------------------------------------------------------------------------------------- */

static bool get_hex(const cJSON *object, const char *name, char *out, size_t n)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text != NULL && copy_hex(out, text, n, '\0');
}

bool audit_entry_parse(const char *line, size_t n, struct audit_entry *e)
{
    cJSON *object = NULL;
    char hash[AUDIT_HASH + 1];
    double seq;
    bool is_entry = false;

    memset(e, 0, sizeof *e);
    if (n <= HASH_PART || n > LINE_MAX_BYTES || memcmp(line + n - HASH_PART, HASH_KEY, sizeof HASH_KEY - 1) != 0)
        return false;
    object = cJSON_ParseWithLength(line, n);
    seq = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, "seq")); /* NaN of anything else */
    if (seq >= 1 && seq <= (double)SEQ_MAX && get_hex(object, "chain", e->self.chain, AUDIT_CHAIN_ID) &&
        get_hex(object, "previous", e->previous, AUDIT_HASH) && get_hex(object, "hash", e->self.hash, AUDIT_HASH)) {
        e->self.seq = (uint64_t)seq;
        if (!get_hex(object, "fragment", e->fragment, AUDIT_HASH))
            e->fragment[0] = '\0';
        audit_hash(hash, line, n - HASH_PART);
        e->sound = strcmp(hash, e->self.hash) == 0;
        is_entry = true;
    }
    cJSON_Delete(object);
    return is_entry;
}

static bool add_visible(cJSON *object, const char *name, const char *text)
{
    struct buf visible;
    bool added;

    buf_init(&visible, LINE_MAX_BYTES);
    text_visible(&visible, text);
    added = !visible.failed && cJSON_AddStringToObject(object, name, visible.data) != NULL;
    buf_release(&visible);
    return added;
}

/* Adds r's line, as the entry after *head, which it then is. fragment NULL: none. */
static int add_entry(struct buf *out, const struct audit_record *r, const char *fragment, struct audit_head *head,
                     struct err *err)
{
    char when[CLOCK_TEXT];
    cJSON *object = cJSON_CreateObject();
    size_t from = out->size;
    char *text = NULL;
    int rc = -1;

    if (cJSON_AddStringToObject(object, "chain", head->chain) == NULL ||
        cJSON_AddNumberToObject(object, "seq", (double)(head->seq + 1)) == NULL ||
        cJSON_AddStringToObject(object, "time", clock_iso(when, r->time)) == NULL ||
        cJSON_AddStringToObject(object, "kind", r->kind) == NULL ||
        cJSON_AddStringToObject(object, "level", r->level) == NULL ||
        cJSON_AddStringToObject(object, "event", r->event) == NULL || !add_visible(object, "host", os_hostname()) ||
        !add_visible(object, "user", os_user()) || cJSON_AddNumberToObject(object, "pid", getpid()) == NULL ||
        (fragment != NULL && cJSON_AddStringToObject(object, "fragment", fragment) == NULL) ||
        cJSON_AddStringToObject(object, "previous", head->hash) == NULL ||
        (text = cJSON_PrintUnformatted(object)) == NULL) {
        err_no_memory(err);
        goto out;
    }
    buf_add(out, text, strlen(text) - 1); /* the closing brace comes after the hash */
    audit_hash(head->hash, out->data + from, out->size - from);
    if (head->hash[0] == '\0') {
        err_no_memory(err);
        goto out;
    }
    head->seq++;
    buf_printf(out, HASH_KEY "\"%s\"}\n", head->hash);
    rc = buf_check(out, err);
out:
    free(text);
    cJSON_Delete(object);
    return rc;
}

/* ---- the end of the log ----------------------------------------------------------------------------------------- */

/* What the file ends with: its last sound entry, and the hash of what is behind that. */
struct tail {
    uint64_t size; /* of the file */
    struct audit_entry last;
    size_t fragment; /* bytes behind it that are no entry */
    bool open;       /* the last byte is no newline */
    char fragment_hash[AUDIT_HASH + 1];
};

/* The last sound entry in text[0..n), whether a newline follows it or not; *end: behind both. false: there is none. */
static bool find_last(const char *text, size_t n, struct audit_entry *last, size_t *end)
{
    *end = n;
    while (n > 0) {
        const char *newline = memrchr(text, '\n', n);
        size_t start = newline != NULL ? (size_t)(newline - text) + 1 : 0;

        if (audit_entry_parse(text + start, n - start, last) && last->sound)
            return true;
        *end = start;
        n = start > 0 ? start - 1 : 0;
    }
    memset(last, 0, sizeof *last);
    *end = 0;
    return false;
}

static int read_tail(int fd, const char *path, struct tail *t, struct err *err)
{
    struct stat st;
    char *text = NULL;
    size_t n, end;
    uint64_t from;
    int rc = -1;

    memset(t, 0, sizeof *t);
    if (fstat(fd, &st) < 0)
        return err_errno(err, "can't read %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "%s is no regular file", path);
    t->size = (uint64_t)st.st_size;
    n = t->size < TAIL_BYTES ? (size_t)t->size : TAIL_BYTES;
    from = t->size - n;
    text = malloc(n + 1);
    if (text == NULL)
        return err_no_memory(err);
    if (os_pread(fd, text, n, from, path, err) != (ssize_t)n) {
        err_set(err, ERR_IO, "can't read the end of %s", path);
        goto out;
    }
    if (!find_last(text, n, &t->last, &end) && from > 0) {
        err_set(err, ERR_DAMAGED, "%s ends with %zu bytes that are no entry of an audit log", path, n);
        err_hint(err, "move it away, and look at what has written to it");
        goto out;
    }
    t->fragment = n - end;
    t->open = n > 0 && text[n - 1] != '\n';
    if (t->fragment > 0)
        audit_hash(t->fragment_hash, text + end, t->fragment - (t->open ? 0 : 1));
    rc = 0;
out:
    free(text);
    return rc;
}

static int begin_chain(struct audit_head *h, struct err *err)
{
    unsigned char id[AUDIT_CHAIN_ID / 2];

    *h = (struct audit_head){ .seq = 0 };
    if (os_random(id, sizeof id, err) < 0)
        return -1;
    text_hex(h->chain, id, sizeof id);
    memset(h->hash, '0', AUDIT_HASH);
    return 0;
}

static bool same_head(const struct audit_head *a, const struct audit_head *b)
{
    return a->seq == b->seq && strcmp(a->chain, b->chain) == 0 && strcmp(a->hash, b->hash) == 0;
}

/* Where the chain goes on: at the head; at the file's end, when no head is known or a run was ended between its line and
 * its head. An empty file is a new one after a rotation. *astray: the file's end is not where it must be. */
static int find_end(const struct audit_head *known, const struct tail *t, struct audit_head *from, bool *astray,
                    struct err *err)
{
    bool ahead = t->last.self.seq > known->seq && strcmp(t->last.self.chain, known->chain) == 0;

    *astray = false;
    if (known->seq == 0 && t->last.self.seq == 0)
        return begin_chain(from, err);
    if (known->seq == 0 || ahead) {
        *from = t->last.self;
        return 0;
    }
    *from = *known;
    *astray = t->size > 0 && !same_head(known, &t->last.self);
    return 0;
}

/* The entry about the log itself, when there is something to tell. */
static int add_note(struct buf *out, const struct tail *t, bool astray, time_t now, struct audit_head *head,
                    struct err *err)
{
    struct buf event;
    int rc;

    if (t->fragment == 0 && !astray)
        return 0;
    buf_init(&event, 1024);
    if (t->fragment > 0)
        buf_printf(&event, "Audit log was cut short: its last %zu bytes are no entry", t->fragment);
    if (t->fragment > 0 && astray)
        buf_puts(&event, "; ");
    if (astray)
        buf_printf(&event, "Audit log does not end with entry %" PRIu64 ", as it must, but with %" PRIu64, head->seq,
                   t->last.self.seq);
    rc = buf_check(&event, err);
    if (rc == 0) {
        struct audit_record r = {
            .time = now, .kind = "audit", .level = astray ? "ERROR" : "WARNING", .event = event.data
        };

        rc = add_entry(out, &r, t->fragment > 0 ? t->fragment_hash : NULL, head, err);
    }
    buf_release(&event);
    return rc;
}

/* ---- appending -------------------------------------------------------------------------------------------------- */

/* All of it in one write; what did not fit is taken back, so that the log is as it was. */
static int append(int fd, const char *path, const struct buf *lines, uint64_t size, struct err *err)
{
    ssize_t n;

    do
        n = write(fd, lines->data, lines->size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, "can't write to %s", path);
    if ((size_t)n < lines->size) {
        err_set(err, ERR_SPACE, "can't write to %s: only a part of the line fitted", path);
        if (ftruncate(fd, (off_t)size) < 0)
            err_hint(err, "the part stays; the next run tells of it");
        return -1;
    }
    return fdatasync(fd) == 0 ? 0 : err_errno(err, "can't write to %s", path);
}

/* An event of a run that a signal ends is still to be written. */
static int lock(int fd, const char *path, struct err *err)
{
    int rc = os_lock_fd(fd, path, LOCK_SECONDS, err);

    if (rc < 0 && err->class == ERR_SIGNAL) {
        err_clear(err);
        os_signals_shield(true);
        rc = os_lock_fd(fd, path, LOCK_SECONDS, err);
        os_signals_shield(false);
    }
    return rc;
}

int audit_chain_append(struct audit_chain *c, const struct audit_record *r, struct audit_head *head, struct err *err)
{
    struct audit_head known, from;
    struct tail tail;
    struct buf lines;
    bool astray;
    int head_fd = -1, fd = -1, rc = -1;

    buf_init(&lines, 3 * LINE_MAX_BYTES);
    head_fd = os_open_lasting(c->head_path, O_RDWR, LOG_MODE, err);
    if (head_fd < 0 || lock(head_fd, c->head_path, err) < 0)
        goto out;
    fd = os_open_lasting(c->path, O_RDWR | O_APPEND, LOG_MODE, err); /* under the lock: it may have been rotated */
    if (fd < 0 || read_head(head_fd, c->head_path, &known, err) < 0 || read_tail(fd, c->path, &tail, err) < 0 ||
        find_end(&known, &tail, &from, &astray, err) < 0)
        goto out;
    if (tail.open)
        buf_putc(&lines, '\n');
    if (add_note(&lines, &tail, astray, r->time, &from, err) < 0 || add_entry(&lines, r, NULL, &from, err) < 0 ||
        append(fd, c->path, &lines, tail.size, err) < 0 || write_head(head_fd, c->head_path, &from, err) < 0)
        goto out;
    *head = from;
    rc = 0;
out:
    buf_release(&lines);
    if (fd >= 0)
        close(fd);
    if (head_fd >= 0)
        close(head_fd);
    return rc;
}

int audit_chain_open(struct audit_chain *c, const char *dir, const char *app, struct err *err)
{
    *c = (struct audit_chain){ .path = NULL };
    if (asprintf(&c->path, "%s/%s-audit.jsonl", dir, app) < 0) {
        c->path = NULL;
        return err_no_memory(err);
    }
    c->head_path = audit_head_path(c->path);
    if (c->head_path != NULL)
        return 0;
    audit_chain_close(c);
    return err_no_memory(err);
}

void audit_chain_close(struct audit_chain *c)
{
    free(c->path);
    free(c->head_path);
    *c = (struct audit_chain){ .path = NULL };
}
