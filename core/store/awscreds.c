/* SPDX-License-Identifier: PostgreSQL */
#include "core/store/awscreds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/store/awscreds_impl.h"

#define MARGIN 300  /* seconds before the end at which temporary credentials are renewed */
#define MAX_CHAIN 5 /* profiles that take their keys from each other */

time_t awscreds_now(const struct awscreds *c)
{
    return c->p.now ? c->p.now() : time(NULL);
}

const char *awscreds_variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

void aws_key_release(struct aws_key *k)
{
    if (k->token)
        text_wipe(k->token, strlen(k->token));
    free(k->token);
    text_wipe(k, sizeof *k);
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text == 0x7F)
            return false;
    return true;
}

int awscreds_set(struct aws_key *k, const char *id, const char *secret, const char *token, time_t expires,
                 const char *origin, struct err *err)
{
    aws_key_release(k);
    if (!id || !secret || !*id || !*secret || strlen(id) >= sizeof k->id || strlen(secret) >= sizeof k->secret ||
        !is_printable(id) || !is_printable(secret) ||
        (token && (strlen(token) > AWSCREDS_TOKEN || !is_printable(token)))) {
        err_set(err, ERR_CONFIG, "the AWS credentials from %s can't be credentials", origin);
        err_hint(err, "an access key id and a secret access key without spaces; is one of them missing?");
        return -1;
    }
    snprintf(k->id, sizeof k->id, "%s", id);
    snprintf(k->secret, sizeof k->secret, "%s", secret);
    k->token = token && *token ? strdup(token) : NULL;
    k->expires = expires;
    if (token && *token && !k->token)
        return err_no_memory(err);
    return 0;
}

static int copy_key(struct aws_key *out, const struct aws_key *from, struct err *err)
{
    char *token = NULL;

    if (from->token && !(token = strdup(from->token)))
        return err_no_memory(err);
    *out = *from;
    out->token = token;
    return 0;
}

/* ---- what needs no network ----------------------------------------------------------------------------------- */

static enum awscreds_found from_environment(struct aws_key *k, char origin[AWSCREDS_ORIGIN], struct err *err)
{
    const char *id = awscreds_variable("AWS_ACCESS_KEY_ID"), *secret = awscreds_variable("AWS_SECRET_ACCESS_KEY");

    if (!id && !secret)
        return AWSCREDS_ABSENT;
    snprintf(origin, AWSCREDS_ORIGIN, "the environment (AWS_ACCESS_KEY_ID)");
    if (!id || !secret) {
        err_set(err, ERR_CONFIG, "%s is set, but not %s", id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
        return AWSCREDS_FAILED;
    }
    return awscreds_set(k, id, secret, awscreds_variable("AWS_SESSION_TOKEN"), 0, origin, err) < 0 ? AWSCREDS_FAILED
                                                                                                   : AWSCREDS_FOUND;
}

static enum awscreds_found from_keys(struct awscreds *c, const char *profile, struct aws_key *k,
                                     char origin[AWSCREDS_ORIGIN], struct err *err)
{
    const char *id = awsconf_get(c->p.conf, profile, "aws_access_key_id", origin);
    const char *secret = awsconf_get(c->p.conf, profile, "aws_secret_access_key", NULL);

    if (!id)
        return AWSCREDS_ABSENT;
    return awscreds_set(k, id, secret, awsconf_get(c->p.conf, profile, "aws_session_token", NULL), 0, origin, err) < 0
             ? AWSCREDS_FAILED
             : AWSCREDS_FOUND;
}

/* ---- roles --------------------------------------------------------------------------------------------------- */

static enum awscreds_found from_profile(struct awscreds *c, const char *profile, unsigned depth, struct aws_key *k,
                                        char origin[AWSCREDS_ORIGIN], struct err *err);

static enum awscreds_found from_named_source(struct awscreds *c, const char *profile, const char *name,
                                             struct aws_key *k, struct err *err)
{
    char origin[AWSCREDS_ORIGIN];
    enum awscreds_found found = AWSCREDS_FAILED;

    if (strcmp(name, "Environment") == 0)
        found = from_environment(k, origin, err);
    else if (strcmp(name, "EcsContainer") == 0)
        found = awscreds_container(c, k, origin, err);
    else if (strcmp(name, "Ec2InstanceMetadata") == 0)
        found = awscreds_imds(c, k, origin, err);
    else
        err_set(err, ERR_CONFIG, "profile %s: there is no credential_source %s", profile, name);
    if (found == AWSCREDS_ABSENT) {
        err_set(err, ERR_CONFIG, "profile %s takes its keys from %s, and there are none", profile, name);
        found = AWSCREDS_FAILED;
    }
    return found;
}

static enum awscreds_found base_of_role(struct awscreds *c, const char *profile, unsigned depth, struct aws_key *k,
                                        struct err *err)
{
    const char *source = awsconf_get(c->p.conf, profile, "source_profile", NULL);
    const char *named = awsconf_get(c->p.conf, profile, "credential_source", NULL);
    char origin[AWSCREDS_ORIGIN] = "";
    enum awscreds_found found;

