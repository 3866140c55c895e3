/* SPDX-License-Identifier: PostgreSQL */
/* auditing.h - verifies the audit log of this host, or of files: gathers what there is to compare it with, and reports. */
#pragma once
#include "core/backup/audit_check.h"
#include "core/backup/settings.h"

struct auditing_params {
    const struct settings *settings;
    char *const *paths; /* n 0: LOG_DIR/APP-audit.jsonl and its rotated files */
    size_t n;
    const char
        *against; /* URL of a store whose manifests name entries; NULL: none. The cache's are compared in any case */
    const char *head; /* "CHAIN:17:HASH", an entry that must be there; NULL: none */
    bool json;
};

/* Appends the report as text or JSON to *report. 0: the log is what was written. ERR_NOT_FOUND, and nothing to report:
 * there is none; ERR_DAMAGED: it is not; ERR_STORE: `against` can't be read. */
int auditing_run(const struct auditing_params *p, struct buf *report, struct err *err);
