/* SPDX-License-Identifier: PostgreSQL */
/* tool_store.c - the store layer by hand, for test/live/store*.bats: tool_store URL COMMAND ...
 *
 *     put KEY FILE | get KEY | read KEY OFFSET N [ETAG] | head KEY | list [PREFIX] | count [PREFIX] | delete KEY
 *     copy FROM TO | upload KEY FILE [EXPECTED] (as a stream) | follow KEY FILE (the file grows meanwhile)
 *     file KEY FILE | download KEY FILE [ETAG] | patch KEY FILE (the first 5 bytes become PATCH at the end)
 *     raw METHOD KEY|- QUERY|- [BODY]: one signed request, the answer's body on stdout
 *     probe | facts | whoami | who | uploads [PREFIX] | abort KEY ID | lifecycle | set-lifecycle | split URL
 *
 * TOOL_* variables fill struct store_params. Errors: "CLASS: message" and "hint: ..." on stderr, exit code 10 + class.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/store/s3_impl.h"

static struct store *store;
static struct err err;
static char **args;

static const char *const classes[] = {
    "NONE",    "USAGE", "CONFIG", "NOT_FOUND", "CONNECT",   "DUMP",   "RESTORE", "UPLOAD",   "STORE",
    "DAMAGED", "PROOF", "SPACE",  "BUSY",      "CANCELLED", "SIGNAL", "IO",      "INTERNAL",
};

static long number(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

static time_t shifted(void)
{
    return time(NULL) + number("TOOL_CLOCK", 0);
}

static int show(const struct store_result *r)
{
    static const char *const proofs[] = { "none", "md5", "etag", "disk" };

    printf("size=%" PRIu64 " parts=%u etag=%s proof=%s sse=%s request=%s version=%s\n", r->size, r->parts, r->etag,
           proofs[r->proof], r->sse, r->request_id, r->version_id);
    return 0;
}

static uint64_t moved;
static void on_progress(void *cookie, uint64_t n)
{
    (void)cookie;
    moved += n;
}

static unsigned long listed;
static int on_item(void *cookie, const struct store_item *item, struct err *e)
{
    (void)e;
    listed++;
    if (cookie)
        printf("%s %" PRIu64 " %s\n", item->key, item->size, item->etag);
    return 0;
}

/* ---- commands ------------------------------------------------------------------------------------------------ */

static int do_put(void)
{
    struct store_result r;
    struct buf b;
    int rc = -1;

    buf_init(&b, 1024UL << 20);
    if (os_read_file(args[1], &b, &err) == 0 && store_put(store, args[0], b.data, b.size, args[2], &r, &err) == 0)
        rc = show(&r);
    buf_release(&b);
    return rc;
}

static int to_stdout(uint64_t offset, uint64_t n, const char *etag)
{
    struct store_reader *r = store_reader_open(store, args[0], etag, offset, n, &err);
    ssize_t got = -1;
    char piece[65536];

    while (r && (got = store_reader_read(r, piece, sizeof piece, &err)) > 0)
        if (os_write(1, piece, (size_t)got, "stdout", &err) < 0)
            break;
    store_reader_close(r);
    return got == 0 ? 0 : -1;
}

static int do_get(void)
{
    return to_stdout(0, UINT64_MAX, NULL);
}

static int do_read(void)
{
    return to_stdout(strtoull(args[1], NULL, 10), strtoull(args[2], NULL, 10), args[3]);
}

static int do_head(void)
{
    struct store_info i;

    if (store_head(store, args[0], &i, &err) < 0)
        return -1;
    printf("size=%" PRIu64 " modified=%lld etag=%s sse=%s\n", i.size, (long long)i.modified, i.etag, i.sse);
    return 0;
}

static int do_list(void)
{
    return store_list(store, args[0] ? args[0] : "", on_item, "", &err);
}

static int do_count(void)
{
    int rc = store_list(store, args[0] ? args[0] : "", on_item, NULL, &err);

    printf("%lu\n", listed);
    return rc;
}

static int do_delete(void)
{
    return store_delete(store, args[0], &err);
}

static int do_copy(void)
{
    struct store_result r;
    bool denied;

    if (store_copy(store, args[0], args[1], &r, &denied, &err) < 0) {
        printf("denied=%d\n", denied);
        return -1;
    }
    return show(&r);
}

static struct upload_params params_of_upload(void)
{
    return (struct upload_params){
        .expected_size = (uint64_t)number("TOOL_EXPECTED", 0),
        .if_absent = number("TOOL_IF_ABSENT", 0),
        .progress = on_progress,
    };
}

