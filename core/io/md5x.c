/* SPDX-License-Identifier: PostgreSQL */
#include "core/io/md5x.h"

#include <string.h>

/* RFC 1321, two sets of sixteen at a time: the compiler's vectors, so that it runs everywhere, and well where there is
 * AVX2. One set's step has nothing to do but wait for its own step before; meanwhile the other set's is done. */
#define SET 16
#define SETS 2
_Static_assert(SET *SETS == MD5X_LANES, "all lanes are in a set");
typedef uint32_t lanes __attribute__((vector_size(4 * SET)));

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define F(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define G(x, y, z) ((y) ^ ((z) & ((x) ^ (y))))
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))
#define STEP_OF(s, f, a, b, c, d, word, n, add)                                                           \
    do {                                                                                                  \
        a[s] += w[s][word] + (uint32_t)(add); /* has no need to wait for the step before; the rest has */ \
        a[s] += f(b[s], c[s], d[s]);                                                                      \
        a[s] = ROTATE(a[s], n) + b[s];                                                                    \
    } while (0)
#define STEP(...)                    \
    do {                             \
        STEP_OF(0, __VA_ARGS__);     \
        if (sets > 1)                \
            STEP_OF(1, __VA_ARGS__); \
    } while (0)
#define FOUR(f, i, step, n1, n2, n3, n4, add1, add2, add3, add4) \
    do {                                                         \
        STEP(f, a, b, c, d, (i)&15, n1, add1);                   \
        STEP(f, d, a, b, c, ((i) + (step)) & 15, n2, add2);      \
        STEP(f, c, d, a, b, ((i) + 2 * (step)) & 15, n3, add3);  \
        STEP(f, b, c, d, a, ((i) + 3 * (step)) & 15, n4, add4);  \
    } while (0)

typedef uint32_t eight __attribute__((vector_size(32)));

#define ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define PAIR_LOW(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define PAIR_HIGH(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define HALF_LOW(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define HALF_HIGH(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
#define BOTH(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* Eight words of each of eight pieces: turned, so that w[i] has word i of each piece. */
static inline __attribute__((always_inline)) void turn(eight w[8], const uint8_t *const pieces[8], size_t at)
{
    eight r[8], s[8];

#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        memcpy(&r[i], pieces[i] + at, sizeof r[i]);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i += 2) {
        s[i] = ZIP_LOW(r[i], r[i + 1]);
        s[i + 1] = ZIP_HIGH(r[i], r[i + 1]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i += 4) {
        r[i] = PAIR_LOW(s[i], s[i + 2]);
        r[i + 1] = PAIR_HIGH(s[i], s[i + 2]);
        r[i + 2] = PAIR_LOW(s[i + 1], s[i + 3]);
        r[i + 3] = PAIR_HIGH(s[i + 1], s[i + 3]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 4; i++) {
        w[i] = HALF_LOW(r[i], r[i + 4]);
        w[i + 4] = HALF_HIGH(r[i], r[i + 4]);
    }
}

static inline __attribute__((always_inline)) void load(lanes w[8], const uint8_t *const pieces[SET], size_t at)
{
    eight low[8], high[8];

    turn(low, pieces, at);
    turn(high, pieces + 8, at);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        w[i] = BOTH(low[i], high[i]);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        w[i] = (w[i] >> 24) | (w[i] >> 8 & 0xFF00) | (w[i] << 8 & 0xFF0000) | w[i] << 24;
#endif
    }
}

