/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/mail.h"

#include <curl/curl.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/base/buf.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/io/http_trouble.h"
#include "core/io/mail_text.h"
#include "core/io/tls.h"

#define HEADER_MAX (64 * 1024)
#define BODY_MAX (4 * 1024 * 1024)
#define SAID_MAX 256

struct session {
    CURL *curl;
    const struct mail_params *p;
    struct mail_answer *a;
    struct curl_slist *headers, *recipients;
    curl_mime *mime;
    char detail[CURL_ERROR_SIZE];
    struct tls_seen tls;
    char to[SAID_MAX];   /* the address that the server was last asked about; "" when the last command was another */
    char said[SAID_MAX]; /* the last refusal: "550 5.1.1 no such user" */
};

/* ---- what the server says ------------------------------------------------------------------------------------- */

/* A line without its end, and with nothing in it that could move a cursor. */
static void copy_line(char out[SAID_MAX], const char *line, size_t n)
{
    struct buf visible;
    char *plain = strndup(line, n < SAID_MAX ? n : SAID_MAX - 1);

    out[0] = '\0';
    if (!plain)
        return;
    plain[strcspn(plain, "\r\n")] = '\0';
    buf_init(&visible, 8 * SAID_MAX);
    text_visible(&visible, plain);
    snprintf(out, SAID_MAX, "%s", visible.data);
    buf_release(&visible);
    free(plain);
}

static void note_command(struct session *s, const char *line, size_t n)
{
    s->to[0] = '\0';
    if (n > 9 && strncasecmp(line, "RCPT TO:<", 9) == 0) {
        copy_line(s->to, line + 9, n - 9);
        s->to[strcspn(s->to, ">")] = '\0';
    }
}

static void note_answer(struct session *s, const char *line, size_t n)
{
    char *refused = s->a->refused;
    size_t used = strlen(refused);

    if (n < 4 || (line[0] != '4' && line[0] != '5') || !isdigit((unsigned char)line[1]) ||
        !isdigit((unsigned char)line[2]))
        return;
    copy_line(s->said, line, n);
    if (s->to[0] && line[3] == ' ') /* the last line of an answer */
        snprintf(refused + used, sizeof s->a->refused - used, "%s%s (%s)", used ? ", " : "", s->to, s->said);
}

/* libcurl tells what went back and forth only here. Log-ins pass by as well: nothing but refusals is kept. */
static int on_talk(CURL *curl, curl_infotype type, char *data, size_t n, void *cookie)
{
    (void)curl;
    if (type == CURLINFO_HEADER_OUT)
        note_command(cookie, data, n);
    else if (type == CURLINFO_HEADER_IN)
        note_answer(cookie, data, n);
    return 0;
}

static int on_progress(void *cookie, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct session *s = cookie;

    (void)a, (void)b, (void)c, (void)d;
    return !s->p->regardless && os_interrupted();
}

static size_t on_body(const char *bytes, size_t one, size_t n, void *cookie)
{
    (void)bytes, (void)cookie;
    return one * n;
}

/* ---- the mail -------------------------------------------------------------------------------------------------- */

static int add_header(struct session *s, struct buf *line, struct err *err)
{
    struct curl_slist *more;

    if (buf_check(line, err) < 0)
        return -1;
    more = curl_slist_append(s->headers, line->data);
    if (!more)
        return err_no_memory(err);
    s->headers = more;
    buf_reset(line);
    return 0;
}

static int add_recipients(struct session *s, const struct mail_address *to, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct curl_slist *more = curl_slist_append(s->recipients, to[i].address);
        if (!more)
            return err_no_memory(err);
        s->recipients = more;
    }
    return 0;
}

/* Where the mail comes from, for Message-ID: the sender's domain is ours to give names in. */
static const char *domain_of(const struct mail_address *from)
{
    return strrchr(from->address, '@') + 1;
}