static int do_upload(void)
{
    struct upload_params p = params_of_upload();
    struct store_result r;
    struct upload *u = upload_begin(store, args[0], &p, &err);
    uint64_t hold = (uint64_t)number("TOOL_HOLD", 0), patch_at = (uint64_t)number("TOOL_PATCH_AT", 0);
    int fd = strcmp(args[1], "-") == 0 ? 0 : open(args[1], O_RDONLY), rc = -1;
    char piece[100000];
    ssize_t got = 0;

    if (u && upload_hold(u, hold, &err) < 0)
        goto out;
    while (u && (got = os_read(fd, piece, sizeof piece, args[1], &err)) > 0)
        if (upload_write(u, piece, (size_t)got, &err) < 0)
            goto out;
    if (!u || got < 0)
        goto out;
    if (args[2] && upload_patch_first(u, patch_at, args[2], strlen(args[2]), &err) < 0)
        goto out;
    rc = upload_finish(u, &r, &err);
out:
    upload_free(u);
    if (rc == 0)
        show(&r);
    printf("moved=%" PRIu64 "\n", moved);
    return rc;
}

/* Says how far the file has got in small steps, as a dump that is being written would; patches it before the end. */
static int do_follow(void)
{
    struct upload_params p = params_of_upload();
    struct store_result r;
    struct upload *u;
    struct stat st;
    int rc = -1;

    p.fd = open(args[1], O_RDWR);
    if (p.fd < 0 || fstat(p.fd, &st) < 0 || !(u = upload_begin(store, args[0], &p, &err)))
        return -1;
    if (upload_hold(u, (uint64_t)number("TOOL_HOLD", 0), &err) < 0)
        goto out;
    for (uint64_t at = 0; at < (uint64_t)st.st_size; at += 333333)
        if (upload_advance(u, at, &err) < 0)
            goto out;
    if (getenv("TOOL_UNTIL"))
        close(open(getenv("TOOL_UNTIL"), O_RDONLY)); /* a FIFO, till somebody opens its other end */
    if (args[2] && os_pwrite(p.fd, args[2], strlen(args[2]), (uint64_t)number("TOOL_PATCH_AT", 0), args[1], &err) < 0)
        goto out;
    if (upload_end(u, (uint64_t)st.st_size, &err) == 0)
        rc = upload_finish(u, &r, &err);
out:
    upload_free(u);
    if (rc == 0)
        show(&r);
    return rc;
}

static int do_file(void)
{
    struct upload_params p = params_of_upload();
    struct store_result r;
    int fd = open(args[1], O_RDONLY);

    return fd < 0 || store_upload_file(store, args[0], fd, &p, &r, &err) < 0 ? -1 : show(&r);
}

static int do_download(void)
{
    struct store_info i;
    int fd = open(args[1], O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || store_download(store, args[0], args[2], fd, &i, on_progress, NULL, &err) < 0)
        return -1;
    printf("size=%" PRIu64 " etag=%s moved=%" PRIu64 "\n", i.size, i.etag, moved);
    return 0;
}

static int do_probe(void)
{
    struct s3_probe p;

    if (s3_probe_bucket(store_s3(store), &p, &err) < 0)
        return -1;
    printf("status=%d code=%s region=%s ahead=%.0f request=%s\n", p.status, p.code, p.region, p.clock_ahead,
           p.request_id);
    return 0;
}

static int do_facts(void)
{
    struct s3 *s = store_s3(store);
    enum s3_versioning v = 0;
    struct s3_lock l = { 0 };
    struct s3_encryption e = { 0 };
    struct buf region;
    bool denied;

    buf_init(&region, 100);
    if (s3_get_location(s, &region, &denied, &err) < 0 || s3_get_versioning(s, &v, &denied, &err) < 0 ||
        s3_get_object_lock(s, &l, &denied, &err) < 0 || s3_get_encryption(s, &e, &denied, &err) < 0) {
        printf("denied=%d\n", denied);
        return -1;
    }
    printf("location=%s versioning=%d lock=%d/%s/%d/%d encryption=%s\n", region.data, v, l.enabled, l.mode, l.days,
           l.years, e.algorithm);
    buf_release(&region);
    return 0;
}

static int do_who(void)
{
    struct s3 *s = store_s3(store);
    struct aws_key k;
    struct buf region;

    buf_init(&region, 100);
    if (awscreds_get(s3_creds(s), &k, &err) < 0 || s3_region(s, &region, &err) < 0)
        return -1;
    printf("id=%s token=%s expires=%lld\nfrom %s\nendpoint %s from %s\nregion %s from %s\npath=%d\n", k.id,
           k.token ? k.token : "", (long long)k.expires, awscreds_origin(s3_creds(s)), s3_endpoint(s),
           s3_endpoint_origin(s), region.data, s3_region_origin(s), s3_is_path_style(s));
    buf_release(&region);
    aws_key_release(&k);
    return 0;
}

static int do_whoami(void)
{
    struct buf out;

    buf_init(&out, 1000);
    if (awscreds_identity(s3_creds(store_s3(store)), &out, &err) < 0)
        return -1;
    puts(out.data);
    buf_release(&out);
    return 0;
}

static int on_upload(void *cookie, const struct s3_open_upload *u, struct err *e)
{
    (void)cookie, (void)e;
    printf("%s %s\n", u->key, u->id);
    return 0;
}

static int do_uploads(void)
{
    bool denied;

    return s3_list_uploads(store_s3(store), args[0] ? args[0] : "", false, on_upload, NULL, &denied, &err);
}

static int do_abort(void)
{
    return s3_abort_upload(store_s3(store), args[0], args[1], NULL, &err);
}

