/* SPDX-License-Identifier: PostgreSQL */
/* test_gcm.c - mbedTLS's AES-GCM, which a patch of ours (vendor/patches/mbedtls/gcm-x86.patch) does eight blocks at a
 * time: against itself fed with pieces too small for that, and against OpenSSL. */
#include "test/unit/unit.h"

#include <mbedtls/gcm.h>
#include <openssl/evp.h>

#define MOST 1100
#define GROUP 128 /* bytes that are done at a time */

struct sample {
    uint8_t key[32], iv[64], ad[64], plain[MOST], cipher[MOST], tag[16];
    unsigned key_bits;
    size_t iv_size, ad_size, size;
};

static uint64_t seed = 88172645463325252u;

static size_t any(size_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed >> 16) % below;
}

static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)any(256);
}

/* Keys of every size, the usual nonce and strange ones, lengths around whole groups and any. */
static void make(struct sample *s, unsigned round)
{
    memset(s, 0, sizeof *s);
    s->key_bits = 128 + 64 * (round % 3);
    s->iv_size = round % 4 ? 12 : 1 + any(sizeof s->iv - 1);
    s->ad_size = round % 5 ? 13 : any(sizeof s->ad);
    s->size = round % 2 ? any(MOST) : any(MOST / GROUP) * GROUP + any(3) * 16 + any(3);
    fill(s->key, sizeof s->key);
    fill(s->iv, sizeof s->iv);
    fill(s->ad, sizeof s->ad);
    fill(s->plain, s->size);
}

static void start(mbedtls_gcm_context *g, const struct sample *s, int mode)
{
    mbedtls_gcm_init(g);
    assert_int_equal(mbedtls_gcm_setkey(g, MBEDTLS_CIPHER_ID_AES, s->key, s->key_bits), 0);
    assert_int_equal(mbedtls_gcm_starts(g, mode, s->iv, s->iv_size), 0);
    assert_int_equal(mbedtls_gcm_update_ad(g, s->ad, s->ad_size), 0);
}

static void finish(mbedtls_gcm_context *g, uint8_t tag[16])
{
    size_t none = 0;

    assert_int_equal(mbedtls_gcm_finish(g, NULL, 0, &none, tag, 16), 0);
    mbedtls_gcm_free(g);
}

/* In pieces of at most so many bytes; from and to may be the same. */
static void feed(mbedtls_gcm_context *g, const uint8_t *from, uint8_t *to, size_t n, size_t at_most)
{
    for (size_t done = 0, got; done < n; done += got) {
        size_t piece = 1 + any(at_most);

        piece = piece < n - done ? piece : n - done;
        assert_int_equal(mbedtls_gcm_update(g, from + done, piece, to + done, piece, &got), 0);
        assert_int_equal(got, piece);
    }
}

/* The reference: no piece is large enough for a group. */
static void encrypt_slowly(struct sample *s)
{
    mbedtls_gcm_context g;

    start(&g, s, MBEDTLS_GCM_ENCRYPT);
    feed(&g, s->plain, s->cipher, s->size, GROUP - 1);
    finish(&g, s->tag);
}

static void own_vectors(void **state)
{
    (void)state;
    assert_int_equal(mbedtls_gcm_self_test(0), 0);
}

static void is_openssl(const struct sample *s)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *kind = s->key_bits == 128 ? EVP_aes_128_gcm()
                           : s->key_bits == 192 ? EVP_aes_192_gcm()
                                                : EVP_aes_256_gcm();
    uint8_t out[MOST + 16], tag[16];
    int n = 0;

    assert_int_equal(EVP_EncryptInit_ex(c, kind, NULL, NULL, NULL), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_IVLEN, (int)s->iv_size, NULL), 1);
    assert_int_equal(EVP_EncryptInit_ex(c, NULL, NULL, s->key, s->iv), 1);
    assert_int_equal(EVP_EncryptUpdate(c, NULL, &n, s->ad, (int)s->ad_size), 1);
    assert_int_equal(EVP_EncryptUpdate(c, out, &n, s->plain, (int)s->size), 1);
    assert_int_equal(EVP_EncryptFinal_ex(c, out + n, &n), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, tag), 1);
    EVP_CIPHER_CTX_free(c);
    assert_memory_equal(out, s->cipher, s->size);
    assert_memory_equal(tag, s->tag, 16);
}

