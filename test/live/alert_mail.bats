#!/usr/bin/env bats
# alert_mail.bats - alerts by mail, to a real SMTP server: what arrives, by which ways, and what is refused.

bats_require_minimum_version 1.5.0
load harness
load alert-tools

setup_file() { file_begin; alert_begin; }
teardown_file() { alert_end; file_end; }
setup() {
    test_begin
    export SFB_ALERT_TO=ops@example.com SFB_ALERT_FROM='Backups <backups@example.com>' PRODUCTION_DATABASE_URL=postgresql://127.0.0.1:1/shop
}
teardown() { alert_stop mail; test_end; }

to_server() { # [OPTIONS...]
    mail_start mail "$@"
    export SFB_SMTP_URL=smtp://localhost:$MAIL_PORT
}
mail_rules() {
    echo "$1" >"$ALERTS/mail.rules.new"
    mv "$ALERTS/mail.rules.new" "$ALERTS/mail.rules"
}

# ---- what arrives ---------------------------------------------------------------------------------------------------

@test "a failed backup comes as a mail of text and HTML that says what Slack says" {
    to_server
    SFB_TEST_NOW=1761184815 run -1 sfb backup --local-only
    silent "$output" 'could not be sent'
    mail_check mail '
assert e["from"] == "backups@example.com" and e["to"] == ["ops@example.com"], e
assert m["From"] == "Backups <backups@example.com>", m["From"]
assert m["To"] == "ops@example.com"
assert m["Subject"].startswith("❌ Database backup failed: production ("), m["Subject"]
assert m["Date"] == "Thu, 23 Oct 2025 02:00:15 +0000", m["Date"]
assert m["Auto-Submitted"] == "auto-generated"
assert m["MIME-Version"] == "1.0"
assert m["Message-ID"].endswith("@example.com>") and len(m["Message-ID"]) == 32 + len("<@example.com>"), m["Message-ID"]
assert m.get_content_type() == "multipart/alternative", m.get_content_type()
text, html = m.iter_parts()
assert text.get_content_type() == "text/plain" and html.get_content_type() == "text/html"
assert not m.defects and not text.defects and not html.defects
t, h = text.get_content(), html.get_content()
for piece in "Database Backup Failed", "Environment: production", "Error: can\u0027t connect to", "Time: 2025-10-23 02:00:15 UTC", "Action Required: ", "Host: ", "Exit Code: 1":
    assert piece in t, (piece, t)
for piece in "❌ Database backup failed", "production", "can\u0027t connect to", "2025-10-23 02:00:15 UTC", "Action Required":
    assert piece in h, (piece, h)
for piece in "http:", "https:", "<script", "<img", "<link", "url(":
    assert piece not in h, (piece, h)
for name in "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type":
    assert len(m.get_all(name)) == 1, name
'
}

@test "the mail is ASCII, in short lines that end in CRLF, and its dots are no end of it" {
    to_server
    SFB_ALERT_TO='Jürgen Größe <ops@example.com>, "Doe, Jane" <jane@example.com>' \
        PRODUCTION_DATABASE_URL="postgresql://127.0.0.1:1/ü$(printf '.%.0s' {1..300})" run -1 sfb backup --local-only
    mail_check mail '
lines = e["data"].split("\r\n")
assert e["data"].isascii()
assert not any("\n" in l or "\r" in l for l in lines)
assert not [l for l in lines if len(l) > 78 and not l.startswith("Content-Type: multipart/")], lines
assert [l for l in lines if l.startswith(".")], lines
assert e["to"] == ["ops@example.com", "jane@example.com"], e["to"]
assert [(a.display_name, a.addr_spec) for a in m["To"].addresses] == [("Jürgen Größe", "ops@example.com"), ("Doe, Jane", "jane@example.com")], m["To"]
for part in m.iter_parts():
    assert "ü" + "." * 300 in part.get_content(), part.get_content()
'
}