static int do_lifecycle(void)
{
    struct s3_rule *rules;
    bool denied;
    size_t n;

    if (s3_get_lifecycle(store_s3(store), &rules, &n, &denied, &err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        printf("%s prefix=%s enabled=%d days=%d abort=%d narrowed=%d dated=%d noncurrent=%d moves=%d\n", rules[i].id,
               rules[i].prefix, rules[i].enabled, rules[i].expire_days, rules[i].abort_days, rules[i].narrowed,
               rules[i].dated, rules[i].noncurrent_days, rules[i].moves);
    free(rules);
    return 0;
}

static int do_set_lifecycle(void)
{
    static const struct s3_rule rules[] = {
        { .id = "daily", .prefix = "production/daily/", .enabled = true, .expire_days = 30 },
        { .id = "parts & pieces", .prefix = "", .enabled = true, .abort_days = 7 },
    };

    return s3_put_lifecycle(store_s3(store), rules, 2, NULL, &err);
}

/* Making buckets and policies is not sfb's business, but the tests'. */
static int do_raw(void)
{
    struct s3_call c = {
        .what = "do that to",
        .class = ERR_STORE,
        .method = args[0],
        .key = strcmp(args[1], "-") == 0 ? NULL : args[1],
        .query = strcmp(args[2], "-") == 0 ? NULL : args[2],
        .body = args[3] ? args[3] : "",
        .body_size = args[3] ? strlen(args[3]) : 0,
        .max_body = 1 << 20,
    };
    struct s3_answer a = { 0 };
    int rc = s3_call(store_s3(store), &c, &a, &err);

    fputs(a.http.body.data, stdout);
    s3_answer_release(&a);
    return rc;
}

static const struct command {
    const char *name;
    int n; /* arguments at least */
    int (*run)(void);
} commands[] = {
    { "put", 2, do_put },
    { "get", 1, do_get },
    { "read", 3, do_read },
    { "head", 1, do_head },
    { "list", 0, do_list },
    { "count", 0, do_count },
    { "delete", 1, do_delete },
    { "copy", 2, do_copy },
    { "upload", 2, do_upload },
    { "follow", 2, do_follow },
    { "file", 2, do_file },
    { "download", 2, do_download },
    { "probe", 0, do_probe },
    { "facts", 0, do_facts },
    { "who", 0, do_who },
    { "whoami", 0, do_whoami },
    { "uploads", 0, do_uploads },
    { "abort", 2, do_abort },
    { "raw", 3, do_raw },
    { "lifecycle", 0, do_lifecycle },
    { "set-lifecycle", 0, do_set_lifecycle },
};

static int complain(void)
{
    fprintf(stderr, "%s: %s\n", classes[err.class], err.message);
    if (err.hint[0])
        fprintf(stderr, "hint: %s\n", err.hint);
    return 10 + (int)err.class;
}

static struct store_params params(void)
{
    const char *sse = getenv("TOOL_SSE");
    struct store_params p = {
        .rights = (int)number("TOOL_RIGHTS", STORE_READ | STORE_WRITE | STORE_DELETE),
        .endpoint = getenv("TOOL_ENDPOINT"),
        .region = getenv("TOOL_REGION"),
        .addressing = getenv("TOOL_ADDRESSING"),
        .ca_bundle = getenv("TOOL_CA"),
        .kms_key_id = getenv("TOOL_KMS_KEY"),
        .allow_http = number("TOOL_ALLOW_HTTP", 0),
        .no_retry = number("TOOL_NO_RETRY", 0),
        .retry_seconds = (unsigned)number("TOOL_RETRY", 20),
        .max_parts = (unsigned)number("TOOL_MAX_PARTS", 0),
        .parallel = (unsigned)number("TOOL_PARALLEL", 0),
        .memory = (uint64_t)number("TOOL_MEMORY", 0),
        .copy_most = (uint64_t)number("TOOL_COPY_MOST", 0),
        .stall_seconds = (unsigned)number("TOOL_STALL", 0),
        .now = getenv("TOOL_CLOCK") ? shifted : NULL,
    };

    if (sse)
        p.sse = strcmp(sse, "none") == 0    ? STORE_SSE_NONE
              : strcmp(sse, "aws:kms") == 0 ? STORE_SSE_KMS
                                            : STORE_SSE_AES256;
    return p;
}

int main(int argc, char **argv)
{
    struct store_params p = params();
    struct rusage usage;
    int rc = 2;

    os_signals_catch();
    log_verbose(getenv("TOOL_VERBOSE") != NULL);
    if (argc < 3)
        return 2;
    args = argv + 3;
    store = store_open(argv[1], &p, &err);
    if (!store)
        return complain();
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, argv[2]) == 0 && argc - 3 >= commands[i].n)
            rc = commands[i].run() < 0 ? complain() : 0;
    store_close(store);
    if (getenv("TOOL_USAGE") && getrusage(RUSAGE_SELF, &usage) == 0)
        fprintf(stderr, "cpu=%.2f rss=%ld MiB\n",
                (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
                usage.ru_maxrss / 1024);
    return rc;
}