static int add_headers(struct session *s, const struct mail *m, const struct mail_address *from,
                       const struct mail_address *to, size_t n_to, struct err *err)
{
    char date[MAIL_DATE];
    struct buf line;
    int rc = -1;

    buf_init(&line, HEADER_MAX);
    buf_printf(&line, "Date: %s", mail_date(date, m->date));
    if (add_header(s, &line, err) < 0)
        goto out;
    buf_puts(&line, "From: ");
    mail_header_addresses(&line, strlen("From: "), from, 1);
    if (add_header(s, &line, err) < 0)
        goto out;
    buf_puts(&line, "To: ");
    mail_header_addresses(&line, strlen("To: "), to, n_to);
    if (add_header(s, &line, err) < 0)
        goto out;
    buf_puts(&line, "Subject: ");
    mail_header_text(&line, strlen("Subject: "), m->subject);
    if (add_header(s, &line, err) < 0)
        goto out;
    buf_printf(&line, "Message-ID: <%s@%s>", m->id, domain_of(from));
    if (add_header(s, &line, err) < 0)
        goto out;
    buf_puts(&line, "Auto-Submitted: auto-generated"); /* RFC 3834: no answering machine may answer */
    if (add_header(s, &line, err) < 0)
        goto out;
    buf_puts(&line, "Content-Type: multipart/alternative"); /* of the whole; libcurl adds the boundary */
    rc = add_header(s, &line, err);
out:
    buf_release(&line);
    return rc;
}

static int add_part(struct session *s, const char *type, const char *text, struct err *err)
{
    curl_mimepart *part = curl_mime_addpart(s->mime);
    struct buf lines;
    int rc = -1;

    buf_init(&lines, BODY_MAX);
    mail_lines(&lines, text);
    if (buf_check(&lines, err) < 0)
        goto out;
    if (!part || curl_mime_data(part, lines.data, lines.size) != CURLE_OK || curl_mime_type(part, type) != CURLE_OK ||
        curl_mime_encoder(part, "quoted-printable") != CURLE_OK) {
        err_no_memory(err);
        goto out;
    }
    rc = 0;
out:
    buf_release(&lines);
    return rc;
}

static int write_mail(struct session *s, const struct mail *m, struct err *err)
{
    struct mail_address *from = NULL, *to = NULL;
    size_t n_from = 0, n_to = 0;
    int rc = -1;

    if (mail_addresses(m->from, &from, &n_from, err) < 0 || mail_addresses(m->to, &to, &n_to, err) < 0)
        goto out;
    if (n_from != 1) {
        err_set(err, ERR_CONFIG, "a mail has one sender, not %zu", n_from);
        goto out;
    }
    s->mime = curl_mime_init(s->curl);
    if (!s->mime) {
        err_no_memory(err);
        goto out;
    }
    if (add_headers(s, m, from, to, n_to, err) < 0 || add_recipients(s, to, n_to, err) < 0 ||
        add_part(s, "text/plain; charset=utf-8", m->text, err) < 0 ||
        add_part(s, "text/html; charset=utf-8", m->html, err) < 0)
        goto out;
    curl_easy_setopt(s->curl, CURLOPT_MAIL_FROM, from->address);
    curl_easy_setopt(s->curl, CURLOPT_MAIL_RCPT, s->recipients);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->curl, CURLOPT_MIMEPOST, s->mime);
    rc = 0;
out:
    mail_addresses_free(from, n_from);
    mail_addresses_free(to, n_to);
    return rc;
}

/* ---- the server ------------------------------------------------------------------------------------------------ */

int mail_check_url(const char *url, struct err *err)
{
    const char *host = strstr(url, "://");
    char name[256];

    if ((strncasecmp(url, "smtp://", 7) == 0 || strncasecmp(url, "smtps://", 8) == 0) &&
        http_trouble_host(name, url)[0] && host[3] != ':')
        return 0;
    err_set(err, ERR_CONFIG, "not a URL of a mail server");
    err_hint(err, "write smtp://HOST:587 or smtps://HOST");
    return -1;
}

static void set_server(struct session *s)
{
    static const long tls[] = {
        [MAIL_TLS_REQUIRED] = CURLUSESSL_ALL, [MAIL_TLS_TRIED] = CURLUSESSL_TRY, [MAIL_TLS_NONE] = CURLUSESSL_NONE
    };
    long seconds = s->p->total_seconds ? (long)s->p->total_seconds : 30;
    CURL *c = s->curl;

    curl_easy_setopt(c, CURLOPT_URL, s->p->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(c, CURLOPT_PROXY, ""); /* proxies are for HTTP */
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USE_SSL, tls[s->p->tls]);
    tls_apply(c, NULL, &s->tls);
    if (s->p->user)
        curl_easy_setopt(c, CURLOPT_USERNAME, s->p->user);
    if (s->p->password)
        curl_easy_setopt(c, CURLOPT_PASSWORD, s->p->password);
    curl_easy_setopt(c, CURLOPT_MAIL_RCPT_ALLOWFAILS, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, seconds);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, seconds < 10 ? seconds : 10);
    curl_easy_setopt(c, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->detail);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_DEBUGFUNCTION, on_talk);
    curl_easy_setopt(c, CURLOPT_DEBUGDATA, s);
    curl_easy_setopt(c, CURLOPT_VERBOSE, 1L); /* for on_talk; nothing is printed */
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