/* NOLINTNEXTLINE(readability-function-size): the sixty-four steps of it */
static inline __attribute__((always_inline)) void blocks(struct md5x *m, const uint8_t *const pieces[MD5X_LANES],
                                                         size_t n, int sets)
{
    lanes w[SETS][16], a[SETS], b[SETS], c[SETS], d[SETS], before[4][SETS];

    memcpy(a, m->state[0], sizeof a);
    memcpy(b, m->state[1], sizeof b);
    memcpy(c, m->state[2], sizeof c);
    memcpy(d, m->state[3], sizeof d);
    for (size_t at = 0; at < n; at += 64) {
#pragma GCC unroll 2
        for (int s = 0; s < sets; s++) {
            load(w[s], pieces + SET * s, at);
            load(w[s] + 8, pieces + SET * s, at + 32);
            before[0][s] = a[s], before[1][s] = b[s], before[2][s] = c[s], before[3][s] = d[s];
        }
        FOUR(F, 0, 1, 7, 12, 17, 22, 0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee);
        FOUR(F, 4, 1, 7, 12, 17, 22, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501);
        FOUR(F, 8, 1, 7, 12, 17, 22, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be);
        FOUR(F, 12, 1, 7, 12, 17, 22, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821);
        FOUR(G, 1, 5, 5, 9, 14, 20, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa);
        FOUR(G, 5, 5, 5, 9, 14, 20, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8);
        FOUR(G, 9, 5, 5, 9, 14, 20, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed);
        FOUR(G, 13, 5, 5, 9, 14, 20, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a);
        FOUR(H, 5, 3, 4, 11, 16, 23, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c);
        FOUR(H, 1, 3, 4, 11, 16, 23, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70);
        FOUR(H, 13, 3, 4, 11, 16, 23, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05);
        FOUR(H, 9, 3, 4, 11, 16, 23, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665);
        FOUR(I, 0, 7, 6, 10, 15, 21, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039);
        FOUR(I, 12, 7, 6, 10, 15, 21, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1);
        FOUR(I, 8, 7, 6, 10, 15, 21, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1);
        FOUR(I, 4, 7, 6, 10, 15, 21, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391);
#pragma GCC unroll 2
        for (int s = 0; s < sets; s++)
            a[s] += before[0][s], b[s] += before[1][s], c[s] += before[2][s], d[s] += before[3][s];
    }
    memcpy(m->state[0], a, sizeof a);
    memcpy(m->state[1], b, sizeof b);
    memcpy(m->state[2], c, sizeof c);
    memcpy(m->state[3], d, sizeof d);
}

#define BLOCKS_FOR(name, target)                                                               \
    target static void name(struct md5x *m, const uint8_t *const pieces[MD5X_LANES], size_t n) \
    {                                                                                          \
        if (m->lanes > SET)                                                                    \
            blocks(m, pieces, n, SETS);                                                        \
        else                                                                                   \
            blocks(m, pieces, n, 1);                                                           \
    }

BLOCKS_FOR(blocks_anywhere, )
#ifdef __x86_64__
BLOCKS_FOR(blocks_avx2, __attribute__((target("avx2"))))
BLOCKS_FOR(blocks_avx512, __attribute__((target("avx512f"))))
#endif

static void run(struct md5x *m, const uint8_t *const pieces[MD5X_LANES], size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        blocks_avx512(m, pieces, n);
    else if (__builtin_cpu_supports("avx2"))
        blocks_avx2(m, pieces, n);
    else
#endif
        blocks_anywhere(m, pieces, n);
}

void md5x_init(struct md5x *m, unsigned lanes_used)
{
    static const uint32_t start[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };

    m->bytes = 0;
    m->lanes = lanes_used;
    for (int i = 0; i < 4; i++)
        for (int lane = 0; lane < MD5X_LANES; lane++)
            m->state[i][lane] = start[i];
}

void md5x_put(struct md5x *m, const uint8_t *const pieces[MD5X_LANES], size_t n)
{
    m->bytes += n;
    run(m, pieces, n);
}

void md5x_end(struct md5x *m, const uint8_t *const pieces[MD5X_LANES], size_t n, uint8_t sums[MD5X_LANES][16])
{
    uint8_t last[MD5X_LANES][128];
    const uint8_t *tails[MD5X_LANES];
    size_t whole = n - n % 64, rest = n - whole, padded = rest < 56 ? 64 : 128;
    uint64_t bits = (m->bytes + n) * 8;

    md5x_put(m, pieces, whole);
    for (int lane = 0; lane < MD5X_LANES; lane++) {
        memset(last[lane], 0, sizeof last[lane]);
        memcpy(last[lane], pieces[lane] + whole, rest);
        last[lane][rest] = 0x80;
        for (int i = 0; i < 8; i++)
            last[lane][padded - 8 + (size_t)i] = (uint8_t)(bits >> (8 * i));
        tails[lane] = last[lane];
    }
    run(m, tails, padded);
    for (int lane = 0; lane < MD5X_LANES; lane++)
        for (int i = 0; i < 16; i++)
            sums[lane][i] = (uint8_t)(m->state[i / 4][lane] >> (8 * (i % 4)));
}
