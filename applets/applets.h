/* SPDX-License-Identifier: PostgreSQL */
/* applets.h - every command of sfb, once. X(identifier); the file is applets/identifier.c, a test compares. */
#pragma once

#define APPLETS(X) \
    X(backup)      \
    X(restore)     \
    X(verify)      \
    X(list)        \
    X(prune)       \
    X(drill)       \
    X(status)      \
    X(doctor)      \
    X(alert)       \
    X(config)      \
    X(pg_dump)     \
    X(pg_restore)  \
    X(psql)        \
    X(licenses)    \
    X(version)
