/* SPDX-License-Identifier: PostgreSQL */
/* banned.h - names that sfb's own code may not use; forced into every file of it (cc -include).
 *
 * Each has a safe brother: snprintf, buf_printf, text_parse_*, os_file_*, fork without a shell. The headers that declare
 * the banned names come first, then nobody can say the names any more, not even a macro.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* must stand before the first header, and that is here */
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#pragma GCC poison strcpy strcat stpcpy strncat strncpy /* no bounds, or no NUL: memcpy, snprintf, buf */
#pragma GCC poison sprintf vsprintf gets                /* snprintf, buf_printf */
#pragma GCC poison system popen pclose                  /* fork and a program's main: no shell is needed */
#pragma GCC poison mktemp tmpnam tempnam tmpfile        /* os_file_create */
#pragma GCC poison strtok atoi atol atoll atof          /* strsep; text_parse_int */
#pragma GCC poison asctime ctime gmtime localtime       /* clock_*: UTC, and safe in threads */
#pragma GCC poison longjmp siglongjmp setjmp vfork
