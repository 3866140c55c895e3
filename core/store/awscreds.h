/* SPDX-License-Identifier: PostgreSQL */
/* awscreds.h - credentials, found where AWS's own tools find them, and fresh.
 *
 * In this order, the first that is there: environment (AWS_ACCESS_KEY_ID ...); the profile, when AWS_PROFILE names one,
 * and web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, as EKS sets them); the profile files' default (keys,
 * role_arn with source_profile or credential_source, web_identity_token_file); the container endpoint
 * (AWS_CONTAINER_CREDENTIALS_*); IMDSv2, never v1. A source that is there and fails is an error: the next one would be
 * somebody else.
 *
 * Thread-safe. Temporary credentials are renewed five minutes before they end, by whichever thread asks first.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include "core/base/err.h"
#include "core/io/http.h"
#include "core/store/awsconf.h"
#include "core/store/sigv4.h"

#define AWSCREDS_TOKEN 16384 /* session tokens are long, this is longer */

struct aws_key {
    char id[256], secret[256];
    char *token;           /* NULL: none */
    time_t expires;        /* 0: never */
    unsigned long version; /* counts renewals */
};

struct awscreds_params {
    const struct awsconf *conf; /* kept; must outlive it */
    const char *region;         /* for STS; NULL: awsconf_region, else the global endpoint */
    struct http_params http;    /* for STS; metadata endpoints never go through proxies */
    time_t (*now)(void);        /* NULL: the clock */
};

struct awscreds;
struct awscreds *awscreds_new(const struct awscreds_params *p, struct err *err);
void awscreds_free(struct awscreds *c);

/* A copy of the present ones; release it. Looks them up at the first call, which may ask the network.
 * -1: ERR_CONFIG when there are none anywhere, with what was looked at; ERR_CONFIG or ERR_STORE when a source fails. With
 * the code AWSCREDS_LATER the source has given some before, and can't be reached now: that may pass. */
#define AWSCREDS_LATER "CredentialsNotNow"
int awscreds_get(struct awscreds *c, struct aws_key *out, struct err *err);
void aws_key_release(struct aws_key *k); /* wiped too */

/* The server says that these are over: the next awscreds_get renews them, unless that has happened already. false when
 * they can't be renewed: fixed keys. */
bool awscreds_expired(struct awscreds *c, const struct aws_key *used);

/* "environment (AWS_ACCESS_KEY_ID)", "profile prod in ~/.aws/config, role arn:..., by STS"; "" before the first get. */
const char *awscreds_origin(struct awscreds *c);

/* Who these are, as sts:GetCallerIdentity says: the ARN added to out. For `sfb doctor`. */
int awscreds_identity(struct awscreds *c, struct buf *out, struct err *err);
