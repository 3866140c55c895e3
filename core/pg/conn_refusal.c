/* SPDX-License-Identifier: PostgreSQL */
/* conn_refusal.c - why there is no connection, and what to do about it. */
#include "core/pg/conn_refusal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

#define MAX_MESSAGE (16 * 1024)

/* ---- remedies ------------------------------------------------------------------------------------------------ */

/* The first that fits. {host} {port} {user} {database} are the target's. */
struct remedy {
    const char *state, *words, *hint;
};

#define PASSWORD_PLACES \
    "the one in the URL (special characters percent-encoded: @ is %40, / is %2F), PGPASSWORD or ~/.pgpass"
#define WAIT_FOR_SERVER "the server is starting, stopping or recovering: try again in a moment, its log tells more"

static const struct remedy remedies[] = {
    /* between us and the server */
    { NULL, "unsupported startup parameter",
      "a pooler (PgBouncer) stands in between: give the database's own address, without options in the URL or PGOPTIONS" },
    { NULL, "enant or user not found",
      "this pooler wants the project in the user name (USER.PROJECT): see its dashboard" },
    { NULL, "no such database",
      "the pooler does not know {database}: correct the URL, or give the database's own address" },
    { NULL, "pgbouncer", "the pooler answers, the database behind it does not: give the database's own address" },

    /* who we are */
    { "28P01", NULL, "check user {user} and its password: " PASSWORD_PLACES },
    { NULL, "no password supplied",
      "the server wants a password for {user}: put it into the URL, PGPASSWORD or ~/.pgpass" },
    { "28000", "eer authentication",
      "on this socket {user} must be the operating system's user: run sfb as that user, or use a host and a password" },
    { "28000", "dent authentication", "in pg_hba.conf, scram-sha-256 instead of ident lets {user} in with a password" },
    { "28000", "does not exist", "correct the user in the URL, or on the server: CREATE ROLE \"{user}\" LOGIN" },
    { "28000", "not permitted to log in", "as an administrator of that server: ALTER ROLE \"{user}\" LOGIN" },
    { "28000", "SSL encryption",
      "the server's pg_hba.conf needs a line for {user}, {database} and this machine's address, then a reload" },
    { "28000", "no encryption",
      "try sslmode=require in the URL; else the server's pg_hba.conf needs a line for {user}, {database} and this address" },
    { "28000", "SSL off",
      "try sslmode=require in the URL; else the server's pg_hba.conf needs a line for {user}, {database} and this address" },
    { "28000", "certificate",
      "name a client certificate that the server believes: sslcert and sslkey in the URL, or ~/.postgresql" },
    { "28000", NULL,
      "the server's pg_hba.conf needs a line for {user}, {database} and this machine's address, then a reload" },

    /* what we want */
    { "3D000", NULL, "correct the name at the end of the URL; `sfb psql -l` lists what there is" },
    { "42501", NULL, "as an administrator of that server: GRANT CONNECT ON DATABASE \"{database}\" TO \"{user}\"" },
    { "55000", NULL,
      "an interrupted restore may have left it so; as an administrator: ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS true" },
    { "53300", NULL,
      "all connections are taken: end idle ones (pg_stat_activity), or raise max_connections or the CONNECTION LIMIT" },
    { "57P03", NULL, WAIT_FOR_SERVER },
    { "57P01", NULL, WAIT_FOR_SERVER },
    { "57P02", NULL, WAIT_FOR_SERVER },
    { "53200", NULL, "the server is short of memory: its log tells more" },
    { "53100", NULL, "the server's disk is full: make room there first" },
    { "0A000", "protocol", "this is no PostgreSQL that sfb knows: is the port right?" },

    /* the URL */
    { NULL, "definition of service", "look into ~/.pg_service.conf, or set PGSERVICEFILE" },
    { NULL, "session is read-only", "no host of the URL is what target_session_attrs asks for" },
    { NULL, "session is not read-only", "no host of the URL is what target_session_attrs asks for" },
    { NULL, "server is in hot standby mode", "no host of the URL is what target_session_attrs asks for" },
    { NULL, "server is not in hot standby mode", "no host of the URL is what target_session_attrs asks for" },

    { NULL, " value: \"", "correct it in the URL, or in libpq's variables (PGSSLMODE and the like)" },

    /* TLS */
    { NULL, "does not match host name",
      "the certificate is for another name: use that name in the URL (hostaddr=ADDRESS reaches it by address)" },
    { NULL, "certificate has expired", "the server's certificate must be renewed; is this machine's clock right?" },
    { NULL, "not yet valid", "is this machine's clock right?" },
    { NULL, "certificate verify failed",
      "no CA that is believed signed the server's certificate: name the right one, sslrootcert=FILE in the URL" },
    { NULL, "root certificate",
      "name the CA's file, sslrootcert=FILE in the URL; sslrootcert=system means the public ones" },
    { NULL, "does not support SSL, but",
      "the server has TLS turned off (ssl = on in its postgresql.conf); without it sslmode=disable, if the network is safe" },
    { NULL, "channel binding",
      "channel_binding=require needs TLS and a password stored as scram-sha-256 on the server" },
    { NULL, "invalid response to SSL negotiation", "is it PostgreSQL that listens on port {port} of {host}?" },
    { NULL, "but received", "is it PostgreSQL that listens on port {port} of {host}?" },
    { NULL, "private key file", "the file of the client's key must belong to its user and be readable by no other" },
    { NULL, "alert", "the server refused the TLS handshake: its log tells why" },
    { NULL, "SSL error", "the TLS handshake failed: is it PostgreSQL that listens on port {port} of {host}?" },
    { NULL, "SSL SYSCALL", "the TLS handshake was cut: by a firewall or proxy in between, or a server that went down" },

    /* the way */
    { NULL, "could not translate host name",
      "is {host} spelled right, and does this machine's DNS (/etc/resolv.conf) know it?" },
    { NULL, "no answer within",
      "a firewall may drop packets to {host} port {port}, or the host is down; connect_timeout=SECONDS in the URL waits longer" },
    { NULL, "Connection refused",
      "nothing listens on port {port} of {host}: is the server up, is the port right, does listen_addresses include it?" },
    { NULL, "No such file or directory",
      "no server has its socket there: is it up, are directory {host} and port {port} right?" },
    { NULL, "Permission denied", "this user may not open the server's socket: see the directory's permissions" },
    { NULL, "nreachable", "there is no way to {host} from here: network, VPN or routes" },
    { NULL, "No route to host", "there is no way to {host} from here: network, VPN, routes or firewall" },
    { NULL, "timed out", "a firewall may drop packets to {host} port {port}, or the host is down" },
    { NULL, "closed the connection unexpectedly",
      "the server or a proxy before it hung up: does it want TLS (sslmode=require)? its log tells why" },
    { NULL, "Connection reset", "the server or a proxy before it hung up: its log tells why" },
};

