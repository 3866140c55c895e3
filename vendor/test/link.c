/* SPDX-License-Identifier: PostgreSQL */
/* link.c - everything that vendor/ builds, in one program: fork and be pg_dump, or fetch a URL.
 *
 *     link pg_dump15 ARGUMENTS… | link restart15 … | link https URL [CAFILE] | link query CONNINFO
 *
 * Run by vendor/test/run.sh.
 */
#include <archive.h>
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <libdeflate.h>
#include <libpq-fe.h>
#include <locale.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <sfb_pg_majors.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define DECLARE(n, v)                                                                                            \
    int pg_dump##n##_main(int, char **), pg_restore##n##_main(int, char **), pg_dumpall##n##_main(int, char **), \
        psql##n##_main(int, char **);
SFB_PG_MAJORS(DECLARE)
#define ENTRY(n, v)                                                                 \
    { "pg_dump" #n, pg_dump##n##_main }, { "pg_restore" #n, pg_restore##n##_main }, \
        { "pg_dumpall" #n, pg_dumpall##n##_main }, { "psql" #n, psql##n##_main },
static const struct {
    const char *name;
    int (*main)(int, char **);
} tools[] = { SFB_PG_MAJORS(ENTRY) };

void sfb_pg_setlocale(const char *argv0, const char *app)
{
    (void)argv0, (void)app;
    setlocale(LC_ALL, "");
}
int sfb_pg_find_other_exec(const char *argv0, const char *target, const char *version, char *path)
{
    (void)argv0, (void)target, (void)version;
    strcpy(path, "none");
    return 0;
}
int sfb_trust_add_embedded(void *ctx)
{
    fprintf(stderr, "hook called\n");
    return ctx != NULL;
}

static int https(const char *url, const char *ca)
{
    CURL *c = curl_easy_init();
    CURLcode rc;

    curl_easy_setopt(c, CURLOPT_URL, url);
    if (ca)
        curl_easy_setopt(c, CURLOPT_CAINFO, ca);
    rc = curl_easy_perform(c);
    fprintf(stderr, "%s: %s\n", url, curl_easy_strerror(rc));
    return rc != CURLE_OK;
}

static int query(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);
    PGresult *r;

    if (PQstatus(conn) != CONNECTION_OK) {
        fputs(PQerrorMessage(conn), stderr);
        return 1;
    }
    r = PQexec(conn, "select version()");
    printf("%s\n%s\n", PQgetvalue(r, 0, 0), PQsslInUse(conn) ? PQsslAttribute(conn, "protocol") : "no TLS");
    return 0;
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 2) {
        unsigned char md[EVP_MAX_MD_SIZE];
        curl_global_init(CURL_GLOBAL_ALL);
        printf("%s\n%s\n%s\nzstd %s cjson %s xxh3 %llx libpq %d md5 %d deflate %p\n", curl_version(),
               archive_version_details(), OpenSSL_version(OPENSSL_VERSION), ZSTD_versionString(), cJSON_Version(),
               (unsigned long long)XXH3_64bits("a", 1), PQlibVersion(), EVP_Digest("a", 1, md, NULL, EVP_md5(), NULL),
               (void *)libdeflate_alloc_compressor(12));
        archive_read_support_filter_all(archive_read_new());
        archive_read_support_format_all(archive_read_new());
        return 0;
    }
    if (strcmp(argv[1], "https") == 0)
        return https(argv[2], argc > 3 ? argv[3] : NULL);
    if (strcmp(argv[1], "query") == 0)
        return query(argv[2]);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        if (strcmp(argv[1], tools[i].name) == 0) {
            if (fork() == 0)
                exit(tools[i].main(argc - 1, argv + 1));
            wait(&status);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
        }
    return 127;
}