@test "the same alert again is the same mail: its Message-ID stays" {
    to_server
    mail_rules '{"data": ["554 5.7.1 not today"]}'
    run -1 sfb backup --local-only
    mentions "$output" 'could not be sent by mail' '554 5.7.1 not today'
    [ "$(mail_count mail)" = 0 ]
    id=$(json 'x["waiting"][0]["alert"]["id"]' <"$SFB_STATE_DIR/alerts.json")
    run -1 sfb backup --local-only
    [ "$(mail_count mail)" = 1 ]
    mail_check mail "assert m['Message-ID'] == '<$id@example.com>', m['Message-ID']"
}

@test "the sender is who logs in, when nobody is named, else this host" {
    to_server
    unset SFB_ALERT_FROM
    run -0 sfb alert --test
    mail_check mail "assert e['from'] == 'sfb@$(uname -n)', e['from']"
    alert_stop mail
    to_server --login me@example.org:mail-secret
    SFB_SMTP_USER=me@example.org SFB_SMTP_PASSWORD=mail-secret run -0 sfb alert --test
    mail_check mail 'assert e["from"] == "me@example.org", e["from"]'
}

# ---- the ways -------------------------------------------------------------------------------------------------------

@test "over STARTTLS, with user and password" {
    to_server --tls starttls --login me:mail-secret
    export SFB_SMTP_TLS=require SFB_SMTP_USER=me SFB_SMTP_PASSWORD=mail-secret
    run -0 sfb alert --test
    mail_check mail 'assert e["tls"] and e["user"] == "me", e'
    silent "$output" mail-secret
}

@test "over TLS from the start, with user and password in the URL" {
    to_server --tls implicit --login 'me:p@ss/w:rd'
    SFB_SMTP_URL=smtps://me:p%40ss%2Fw%3Ard@localhost:$MAIL_PORT run -0 sfb alert --test
    mail_check mail 'assert e["tls"] and e["user"] == "me", e'
    silent "$output" p%40ss 'p@ss'
}

@test "a server without STARTTLS gets no mail and no password, unless TLS is given up by name" {
    to_server --login me:mail-secret
    export SFB_SMTP_USER=me SFB_SMTP_PASSWORD=mail-secret
    export SFB_SMTP_URL=smtp://0.0.0.0:$MAIL_PORT # this host, but not by a name that says so
    run -1 sfb alert --test
    mentions "$output" 'offers no STARTTLS' 'smtps://'
    [ "$(mail_count mail)" = 0 ]
    SFB_SMTP_TLS=none run -0 sfb alert --test
    [ "$(mail_count mail)" = 1 ]
}

@test "a certificate that nobody vouches for is refused, and so is one of another name" {
    to_server --tls implicit
    SFB_SMTP_URL=smtps://localhost:$MAIL_PORT SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt run -1 sfb alert --test
    mentions "$output" 'not from an authority known here' 'SSL_CERT_FILE'
    SFB_SMTP_URL=smtps://0.0.0.0:$MAIL_PORT run -1 sfb alert --test
    mentions "$output" 'is for another host' 'SFB_SMTP_URL'
    alert_stop mail
    to_server --tls starttls
    SFB_SMTP_TLS=require SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt run -1 sfb alert --test
    mentions "$output" 'not from an authority known here'
    [ "$(mail_count mail)" = 0 ]
}

# ---- what is refused ------------------------------------------------------------------------------------------------

@test "a wrong password is told as what it is, and not shown" {
    to_server --login me:mail-secret
    SFB_SMTP_USER=me SFB_SMTP_PASSWORD=wrong-secret run -1 sfb alert --test
    mentions "$output" 'does not let us log in: 535' 'check the user and the password'
    silent "$output" wrong-secret
}

@test "an address that the server refuses keeps the mail from nobody else, and is told" {
    to_server
    mail_rules '{"rcpt": {"gone@example.com": "550 5.1.1 no such user"}}'
    export SFB_ALERT_TO='ops@example.com, gone@example.com'
    run -1 sfb backup --local-only
    mail_check mail 'assert e["to"] == ["ops@example.com"], e["to"]'
    mentions "$output" 'went by mail' 'not to gone@example.com (550 5.1.1 no such user)'
    run -1 sfb alert --test
    mentions "$output" '⚠️  mail' 'delivered, but not to gone@example.com (550'
    SFB_ALERT_TO=gone@example.com run -1 sfb alert --test
    mentions "$output" '❌ mail' 'does not take the mail: 550 5.1.1 no such user'
}

