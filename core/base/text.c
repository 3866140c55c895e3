/* SPDX-License-Identifier: PostgreSQL */
/* text.c - numbers and names as people read them, and the little that C's strings lack. */
#include "core/base/text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- numbers ------------------------------------------------------------------------------------------------- */

const char *text_size(char out[TEXT_SHORT], uint64_t bytes)
{
    static const char *const units[] = { "KB", "MB", "GB", "TB", "PB", "EB" };
    double n = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(out, TEXT_SHORT, "%u B", (unsigned)bytes);
        return out;
    }
    while (n >= 1023.95 && unit < 5) { /* what would print as 1024.0 is 1.0 of the next */
        n /= 1024;
        unit++;
    }
    snprintf(out, TEXT_SHORT, "%.1f %s", n, units[unit]);
    return out;
}

const char *text_duration(char out[TEXT_SHORT], double seconds)
{
    uint64_t s;

    if (!(seconds > 0)) /* negative and not-a-number too */
        seconds = 0;
    if (seconds > 3.6e12)
        seconds = 3.6e12;
    s = (uint64_t)(seconds + 0.5);
    if (s < 60)
        snprintf(out, TEXT_SHORT, "%us", (unsigned)s);
    else if (s < 3600)
        snprintf(out, TEXT_SHORT, "%um %us", (unsigned)(s / 60), (unsigned)(s % 60));
    else
        snprintf(out, TEXT_SHORT, "%" PRIu64 "h %um %us", s / 3600, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    return out;
}

const char *text_age(char out[TEXT_SHORT], double seconds)
{
    static const struct {
        double from, length; /* of the unit, seconds */
        const char *name;
    } units[] = { { 730 * 86400., 365 * 86400., "year" },
                  { 2 * 86400., 86400, "day" },
                  { 90 * 60., 3600, "hour" },
                  { 60, 60, "minute" } };

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        unsigned long long n;

        if (!(seconds >= units[i].from)) /* not-a-number too */
            continue;
        n = (unsigned long long)((seconds < 3.6e12 ? seconds : 3.6e12) / units[i].length);
        snprintf(out, TEXT_SHORT, "%llu %s%s", n, units[i].name, n == 1 ? "" : "s");
        return out;
    }
    snprintf(out, TEXT_SHORT, "less than a minute");
    return out;
}

const char *text_count(char out[TEXT_SHORT], uint64_t n)
{
    char digits[TEXT_SHORT];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    char *to = out;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

const char *text_hex(char *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[from[i] >> 4];
        out[2 * i + 1] = digits[from[i] & 15];
    }
    out[2 * n] = '\0';
    return out;
}

bool text_parse_u64(const char *text, uint64_t *value)
{
    uint64_t n = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned char)*text - (unsigned)'0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *value = n;
    return true;
}

bool text_parse_int(const char *text, int low, int high, int *value)
{
    bool negative = *text == '-';
    uint64_t n;
    int64_t number;

    if (!text_parse_u64(text + negative, &n) || n > (uint64_t)INT_MAX + 1)
        return false;
    number = negative ? -(int64_t)n : (int64_t)n;
    if (number < low || number > high)
        return false;
    *value = (int)number;
    return true;
}

bool text_parse_bool(const char *text, bool *value)
{
    static const char *const words[] = { "1", "true", "yes", "on", "0", "false", "no", "off" };

    for (size_t i = 0; i < 8; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *value = i < 4;
            return true;
        }
    }
    return false;
}

/* ---- strings ------------------------------------------------------------------------------------------------- */

bool text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

/* The bytes of the well-formed UTF-8 character at s and its code point; 0 when there is none (RFC 3629). */
static size_t utf8_char(const unsigned char *s, uint32_t *code)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xF8 ? 0 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC0 ? 2 : 0;

    if (n == 0)
        return 0;
    *code = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3F);
    }
    return *code < smallest[n] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF) ? 0 : n;
}

/* Control characters, and what makes a terminal show a text in another order or on other lines than it has. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C || code == 0x200E || code == 0x200F ||
           code == 0x2028 || code == 0x2029 || (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

void text_visible(struct buf *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        uint32_t code = 0;
        size_t n = utf8_char(s, &code);

        if (n > 0 && !is_control(code))
            buf_add(out, s, n);
        else if (*s == '\n')
            buf_puts(out, "\\n");
        else if (*s == '\t')
            buf_puts(out, "\\t");
        else if (*s == '\r')
            buf_puts(out, "\\r");
        else
            for (size_t i = 0; i < (n > 0 ? n : 1); i++)
                buf_printf(out, "\\x%02X", s[i]);
        s += n > 0 ? n : 1;
    }
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Inserted, deleted, changed and swapped letters each count one. Words of people are short: more than 63 letters are
 * as far from each other as they are long. */
unsigned text_distance(const char *a, const char *b)
{
    unsigned d[3][64]; /* the row before the last, the last, this one */
    size_t n = strlen(a), m = strlen(b);

    if (n > 63 || m > 63)
        return strcmp(a, b) == 0 ? 0 : (unsigned)(n > m ? n : m);
    for (unsigned j = 0; j <= m; j++)
        d[1][j] = j;
    for (unsigned i = 1; i <= n; i++) {
        unsigned *before = d[(i + 2) % 3], *last = d[i % 3], *row = d[(i + 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            unsigned swapped = UINT_MAX;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                swapped = before[j - 2] + 1;
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (swapped < row[j])
                row[j] = swapped;
        }
    }
    return d[(n + 1) % 3][m];
}

void text_wipe(void *bytes, size_t n)
{
    memset(bytes, 0, n);
    __asm__ volatile("" : : "r"(bytes) : "memory"); /* somebody may look: the memset can't be left out */
}
