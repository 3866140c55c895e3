/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_xml.c - any bytes whatever, taken for an answer of S3. Nothing breaks; what is read keeps within its limits; what
 * is accepted was properly nested; the same bytes say the same twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/store/xml.h"

static void must(int holds)
{
    if (!holds)
        abort();
}

/* A digest of all events, to compare. */
static uint64_t walk(const uint8_t *bytes, size_t n)
{
    uint64_t sum = n;
    unsigned depth = 0;
    struct xml x;

    xml_init(&x, bytes, n);
    while (xml_next(&x) != XML_END) {
        depth += x.event == XML_OPEN;
        must(x.depth == depth && depth >= 1 && depth <= XML_DEPTH);
        must(x.text.size <= XML_TEXT && strlen(x.names[depth - 1]) < XML_NAME && x.names[depth - 1][0] != '\0');
        must(x.text.size == 0 || strlen(x.text.data) == x.text.size); /* no NUL inside */
        must(xml_is(&x, x.names[depth - 1]));
        for (size_t i = 0; i < x.text.size; i++)
            sum = sum * 31 + (uint8_t)x.text.data[i];
        depth -= x.event == XML_CLOSE;
        sum = sum * 31 + depth;
    }
    must(xml_failed(&x) || depth == 0);
    must(xml_next(&x) == XML_END);
    xml_release(&x);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf out;

    must(walk(data, n) == walk(data, n));
    buf_init(&out, 100000);
    if (xml_find(data, n, "Error/Code", &out))
        must(out.size <= XML_TEXT);
    buf_release(&out);
    return 0;
}