static void put_hint(struct buf *out, const char *hint, const struct target *t)
{
    const struct {
        const char *name, *value;
    } known[] = {
        { "{host}", target_host(t) },
        { "{port}", target_port(t) },
        { "{user}", target_user(t) },
        { "{database}", target_database(t) },
    };

    while (*hint != '\0') {
        size_t i = 0;
        while (i < 4 && !text_starts(hint, known[i].name))
            i++;
        if (i == 4) {
            buf_putc(out, *hint++);
        } else {
            text_visible(out, known[i].value);
            hint += strlen(known[i].name);
        }
    }
}

static void advise(const struct target *t, const char *state, const char *words, struct err *err)
{
    struct buf hint;

    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
        const struct remedy *r = &remedies[i];
        if ((r->state != NULL && strcmp(r->state, state) != 0) || (r->words != NULL && strstr(words, r->words) == NULL))
            continue;
        buf_init(&hint, 2048);
        put_hint(&hint, r->hint, t);
        err_hint(err, "%s", hint.data);
        buf_release(&hint);
        return;
    }
}

/* ---- libpq's words ------------------------------------------------------------------------------------------- */

/* Is "28P01: " at text? */
static bool is_state(const char *text)
{
    for (int i = 0; i < 5; i++)
        if (!isdigit((unsigned char)text[i]) && !isupper((unsigned char)text[i]))
            return false;
    return text[5] == ':' && text[6] == ' ';
}