static void encrypts(void **state)
{
    static struct sample s;

    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        uint8_t out[MOST + 16], tag[16];
        size_t skew = any(16);
        mbedtls_gcm_context g;

        make(&s, round);
        encrypt_slowly(&s);
        is_openssl(&s);
        start(&g, &s, MBEDTLS_GCM_ENCRYPT);
        memcpy(out + skew, s.plain, s.size); /* in place, at any address */
        feed(&g, out + skew, out + skew, s.size, round % 2 ? MOST : 3 * (size_t)GROUP);
        finish(&g, tag);
        assert_memory_equal(out + skew, s.cipher, s.size);
        assert_memory_equal(tag, s.tag, 16);
    }
}

static int decrypt(const struct sample *s, const uint8_t *from, uint8_t *to)
{
    mbedtls_gcm_context g;
    int rc;

    mbedtls_gcm_init(&g);
    assert_int_equal(mbedtls_gcm_setkey(&g, MBEDTLS_CIPHER_ID_AES, s->key, s->key_bits), 0);
    rc = mbedtls_gcm_auth_decrypt(&g, s->size, s->iv, s->iv_size, s->ad, s->ad_size, s->tag, 16, from, to);
    mbedtls_gcm_free(&g);
    return rc;
}

static void decrypts(void **state)
{
    static struct sample s;

    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        uint8_t room[MOST + 300];
        size_t trail = any(2) ? any(300) : 0;

        make(&s, round);
        encrypt_slowly(&s);
        memcpy(room + trail, s.cipher, s.size);
        assert_int_equal(decrypt(&s, room + trail, room), 0);
        assert_memory_equal(room, s.plain, s.size);
    }
}

static void notices(void **state)
{
    static struct sample s;
    uint8_t out[MOST], nothing[MOST] = { 0 };

    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        make(&s, round);
        s.size += s.size == 0;
        encrypt_slowly(&s);
        s.cipher[any(s.size)] ^= (uint8_t)(1 << any(8));
        memset(out, 1, sizeof out);
        assert_int_equal(decrypt(&s, s.cipher, out), MBEDTLS_ERR_GCM_AUTH_FAILED);
        assert_memory_equal(out, nothing, s.size);
    }
}

/* The counter's 32 bits run over within a group, or between two: nothing is carried into the nonce. */
static void counter_wraps(void **state)
{
    static struct sample s;

    (void)state;
    for (unsigned before = 0; before < 40; before++) {
        const uint8_t end[4] = { 0xff, 0xff, 0xff, (uint8_t)(0xff - before) };
        mbedtls_gcm_context quick, slow;
        uint8_t out[MOST], tag[16];

        make(&s, 1);
        s.size = MOST;
        fill(s.plain, s.size);
        start(&quick, &s, MBEDTLS_GCM_ENCRYPT);
        start(&slow, &s, MBEDTLS_GCM_ENCRYPT);
        memcpy(quick.MBEDTLS_PRIVATE(y) + 12, end, 4);
        memcpy(slow.MBEDTLS_PRIVATE(y) + 12, end, 4);
        feed(&slow, s.plain, s.cipher, s.size, GROUP - 1);
        feed(&quick, s.plain, out, s.size, MOST);
        finish(&slow, s.tag);
        finish(&quick, tag);
        assert_memory_equal(out, s.cipher, s.size);
        assert_memory_equal(tag, s.tag, 16);
    }
}

/* Where the processor has wide registers, the way without them has to be asked for. */
#ifdef __x86_64__
extern int mbedtls_gcm_x86_narrow;
#else
static int mbedtls_gcm_x86_narrow;
#endif

static int go_narrow(void **state)
{
    (void)state;
    mbedtls_gcm_x86_narrow = 1;
    return 0;
}

static int go_back(void **state)
{
    (void)state;
    mbedtls_gcm_x86_narrow = 0;
    return 0;
}

#define BOTH_WAYS(sentence, function)                                             \
    PROMISE(sentence, function),                                                  \
    {                                                                             \
        sentence " (in narrow registers too)", function, go_narrow, go_back, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("mbedTLS's own test vectors hold", own_vectors),
        BOTH_WAYS("groups of blocks are encrypted as single blocks are, and as OpenSSL does it", encrypts),
        BOTH_WAYS("what was encrypted can be decrypted, in place and to a place before it", decrypts),
        BOTH_WAYS("one changed bit is noticed, and nothing of the text is given out", notices),
        BOTH_WAYS("a counter at its end starts again and leaves the nonce alone", counter_wraps),
    };
    return RUN_PROMISES(tests);
}
