/* SPDX-License-Identifier: PostgreSQL */
/* mail.h - one mail, handed to an SMTP server over verified TLS.
 *
 * The mail is text and HTML of the same content (multipart/alternative), quoted-printable, from a program
 * (Auto-Submitted: auto-generated). libcurl speaks: STARTTLS, AUTH, dot-stuffing; certificates are verified as for HTTPS
 * (tls.h). Addresses that the server refuses don't keep the mail from the others.
 *
 *     if (mail_send(&params, &mail, &answer, err) < 0) ... answer.passing: it may go another time
 *     else if (answer.refused[0]) ...                  delivered, but not to these
 */
#pragma once
#include <stdbool.h>
#include <time.h>
#include "core/base/err.h"
#include "core/io/http.h"

enum mail_tls {
    MAIL_TLS_REQUIRED, /* smtp:// must come to STARTTLS before anything is said */
    MAIL_TLS_TRIED,    /* STARTTLS where it is offered: who sits in between can take the offer away */
    MAIL_TLS_NONE,     /* smtp:// as it is */
};

struct mail_params {
    const char *url;             /* smtp://HOST:PORT or smtps://HOST:PORT; user and password may be in it */
    const char *user, *password; /* NULL: those of the URL, else nobody logs in */
    enum mail_tls tls;
    unsigned total_seconds; /* 0: 30 */
    bool regardless;        /* of signals */
};

struct mail {
    const char *from;        /* ops@example.com, or "Backups <ops@example.com>" */
    const char *to;          /* several are separated by commas */
    const char *subject;     /* any UTF-8 */
    const char *text, *html; /* any UTF-8; lines end in \n */
    const char *id;          /* letters and digits, the same when the same mail is sent again: for Message-ID */
    time_t date;
};

struct mail_answer {
    enum http_trouble trouble; /* why there was no conversation; HTTP_FINE: there was one */
    int code;                  /* what the server ended it with: 550; 0: nothing */
    bool passing;              /* another try may succeed */
    char refused[512];         /* delivered, but not to these: "x@example.com (550 5.1.1 no such user)" */
};

/* 0: the server has taken the mail, for one address at least. -1: ERR_STORE, ERR_CONFIG (URL or addresses), ERR_SIGNAL.
 * No message holds the password. */
int mail_send(const struct mail_params *p, const struct mail *m, struct mail_answer *a, struct err *err);

/* ERR_CONFIG when it is no URL of a mail server. The message does not hold it: there may be a password in it. */
int mail_check_url(const char *url, struct err *err);
