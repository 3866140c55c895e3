/* SPDX-License-Identifier: PostgreSQL */
/* audit_syslog.c - a datagram to /dev/log. */
#include "core/backup/audit_syslog.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/text.h"

#define FACILITY_DAEMON 3
#define EVENT_MAX 4000 /* loggers take 8 KiB */
#define FRAME_MAX (EVENT_MAX + 1024)

/* No longer than max bytes, and no character cut in two. */
static size_t shorten(const char *text, size_t max)
{
    size_t n = strnlen(text, max + 1);

    if (n <= max)
        return n;
    for (n = max; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;)
        n--;
    return n;
}

void audit_syslog_frame(struct buf *out, const char *app, int level, int pid, const struct audit_record *r,
                        const struct audit_head *head)
{
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    static const int severities[] = { 6, 4, 3 }; /* informational, warning, error */
    char name[AUDIT_HEAD_TEXT];
    size_t n = shorten(r->event, EVENT_MAX);
    struct tm t = { 0 };

    gmtime_r(&r->time, &t);
    buf_printf(out, "<%d>%s %2d %02d:%02d:%02d sfb[%d]: %s %s %s %.*s%s", FACILITY_DAEMON * 8 + severities[level],
               months[t.tm_mon], t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, pid, app, r->kind, r->level, (int)n,
               r->event, r->event[n] != '\0' ? "..." : "");
    if (head->seq > 0)
        buf_printf(out, " [%s]", audit_head_text(name, head));
}

int audit_syslog_send(const char *path, const char *app, int level, const struct audit_record *r,
                      const struct audit_head *head, struct err *err)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct buf frame;
    int fd = -1, rc = -1;

    buf_init(&frame, FRAME_MAX);
    audit_syslog_frame(&frame, app, level, (int)getpid(), r, head);
    if (buf_check(&frame, err) < 0)
        goto out;
    if (strlen(path) >= sizeof to.sun_path) {
        err_set(err, ERR_CONFIG, "SFB_SYSLOG: the path of a socket has at most %zu bytes", sizeof to.sun_path - 1);
        goto out;
    }
    memcpy(to.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, frame.data, frame.size, MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof to) < 0) {
        err_errno(err, "can't send to %s", path);
        goto out;
    }
    rc = 0;
out:
    if (fd >= 0)
        close(fd);
    buf_release(&frame);
    return rc;
}
