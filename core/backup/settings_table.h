/* SPDX-License-Identifier: PostgreSQL */
/* settings_table.h - every setting of sfb, once: SETTING(id, name, default, secret, help).
 *
 * Not a header of its own: settings.h and settings.c include it with SETTING defined. ${APP} in a default stands for
 * the value of SFB_APP. secret: enum setting_secrecy.
 */
SETTING(APP, "SFB_APP", "signupflow", false, "name of the application: part of file, bucket and directory names")
SETTING(WORK_DIR, "SFB_WORK_DIR", "/tmp", false, "where dumps are written while they are made")
SETTING(CACHE_DIR, "SFB_CACHE_DIR", "/var/backups/${APP}", false, "local cache of recent backups; empty: no cache")
SETTING(CACHE_KEEP, "SFB_CACHE_KEEP", "7", false, "backups kept in the cache, per environment")
SETTING(LOG_DIR, "SFB_LOG_DIR", "/var/log", false, "directory of the audit logs")
SETTING(SYSLOG, "SFB_SYSLOG", "0", false,
        "1: audit events go to syslog or journald too (/dev/log); or the path of another socket")
SETTING(STATE_DIR, "SFB_STATE_DIR", "/var/lib/${APP}", false, "locks and history")
SETTING(PRODUCTION_URL, "PRODUCTION_DATABASE_URL", "", true, "database of the production environment")
SETTING(STAGING_URL, "STAGING_DATABASE_URL", "", true, "database of the staging environment")
SETTING(DATABASE_URL, "DATABASE_URL", "", true, "production's database when PRODUCTION_DATABASE_URL is not set")
SETTING(BUCKET, "SFB_BUCKET", "${APP}-backups", false,
        "the bucket, or a store's URL: s3://bucket/prefix, file:///mnt/backups")
SETTING(S3_PREFIX, "SFB_S3_PREFIX", "", false, "put before every key in the bucket")
SETTING(SSE, "SFB_SSE", "AES256", false, "encryption that S3 is asked for: AES256, aws:kms, aws:kms:KEY-ID, none")
SETTING(S3_MAX_PARTS, "SFB_S3_MAX_PARTS", "10000", false, "the most parts an upload may have; some providers take 1000")
SETTING(S3_MEMORY, "SFB_S3_MEMORY", "96", false,
        "MiB of memory for the parts of backup --stream; more carries larger databases")
SETTING(S3_RETRY_SECONDS, "SFB_S3_RETRY_SECONDS", "300", false, "how long a failing request to S3 is tried again")
SETTING(S3_ALLOW_HTTP, "SFB_S3_ALLOW_HTTP", "0", false, "1: plain http to S3 endpoints beyond this host")
SETTING(KEEP_AT_LEAST, "SFB_KEEP_AT_LEAST", "3", false,
        "good backups of each environment that prune keeps, however old")
SETTING(JOBS, "SFB_JOBS", "0", false, "threads and restore jobs; 0: as many as there are processors")
SETTING(LOCK_TIMEOUT, "SFB_LOCK_TIMEOUT", "300", false,
        "seconds pg_dump waits for a table that something else has locked; 0: forever")
SETTING(PG_BINDIR, "SFB_PG_BINDIR", "", false,
        "directory of the host's own PostgreSQL programs, for servers newer than sfb's")
SETTING(SCHEDULE_HOURS, "SFB_SCHEDULE_HOURS", "24", false,
        "hours from one scheduled backup to the next; 0: no schedule")
SETTING(RTO_MINUTES, "SFB_RTO_MINUTES", "60", false, "minutes that a recovery may take; 0: any")
SETTING(DRILL_DAYS, "SFB_DRILL_DAYS", "36", false, "days after which production needs another restore drill; 0: none")
SETTING(METRICS_FILE, "SFB_METRICS_FILE", "", false,
        "where every run writes metrics for Prometheus's textfile collector; empty: nowhere")
SETTING(SLACK_WEBHOOK_URL, "SFB_SLACK_WEBHOOK_URL", "", SETTING_SECRET,
        "alerts go to this incoming webhook, Slack's or one that understands Slack's messages")
SETTING(SLACK_FORMAT, "SFB_SLACK_FORMAT", "blocks", false,
        "blocks, or text: everything in the message's text, for Mattermost and others that show no blocks")
SETTING(SMTP_URL, "SFB_SMTP_URL", "", true, "alerts go by mail: smtp://HOST:587 (STARTTLS) or smtps://HOST")
SETTING(SMTP_USER, "SFB_SMTP_USER", "", false, "user at the mail server; empty: the URL's, or none")
SETTING(SMTP_PASSWORD, "SFB_SMTP_PASSWORD", "", SETTING_SECRET, "the user's password")
SETTING(SMTP_TLS, "SFB_SMTP_TLS", "", false,
        "TLS on smtp://: require, try, none; empty: none to this host itself, else require")
SETTING(ALERT_FROM, "SFB_ALERT_FROM", "", false,
        "sender of mails; empty: SFB_SMTP_USER when it is an address, else sfb@HOST")
SETTING(ALERT_TO, "SFB_ALERT_TO", "", false, "who gets mails: ops@example.com, \"Jane Doe\" <jane@example.com>")
SETTING(WEBHOOK_URL, "SFB_WEBHOOK_URL", "", SETTING_SECRET, "alerts go to this URL as JSON, by POST")
SETTING(WEBHOOK_SECRET, "SFB_WEBHOOK_SECRET", "", SETTING_SECRET,
        "key of the JSON's HMAC-SHA256, sent as X-Sfb-Signature-256: sha256=HEX")
SETTING(ALERT_REPEAT_HOURS, "SFB_ALERT_REPEAT_HOURS", "24", false,
        "the same failure is told again only after so many hours; 0: every time")
SETTING(HEARTBEAT_URL, "SFB_HEARTBEAT_URL", "", SETTING_SECRET,
        "dead man's switch, asked for when a backup is made and verified; URL/start and URL/fail too, as "
        "healthchecks.io has it, when the URL has no query")
SETTING(HEARTBEAT_START_URL, "SFB_HEARTBEAT_START_URL", "", SETTING_SECRET,
        "asked for when it begins; none: nothing is; empty: SFB_HEARTBEAT_URL/start")
SETTING(HEARTBEAT_FAIL_URL, "SFB_HEARTBEAT_FAIL_URL", "", SETTING_SECRET,
        "asked for when it fails; none: nothing is; empty: SFB_HEARTBEAT_URL/fail")
SETTING(HEARTBEAT_RUNS, "SFB_HEARTBEAT_RUNS", "backup:production", false,
        "whose heartbeat it is: backup, restore, verify, prune or drill, with :ENVIRONMENT or without, by commas")
