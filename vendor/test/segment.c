/* SPDX-License-Identifier: PostgreSQL */
/* segment.c - segments of libdeflate, joined in any way, inflate with zlib to the bytes that went in.
 *
 *     $V/bin/sfb-cc -o segment vendor/test/segment.c -ldeflate -lz && ./segment
 */
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MAX_INPUT = 3 << 20 };

static uint64_t state = 88172645463325252u;
static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Zeros, noise, text, a few symbols, noise with repeats. */
static void fill(unsigned char *p, size_t n, int kind)
{
    static const char words[] = "select insert 2024-01-01 \\N\tt\tf\t1234567 customer order \n";

    for (size_t i = 0; i < n; i++)
        switch (kind) {
        case 0:
            p[i] = 0;
            break;
        case 1:
            p[i] = (unsigned char)next();
            break;
        case 2:
            p[i] = (unsigned char)words[(i * 7 + next() % 5) % (sizeof(words) - 1)];
            break;
        case 3:
            p[i] = (unsigned char)('a' + next() % 3);
            break;
        default:
            p[i] = i > 40000 && next() % 50 ? p[i - 40000 + next() % 2] : (unsigned char)next();
            break;
        }
}

static size_t pick_size(void)
{
    static const size_t edges[] = { 0, 1, 2, 16, 55, 56, 57, 100, 4999, 5000, 65534, 65535, 65536, 131070, 131071 };

    if (next() % 2)
        return edges[next() % (sizeof(edges) / sizeof(edges[0]))];
    return next() % (next() % 8 ? 70000 : 1200000);
}

int main(void)
{
    static unsigned char in[MAX_INPUT], out[MAX_INPUT + 400000], back[MAX_INPUT + 1];
    unsigned long segments = 0;

    for (int round = 0; round < 130; round++) {
        int level = round % 13;
        struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
        size_t total = 0, packed = 0;
        z_stream z = { 0 };

        for (int i = 0, n = 1 + (int)(next() % 6); i < n; i++) {
            size_t size = pick_size();
            size_t room = libdeflate_deflate_compress_bound(c, size) + LIBDEFLATE_SEGMENT_OVERHEAD, got;

            if (total + size > MAX_INPUT)
                break;
            fill(in + total, size, (int)(next() % 5));
            got = libdeflate_deflate_compress_segment(c, in + total, size, out + packed, room);
            if (got < 5 || got > room || memcmp(out + packed + got - 4, "\0\0\377\377", 4) != 0) {
                printf("level %d, %zu bytes: %zu\n", level, size, got);
                return 1;
            }
            for (size_t less = 0; less < got; less += 1 + got / 7) /* too little room: 0, and nothing beyond it */
                if (libdeflate_deflate_compress_segment(c, in + total, size, back, less) > less) {
                    printf("level %d: wrote more than the room of %zu\n", level, less);
                    return 1;
                }
            total += size;
            packed += got;
            segments++;
        }
        memcpy(out + packed, "\3\0", 2);
        packed += 2;
        if (inflateInit2(&z, -15) != Z_OK)
            return 1;
        z.next_in = out;
        z.avail_in = (unsigned)packed;
        z.next_out = back;
        z.avail_out = sizeof(back);
        if (inflate(&z, Z_FINISH) != Z_STREAM_END || z.total_out != total || z.avail_in != 0 ||
            memcmp(in, back, total)) {
            printf("level %d: %zu bytes came back as %lu, zlib says %s\n", level, total, z.total_out,
                   z.msg ? z.msg : "-");
            return 1;
        }
        inflateEnd(&z);
        libdeflate_free_compressor(c);
    }
    printf("%lu segments joined and inflated\n", segments);
    return 0;
}