/* ---- what went wrong ------------------------------------------------------------------------------------------- */

static void explain_login(const struct session *s, const char *host, struct err *err)
{
    if (s->said[0]) {
        err_set(err, ERR_STORE, "the mail server %s does not let us log in: %s", host, s->said);
        err_hint(err, "check the user and the password");
        return;
    }
    err_set(err, ERR_STORE, "the mail server %s offers no way to log in", host);
    err_hint(err, "many offer one after STARTTLS only; a server that wants no password must be given none");
}

/* The words of whoever was asked: the server's when it refused, libcurl's when there was no conversation. */
static void explain_talk(struct session *s, CURLcode code, const char *host, struct err *err)
{
    switch (code) {
    case CURLE_LOGIN_DENIED:
        explain_login(s, host, err);
        s->a->passing = s->said[0] == '4';
        return;
    case CURLE_USE_SSL_FAILED:
        err_set(err, ERR_STORE, "the mail server %s offers no STARTTLS: the mail would travel unencrypted", host);
        err_hint(err, "use smtps://, or the port for submission (587)");
        return;
    default:
        err_set(err, ERR_STORE, "the mail server %s does not take the mail: %s", host, s->said);
        s->a->passing = s->said[0] == '4';
    }
}

static void explain(struct session *s, CURLcode code, struct err *err)
{
    struct http_trouble_facts facts = { .curl = s->curl,
                                        .code = code,
                                        .detail = s->detail[0] ? s->detail : curl_easy_strerror(code),
                                        .tls = s->tls,
                                        .url = s->p->url,
                                        .connect_seconds = 10,
                                        .stall_seconds = s->p->total_seconds,
                                        .total_seconds = s->p->total_seconds };
    char host[256];

    http_trouble_host(host, s->p->url);
    if (!s->p->regardless && os_check_interrupt(err) < 0) {
        s->a->trouble = HTTP_OWN;
    } else if (code == CURLE_LOGIN_DENIED || code == CURLE_USE_SSL_FAILED) {
        explain_talk(s, code, host, err);
    } else if (s->said[0] && code != CURLE_OPERATION_TIMEDOUT && code != CURLE_PEER_FAILED_VERIFICATION &&
               code != CURLE_SSL_CONNECT_ERROR) {
        explain_talk(s, code, host, err);
    } else if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        err_set(err, ERR_CONFIG, "not a URL of a mail server");
        s->a->trouble = HTTP_BAD_URL;
    } else if (code == CURLE_WEIRD_SERVER_REPLY) {
        err_set(err, ERR_STORE, "%s does not talk as a mail server does", host);
        s->a->trouble = HTTP_GARBLED;
    } else {
        s->a->trouble = http_trouble_explain(&facts, err);
        s->a->passing = http_is_passing(s->a->trouble);
    }
}

int mail_send(const struct mail_params *p, const struct mail *m, struct mail_answer *a, struct err *err)
{
    struct session s = { .p = p, .a = a };
    CURLcode code;
    long answered = 0;
    int rc = -1;

    memset(a, 0, sizeof *a);
    if (mail_check_url(p->url, err) < 0 || http_setup(err) < 0)
        goto out;
    s.curl = curl_easy_init();
    if (!s.curl) {
        err_no_memory(err);
        goto out;
    }
    set_server(&s);
    if (write_mail(&s, m, err) < 0)
        goto out;
    code = curl_easy_perform(s.curl);
    curl_easy_getinfo(s.curl, CURLINFO_RESPONSE_CODE, &answered);
    a->code = (int)answered;
    if (code != CURLE_OK) {
        a->refused[0] = '\0'; /* nobody got it: the message says so */
        explain(&s, code, err);
        goto out;
    }
    rc = 0;
out:
    if (s.curl)
        curl_easy_cleanup(s.curl);
    curl_mime_free(s.mime);
    curl_slist_free_all(s.headers);
    curl_slist_free_all(s.recipients);
    return rc;
}
