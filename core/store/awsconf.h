/* SPDX-License-Identifier: PostgreSQL */
/* awsconf.h - what the environment and the files below ~/.aws say, read as AWS's own tools read them.
 *
 * Environment beats profile. Files: AWS_CONFIG_FILE (~/.aws/config; [default], [profile NAME]) and
 * AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials; [NAME]), of which the second wins. Each value knows where it is
 * from, so that `sfb doctor` can say it. A file that is not there is no error; one that can't be read is.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/base/buf.h"
#include "core/base/err.h"

#define AWSCONF_ORIGIN 256

struct awsconf;
struct awsconf *awsconf_load(struct err *err); /* ERR_CONFIG: a file can't be read, AWS_PROFILE names no profile */
void awsconf_free(struct awsconf *c);

const char *awsconf_profile(const struct awsconf *c); /* AWS_PROFILE, AWS_DEFAULT_PROFILE, "default" */
bool awsconf_has_profile(const struct awsconf *c, const char *profile);

/* A value of a profile; NULL: none. origin (may be NULL) gets "profile NAME in FILE". "s3.addressing_style" is a value
 * of the nested s3 section. */
const char *awsconf_get(const struct awsconf *c, const char *profile, const char *key, char origin[AWSCONF_ORIGIN]);

/* What the settings of AWS's tools come to; NULL: not set. */
const char *awsconf_region(const struct awsconf *c, char origin[AWSCONF_ORIGIN]);
const char *awsconf_s3_endpoint(const struct awsconf *c, char origin[AWSCONF_ORIGIN]);
const char *awsconf_sts_endpoint(const struct awsconf *c, char origin[AWSCONF_ORIGIN]);
const char *awsconf_ca_bundle(const struct awsconf *c, char origin[AWSCONF_ORIGIN]);