    if (named)
        return from_named_source(c, profile, named, k, err);
    if (!awsconf_has_profile(c->p.conf, source)) {
        err_set(err, ERR_CONFIG, "profile %s: there is no source_profile %s", profile, source);
        return AWSCREDS_FAILED;
    }
    found = strcmp(source, profile) == 0 ? from_keys(c, source, k, origin, err)
                                         : from_profile(c, source, depth + 1, k, origin, err);
    if (found == AWSCREDS_ABSENT) {
        err_set(err, ERR_CONFIG, "profile %s: its source_profile %s has no keys", profile, source);
        found = AWSCREDS_FAILED;
    }
    return found;
}

static enum awscreds_found from_role(struct awscreds *c, const char *profile, unsigned depth, struct aws_key *k,
                                     char origin[AWSCREDS_ORIGIN], struct err *err)
{
    struct awscreds_role role = {
        .session = awsconf_get(c->p.conf, profile, "role_session_name", NULL),
        .external_id = awsconf_get(c->p.conf, profile, "external_id", NULL),
        .duration = awsconf_get(c->p.conf, profile, "duration_seconds", NULL),
    };
    struct aws_key base = { 0 };
    char from[AWSCREDS_ORIGIN];
    enum awscreds_found found;

    role.arn = awsconf_get(c->p.conf, profile, "role_arn", from);
    if (!role.arn || (!awsconf_get(c->p.conf, profile, "source_profile", NULL) &&
                      !awsconf_get(c->p.conf, profile, "credential_source", NULL)))
        return AWSCREDS_ABSENT;
    if (awsconf_get(c->p.conf, profile, "mfa_serial", NULL)) {
        err_set(err, ERR_CONFIG, "profile %s wants a code for its role (mfa_serial), and nobody is there to type it",
                profile);
        return AWSCREDS_FAILED;
    }
    snprintf(origin, AWSCREDS_ORIGIN, "role %.200s, by STS (%.256s)", role.arn, from);
    found = base_of_role(c, profile, depth, &base, err);
    if (found == AWSCREDS_FOUND && awscreds_assume(c, &role, &base, k, err) < 0)
        found = AWSCREDS_FAILED;
    aws_key_release(&base);
    return found;
}

static enum awscreds_found from_web_identity(struct awscreds *c, const char *profile, struct aws_key *k,
                                             char origin[AWSCREDS_ORIGIN], struct err *err)
{
    const char *file = profile ? awsconf_get(c->p.conf, profile, "web_identity_token_file", origin)
                               : awscreds_variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    struct awscreds_role role = {
        .arn = profile ? awsconf_get(c->p.conf, profile, "role_arn", NULL) : awscreds_variable("AWS_ROLE_ARN"),
        .session = profile ? awsconf_get(c->p.conf, profile, "role_session_name", NULL)
                           : awscreds_variable("AWS_ROLE_SESSION_NAME"),
    };

    if (!file)
        return AWSCREDS_ABSENT;
    if (!role.arn) {
        err_set(err, ERR_CONFIG, "web identity: there is a token file, %s, but no role (%s)", file,
                profile ? "role_arn" : "AWS_ROLE_ARN");
        return AWSCREDS_FAILED;
    }
    snprintf(origin, AWSCREDS_ORIGIN, "role %.200s, by web identity (%.256s)", role.arn, file);
    return awscreds_assume_web(c, &role, file, k, err) < 0 ? AWSCREDS_FAILED : AWSCREDS_FOUND;
}

/* What AWS's own tools can do and sfb can't must not end in somebody else's credentials. */
static enum awscreds_found not_supported(struct awscreds *c, const char *profile, struct err *err)
{
    static const char *const kinds[] = { "credential_process", "sso_session", "sso_start_url", "login_session", NULL };