@test "a server that is busy is asked again" {
    to_server
    mail_rules '{"data": ["451 4.3.0 try again later", "451 4.3.0 try again later"]}'
    run -0 sfb alert --test
    [ "$(mail_count mail)" = 1 ]
}

@test "a mail that greylisting puts off is tried again by the next run, and arrives once" {
    to_server
    mail_rules '{"rcpt": {"ops@example.com": "450 4.2.0 greylisted, come back in five minutes"}}'
    run -1 sfb backup --local-only
    mentions "$output" 'could not be sent by mail' '450 4.2.0 greylisted' 'tried again when the next run ends'
    [ "$(mail_count mail)" = 0 ]
    mail_rules '{}'
    run -1 sfb backup --local-only
    run -1 sfb backup --local-only
    [ "$(mail_count mail)" = 1 ]
}

# smtp_liar MODE: a server that hangs before it greets (mute), goes away in DATA (cut), or never says what became of the
# mail (silent). Its port is LIAR.
smtp_liar() {
    alert_run liar '{}' python3 -c '
import os, socket, sys, threading
mode, port_file, log = sys.argv[1], sys.argv[3], sys.argv[5]
def serve(c):
    f = c.makefile("rwb", buffering=0)
    def say(text): f.write(text.encode() + b"\r\n")
    open(log, "a").write("{}\n")
    if mode == "mute":
        f.readline()
        return
    say("220 liar")
    while line := f.readline().strip():
        if line[:4] == b"DATA":
            say("354 go on")
            f.readline()
            if mode == "cut":
                return c.close(), f.close()
            while f.readline().strip() != b".":
                pass
            while f.readline():
                pass
        else:
            say("250 liar")
s = socket.create_server(("127.0.0.1", 0))
open(port_file + ".new", "w").write(str(s.getsockname()[1]))
os.rename(port_file + ".new", port_file)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()' "$1"
    LIAR=$(<"$ALERTS/liar.port")
}

@test "a server that hangs before it greets, goes away in the middle or never answers changes no exit code, and the mail is kept" {
    to_server
    mail=$SFB_SMTP_URL
    for mode in mute cut silent; do
        smtp_liar $mode
        SFB_SMTP_URL=smtp://localhost:$LIAR SFB_TEST_TIMEOUT=100 run -1 sfb backup --local-only
        mentions "$output" 'could not be sent by mail'
        [ "$(mail_count liar)" -ge 1 ]
        alert_stop liar
        same '[1]' "$(json '[len(x["waiting"])]' <"$SFB_STATE_DIR/alerts.json")"
        SFB_SMTP_URL=$mail run -1 sfb backup --local-only
        same '[0]' "$(json '[len(x["waiting"])]' <"$SFB_STATE_DIR/alerts.json")"
        rm "$SFB_STATE_DIR/alerts.json"
    done
    [ "$(mail_count mail)" = 3 ]
}

@test "what is no mail server is told" {
    run -1 env SFB_SMTP_URL=smtps://nowhere.invalid "$SFB" alert --test
    mentions "$output" 'nowhere.invalid' 'SFB_SMTP_URL'
    SFB_SMTP_URL=smtp://localhost:${HOOK##*:} run -1 sfb alert --test
    mentions "$output" '❌ mail (localhost:'
}

@test "control characters in an address begin no header" {
    to_server
    SFB_ALERT_TO=$'ops@example.com\r\nBcc: eve@example.com' run -1 sfb alert --test
    mentions "$output" 'control character'
    SFB_ALERT_FROM=$'x\r\nBcc: eve@example.com <a@b.c>' run -1 sfb alert --test
    [ "$(mail_count mail)" = 0 ]
}