/* `connection to server at "db" (10.0.0.3), port 5432 failed: FATAL:  28P01: password ...`: the words after the last
 * of these, the SQLSTATE if there is one, and the address if it says more than the URL. */
static const char *reason(const char *line, char state[6], struct buf *address, const struct target *t)
{
    const char *failed = strstr(line, " failed: "), *open = strstr(line, " (");
    const char *p;

    if ((text_starts(line, "connection to server ")) && failed != NULL) {
        const char *close = open != NULL && open < failed ? strchr(open, ')') : NULL;
        if (close != NULL && close < failed)
            buf_add(address, open + 2, (size_t)(close - open) - 2);
        if (strcmp(address->data, target_host(t)) == 0)
            buf_reset(address);
        line = failed + strlen(" failed: ");
    }
    if (text_starts(line, "fe_sendauth: "))
        line += strlen("fe_sendauth: ");
    for (p = strchr(line, ':'); p != NULL && p - line < 40; p = strchr(p + 1, ':'))
        if (p[1] == ' ' && p[2] == ' ' && is_state(p + 3)) { /* SEVERITY:  SQLSTATE: words */
            memcpy(state, p + 3, 5);
            return p + 10;
        }
    return line;
}

/* What libpq adds for its own users, and what a socket that we shut down looks like. */
static bool is_noise(const char *line, int timed_out)
{
    return *line == '\0' || text_starts(line, "LOCATION:") || text_starts(line, "Is the server running ") ||
           text_starts(line, "This probably means the server terminated") ||
           text_starts(line, "before or while processing") || text_starts(line, "Either provide the file") ||
           (timed_out > 0 && (strstr(line, "Connection reset") != NULL ||
                              strstr(line, "closed the connection") != NULL || strstr(line, "SSL SYSCALL") != NULL));
}

/* All reasons, each once, "; " between them. state: the last SQLSTATE. */
static void put_reasons(struct buf *out, char *message, const struct target *t, int timed_out, char state[6])
{
    char *line;

    if (timed_out > 0)
        buf_printf(out, "no answer within %d s", timed_out);
    while ((line = strsep(&message, "\n")) != NULL) {
        struct buf address;
        const char *words;

        line += strspn(line, " \t");
        if (is_noise(line, timed_out))
            continue;
        buf_init(&address, 128);
        words = reason(line, state, &address, t);
        if (strstr(out->data, words) == NULL) {
            buf_printf(out, "%s%s", out->size > 0 ? "; " : "", words);
            if (address.size > 0)
                buf_printf(out, " (%s)", address.data);
        }
        buf_release(&address);
    }
}

static bool is_bad_setting(const char *words)
{
    return text_starts(words, "invalid ") || strstr(words, "definition of service") != NULL ||
           strstr(words, "weak sslmode") != NULL || strstr(words, "could not match ") != NULL ||
           strstr(words, "not supported by this build") != NULL || strstr(words, "not compiled in") != NULL;
}

void conn_refusal(const struct target *t, const char *message, int timed_out, struct err *err)
{
    char state[6] = "", *copy = strdup(message);
    struct buf reasons, where;
    bool setting;

    if (copy == NULL) {
        err_no_memory(err);
        return;
    }
    buf_init(&reasons, MAX_MESSAGE);
    buf_init(&where, MAX_MESSAGE);
    put_reasons(&reasons, copy, t, timed_out, state);
    setting = state[0] == '\0' && is_bad_setting(reasons.data) && strstr(reasons.data, "invalid response") == NULL;
    target_describe(t, &where);
    err_set(err, setting ? ERR_CONFIG : ERR_CONNECT, "can't connect to %s as %s: %s", where.data, target_user(t),
            reasons.size > 0 ? reasons.data : "no reason was given");
    advise(t, state, reasons.data, err);
    buf_release(&reasons);
    buf_release(&where);
    free(copy);
}
