/* SPDX-License-Identifier: PostgreSQL */
/* xml.h - reads the small, flat XML that S3 and STS answer with.
 *
 * A pull parser over bytes in memory: elements and text. Strict where it protects (tags must match, depth and sizes
 * have limits, no DTD, so no entities of anybody's own), deaf where it may be: attributes, comments, processing
 * instructions and namespaces are skipped. Garbage never crashes it, it fails.
 *
 *     struct xml x;
 *     xml_init(&x, body, size);
 *     while (xml_next(&x) != XML_END)
 *         if (x.event == XML_CLOSE && xml_is(&x, "Error/Code"))
 *             use(x.text.data);
 *     if (xml_failed(&x)) ...
 *     xml_release(&x);
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/base/buf.h"
#include "core/base/err.h"

#define XML_DEPTH 16
#define XML_NAME 64          /* of an element, NUL included */
#define XML_TEXT (64 * 1024) /* of one element */

enum xml_event { XML_OPEN, XML_CLOSE, XML_END };

struct xml {
    const char *at, *end;
    enum xml_event event;
    unsigned depth;                  /* of the element that was just opened or closed: 1 is the root */
    char names[XML_DEPTH][XML_NAME]; /* without namespace prefix */
    struct buf text; /* at XML_CLOSE: the element's text since it or a child of it was last opened or closed */
    bool pending_close, seen_root;
    const char *failure; /* NULL: none */
};

void xml_init(struct xml *x, const void *bytes, size_t n);
void xml_release(struct xml *x);

enum xml_event xml_next(struct xml *x); /* XML_END at the end and after a failure */
const char *xml_failed(const struct xml *x);

/* The path of the present element ends so: "Contents/Key", "Key". */
bool xml_is(const struct xml *x, const char *path);

/* The text of the first element with that path, appended to out. false: there is none, or the XML is bad. */
bool xml_find(const void *bytes, size_t n, const char *path, struct buf *out);

/* Appends text, escaped. */
void xml_escape(struct buf *out, const char *text);
