/* SPDX-License-Identifier: PostgreSQL */
/* doctor_impl.h - for the doctor*.c files: one examination. */
#pragma once
#include <stdint.h>
#include "core/backup/doctor.h"
#include "core/store/s3.h"

struct doctor_exam {
    const struct doctor_params *p;
    struct doctor_report *r;
    uint64_t table_bytes; /* of the environment's database; 0: not known */
    struct store *store;  /* NULL: could not be opened */
    struct s3 *s3;        /* NULL: a directory */
    bool answers;         /* it is worth asking more */
    const char *base;     /* put before every key of the bucket: "" or "prefix/" */
    char base_text[1100];
    enum s3_versioning versioning;
    bool versioning_known;
    time_t newest; /* of the environment's backups in the store; 0: none, or not known */
};

/* A setting and who said it: "SFB_BUCKET, from the environment". */
#define DOCTOR_ORIGIN 320
const char *doctor_origin(char out[DOCTOR_ORIGIN], const struct settings *s, enum setting which);

/* doctor_host.c */
void doctor_host_settings(struct doctor_exam *e);
void doctor_host_database(struct doctor_exam *e);
void doctor_host_directories(struct doctor_exam *e);

/* doctor_store.c */
void doctor_store_open(struct doctor_exam *e);
void doctor_store_reach(struct doctor_exam *e);
void doctor_store_backups(struct doctor_exam *e);
void doctor_store_write(struct doctor_exam *e);

/* doctor_bucket.c */
void doctor_bucket_protection(struct doctor_exam *e);
void doctor_bucket_lifecycle(struct doctor_exam *e);
void doctor_bucket_uploads(struct doctor_exam *e);
