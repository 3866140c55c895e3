/* SPDX-License-Identifier: PostgreSQL */
/* awscreds_impl.h - for the awscreds*.c files: sources that are asked over the network.
 *
 * A source returns FOUND, ABSENT when it is not configured here, or FAILED with err.
 */
#pragma once
#include <pthread.h>
#include "core/store/awscreds.h"

enum awscreds_found { AWSCREDS_FAILED = -1, AWSCREDS_ABSENT, AWSCREDS_FOUND };

#define AWSCREDS_ORIGIN 512 /* at least AWSCONF_ORIGIN */

struct awscreds {
    struct awscreds_params p;
    char *region, *ca_bundle;
    pthread_mutex_t lock;
    struct aws_key key; /* the present one; version 0: none yet */
    bool renewable, stale;
    time_t renew_at;
    char origin[AWSCREDS_ORIGIN];
};

/* The time as these credentials know it. */
time_t awscreds_now(const struct awscreds *c);
const char *awscreds_variable(const char *name); /* NULL when it is empty, too */

/* Sets a key's parts. ERR_CONFIG when they can't be a key. */
int awscreds_set(struct aws_key *k, const char *id, const char *secret, const char *token, time_t expires,
                 const char *origin, struct err *err);

/* ---- awscreds_meta.c: JSON over HTTP from close by ------------------------------------------------------------- */

enum awscreds_found awscreds_container(struct awscreds *c, struct aws_key *k, char origin[AWSCREDS_ORIGIN],
                                       struct err *err);
enum awscreds_found awscreds_imds(struct awscreds *c, struct aws_key *k, char origin[AWSCREDS_ORIGIN], struct err *err);
/* For both, and pure: {"AccessKeyId": ..., "SecretAccessKey": ..., "Token": ..., "Expiration": ...} */
int awscreds_parse_json(const char *text, const char *origin, struct aws_key *k, struct err *err);

/* ---- awscreds_sts.c: XML over HTTPS ---------------------------------------------------------------------------- */

struct awscreds_role {
    const char *arn, *session, *external_id, *duration; /* NULL: none, a name of ours, none, the role's own */
};
int awscreds_assume(struct awscreds *c, const struct awscreds_role *role, const struct aws_key *base, struct aws_key *k,
                    struct err *err);
int awscreds_assume_web(struct awscreds *c, const struct awscreds_role *role, const char *token_file, struct aws_key *k,
                        struct err *err);
int awscreds_whoami(struct awscreds *c, const struct aws_key *key, struct buf *out, struct err *err);
