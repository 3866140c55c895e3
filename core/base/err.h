/* SPDX-License-Identifier: PostgreSQL */
/* err.h - one failure, as the person on call will read it.
 *
 * Everything in core that can fail returns 0 or -1 (or a pointer or NULL) and fills the struct err it was given.
 * Only sfb.c and the applets print it or turn it into an exit code, each by its own table of classes.
 *
 *     if (fd < 0)
 *         return err_set(err, ERR_IO, "can't open %s: %s", path, strerror(errno));
 *     ...
 *     err_hint(err, "free some space in %s, or set SFB_WORK_DIR to another disk", dir);
 *
 * A message names what failed and on what, without a full stop at its end. A hint says what to do next.
 * Both are cut, never overrun, when they are too long. Control characters are replaced when they are printed.
 */
#pragma once
#include <stdarg.h>

enum err_class {
    ERR_NONE,
    ERR_USAGE,     /* the command line is wrong */
    ERR_CONFIG,    /* a setting is wrong or missing */
    ERR_NOT_FOUND, /* the backup that was named does not exist or can't be opened */
    ERR_CONNECT,   /* no connection to the database server, or it was refused */
    ERR_DUMP,      /* pg_dump, or what it writes, failed */
    ERR_RESTORE,   /* pg_restore, psql or a statement of the restore failed */
    ERR_UPLOAD,    /* the store did not take an object */
    ERR_STORE,     /* the store could not be read or listed */
    ERR_DAMAGED,   /* a backup is not whole, or not what its manifest says */
    ERR_PROOF,     /* the restored database differs from the backup */
    ERR_SPACE,     /* a disk is full, or would be */
    ERR_BUSY,      /* another run holds the lock */
    ERR_CANCELLED, /* somebody said no, or nobody was there to say yes */
    ERR_SIGNAL,    /* a signal asked for the end: err.signal */
    ERR_IO,        /* a local file or directory */
    ERR_INTERNAL,  /* no memory, or a fault of sfb's own */
};

struct err {
    enum err_class class;
    int signal; /* with ERR_SIGNAL */
    char code
        [48]; /* what the other side calls it: S3's "AccessDenied"; empty: nothing, or nobody else had a part in it */
    char message[1024];
    char hint[1024]; /* empty: none */
};

/* The first failure counts: on an err that is already set, err_set does nothing. Always returns -1. */
int err_set(struct err *err, enum err_class class, const char *format, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *err, enum err_class class, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* ERR_SPACE when errno is ENOSPC or EDQUOT, else ERR_IO; ": strerror(errno)" is added. Always returns -1. */
int err_errno(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What to do next. A later hint replaces an earlier one. */
void err_hint(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The other side's name for a failure that is set. */
void err_code(struct err *err, const char *code);

/* Puts "CONTEXT: " in front of the message: for a caller that knows better what was being done. */
void err_context(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The class of a set err changes: a caller may know that what failed as ERR_IO means ERR_NOT_FOUND here. */
void err_reclass(struct err *err, enum err_class class);

void err_clear(struct err *err);

/* Memory ran out: sets ERR_INTERNAL with the usual words. Always returns -1. */
int err_no_memory(struct err *err);
