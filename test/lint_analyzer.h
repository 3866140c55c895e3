/* SPDX-License-Identifier: PostgreSQL */
/* lint_analyzer.h - for clang-tidy only: what its analyzer can't know of functions in other files. */
#pragma once
#include "core/base/err.h"

/* They always return -1: without this it follows the path where an error was set and 0 came back. */
static inline int lint_minus_one(void)
{
    return -1;
}
#define err_set(...) ((void)err_set(__VA_ARGS__), lint_minus_one())
#define err_vset(...) ((void)err_vset(__VA_ARGS__), lint_minus_one())
#define err_errno(...) ((void)err_errno(__VA_ARGS__), lint_minus_one())
#define err_no_memory(err) ((void)err_no_memory(err), lint_minus_one())