    for (const char *const *kind = kinds; *kind; kind++)
        if (awsconf_get(c->p.conf, profile, *kind, NULL)) {
            err_set(err, ERR_CONFIG, "profile %s gets its credentials by %s, which sfb can't", profile, *kind);
            err_hint(err, "give it keys, a role, or `eval \"$(aws configure export-credentials --format env)\"`");
            return AWSCREDS_FAILED;
        }
    return AWSCREDS_ABSENT;
}

static enum awscreds_found from_profile(struct awscreds *c, const char *profile, unsigned depth, struct aws_key *k,
                                        char origin[AWSCREDS_ORIGIN], struct err *err)
{
    enum awscreds_found found;

    if (depth == MAX_CHAIN) {
        err_set(err, ERR_CONFIG, "profile %s: its source_profile leads nowhere", profile);
        return AWSCREDS_FAILED;
    }
    if ((found = from_role(c, profile, depth, k, origin, err)) != AWSCREDS_ABSENT)
        return found;
    if (depth == 0 && (found = from_web_identity(c, NULL, k, origin, err)) != AWSCREDS_ABSENT)
        return found;
    if ((found = from_web_identity(c, profile, k, origin, err)) != AWSCREDS_ABSENT)
        return found;
    if ((found = from_keys(c, profile, k, origin, err)) != AWSCREDS_ABSENT)
        return found;
    return not_supported(c, profile, err);
}

/* ---- the chain ----------------------------------------------------------------------------------------------- */

static int look_everywhere(struct awscreds *c, struct aws_key *k, char origin[AWSCREDS_ORIGIN], struct err *err)
{
    const char *profile = awsconf_profile(c->p.conf);
    enum awscreds_found found = from_environment(k, origin, err);

    if (found == AWSCREDS_ABSENT)
        found = from_profile(c, profile, 0, k, origin, err);
    if (found == AWSCREDS_ABSENT)
        found = awscreds_container(c, k, origin, err);
    if (found == AWSCREDS_ABSENT)
        found = awscreds_imds(c, k, origin, err);
    if (found == AWSCREDS_FOUND)
        return 0;
    if (found == AWSCREDS_ABSENT) {
        err_set(err, ERR_CONFIG, "there are no AWS credentials");
        err_hint(err,
                 "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this host a role: neither "
                 "environment, profile %s, web identity, container nor instance metadata has any",
                 profile);
    }
    return -1;
}

static bool is_fresh(const struct awscreds *c)
{
    return c->key.version > 0 && !c->stale && (c->key.expires == 0 || awscreds_now(c) < c->renew_at);
}

/* With the lock. Credentials that are good for a while yet bridge a source that has a bad moment. */
static int renew(struct awscreds *c, struct err *err)
{
    char origin[AWSCREDS_ORIGIN] = "";
    struct aws_key k = { 0 };
    struct err trouble = { 0 };
    time_t now = awscreds_now(c);

    if (look_everywhere(c, &k, origin, &trouble) < 0) {
        aws_key_release(&k);
        if (c->key.version > 0 && !c->stale && now < c->key.expires) {
            log_debug("credentials can't be renewed yet: %s", trouble.message);
            c->renew_at = now + 10 < c->key.expires ? now + 10 : c->key.expires;
            return 0;
        }
        *err = trouble;
        if (c->key.version > 0 && err->class == ERR_STORE)
            err_code(err, AWSCREDS_LATER);
        return -1;
    }
    k.version = c->key.version + 1;
    aws_key_release(&c->key);
    c->key = k;
    c->renewable = k.expires != 0;
    c->stale = false;
    c->renew_at = k.expires - MARGIN > now ? k.expires - MARGIN : now + (k.expires - now) / 2;
    snprintf(c->origin, sizeof c->origin, "%s", origin);
    log_debug("AWS credentials: %s, access key %s", origin, k.id);
    return 0;
}

int awscreds_get(struct awscreds *c, struct aws_key *out, struct err *err)
{
    int rc = 0;

    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&c->lock);
    if (!is_fresh(c))
        rc = renew(c, err);
    if (rc == 0)
        rc = copy_key(out, &c->key, err);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

bool awscreds_expired(struct awscreds *c, const struct aws_key *used)
{
    bool renewable;

    pthread_mutex_lock(&c->lock);
    renewable = c->renewable;
    if (renewable && used->version == c->key.version)
        c->stale = true;
    pthread_mutex_unlock(&c->lock);
    return renewable;
}

const char *awscreds_origin(struct awscreds *c)
{
    return c->origin[0] ? c->origin : "nowhere yet";
}

int awscreds_identity(struct awscreds *c, struct buf *out, struct err *err)
{
    struct aws_key k = { 0 };
    int rc = awscreds_get(c, &k, err);

    if (rc == 0)
        rc = awscreds_whoami(c, &k, out, err);
    aws_key_release(&k);
    return rc;
}

/* ---- new, free ----------------------------------------------------------------------------------------------- */

struct awscreds *awscreds_new(const struct awscreds_params *p, struct err *err)
{
    struct awscreds *c = calloc(1, sizeof *c);
    const char *region = p->region ? p->region : awsconf_region(p->conf, NULL);

    if (!c)
        goto fail;
    c->p = *p;
    c->p.region = NULL;
    c->region = region ? strdup(region) : NULL;
    c->ca_bundle = p->http.ca_bundle ? strdup(p->http.ca_bundle) : NULL;
    c->p.http.ca_bundle = c->ca_bundle;
    pthread_mutex_init(&c->lock, NULL);
    if ((region && !c->region) || (p->http.ca_bundle && !c->ca_bundle))
        goto fail;
    return c;
fail:
    awscreds_free(c);
    err_no_memory(err);
    return NULL;
}

void awscreds_free(struct awscreds *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    aws_key_release(&c->key);
    free(c->region);
    free(c->ca_bundle);
    free(c);
}
