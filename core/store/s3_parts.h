/* SPDX-License-Identifier: PostgreSQL */
/* s3_parts.h - for s3_upload.c: parts on their way, a few at once, in no order.
 *
 * Unlike in pool.h several may be held before they are handed over (their MD5s are computed side by side), and one that
 * has to be sent again and again holds up nobody else. Threads block all signals; those reach the caller's.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"

struct part {
    unsigned number;
    char *bytes; /* NULL: in the file */
    uint64_t room, size, offset;
    uint8_t md5[16];
    bool summed; /* md5 is known */
    struct part *next;
};

typedef int part_sender(void *cookie, struct part *p, struct err *err); /* on any thread; sets p->summed at need */

struct s3_parts;
/* threads send; at most `held` parts exist at a time, with at most `memory` bytes of room (or one part's, if that is
 * more). */
struct s3_parts *s3_parts_new(unsigned threads, unsigned held, uint64_t memory, part_sender *sender, void *cookie,
                              struct err *err);

/* A free part with so much room in memory (0: it is in the file), to be handed over by s3_parts_send; waits for one.
 * NULL and err: one could not be sent, or no memory. */
struct part *s3_parts_take(struct s3_parts *s, uint64_t room, struct err *err);
void s3_parts_send(struct s3_parts *s, struct part *p);
bool s3_parts_idle(struct s3_parts *s); /* somebody waits for work */

/* Waits for all that were handed over. -1 and err: what failed first. */
int s3_parts_wait(struct s3_parts *s, struct err *err);
void s3_parts_stop(struct s3_parts *s,
                   const struct err *why); /* what waits in line is dropped; take and wait fail so */
void s3_parts_free(struct s3_parts *s);    /* waits for those that are being sent */
