/* SPDX-License-Identifier: PostgreSQL */
#include "core/store/xml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void xml_init(struct xml *x, const void *bytes, size_t n)
{
    memset(x, 0, sizeof *x);
    x->at = bytes;
    x->end = x->at + n;
    buf_init(&x->text, XML_TEXT);
    if (n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
        x->at += 3;
}

void xml_release(struct xml *x)
{
    buf_release(&x->text);
}

const char *xml_failed(const struct xml *x)
{
    return x->failure;
}

static bool fail(struct xml *x, const char *why)
{
    if (!x->failure)
        x->failure = why;
    x->at = x->end;
    return false;
}

static bool starts(const struct xml *x, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(x->end - x->at) >= n && memcmp(x->at, text, n) == 0;
}

/* Behind the next `what`, or failure. */
static bool skip_past(struct xml *x, const char *what)
{
    const char *found = memmem(x->at, (size_t)(x->end - x->at), what, strlen(what));

    if (!found)
        return fail(x, "it ends inside a tag");
    x->at = found + strlen(what);
    return true;
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

static void add_character(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
    } else if (c < 0x800) {
        buf_putc(out, (char)(0xC0 | c >> 6));
        buf_putc(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_putc(out, (char)(0xE0 | c >> 12));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_putc(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_putc(out, (char)(0xF0 | c >> 18));
        buf_putc(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_putc(out, (char)(0x80 | (c & 0x3F)));
    }
}

static bool add_number(struct xml *x, const char *digits)
{
    int base = *digits == 'x' ? 16 : 10;
    const char *from = digits + (base == 16);
    char *end = NULL;
    unsigned long c;

    if (*from == '\0' || !strchr("0123456789abcdefABCDEF", *from))
        return fail(x, "a character reference that is none");
    c = strtoul(from, &end, base);
    if (*end || c == 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return fail(x, "a character reference that is none");
    add_character(&x->text, (uint32_t)c);
    return true;
}

static bool add_entity(struct xml *x)
{
    static const struct {
        const char *name;
        char c;
    } known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' } };
    const char *semicolon = memchr(x->at, ';', (size_t)(x->end - x->at));
    char name[12];
    size_t n;

    if (!semicolon || (n = (size_t)(semicolon - x->at) - 1) >= sizeof name)
        return fail(x, "a bare &");
    memcpy(name, x->at + 1, n);
    name[n] = '\0';
    x->at = semicolon + 1;
    if (name[0] == '#')
        return add_number(x, name + 1);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            buf_putc(&x->text, known[i].c);
            return true;
        }
    return fail(x, "an entity that XML does not have by itself");
}

static bool is_blank(const char *from, const char *end)
{
    while (from < end && (*from == ' ' || *from == '\t' || *from == '\r' || *from == '\n'))
        from++;
    return from == end;
}

static bool read_text(struct xml *x)
{
    const char *from = x->at;

    while (x->at < x->end && *x->at != '<' && *x->at != '&' && *x->at != '\0')
        x->at++;
    if (x->at < x->end && *x->at == '\0')
        return fail(x, "a NUL");
    if (x->depth == 0)
        return is_blank(from, x->at) && (x->at == x->end || *x->at == '<') ? true
                                                                           : fail(x, "text outside of its elements");
    buf_add(&x->text, from, (size_t)(x->at - from));
    if (x->at < x->end && *x->at == '&' && !add_entity(x))
        return false;
    return x->text.failed ? fail(x, "a text that is too long") : true;
}

static bool read_cdata(struct xml *x)
{
    const char *from = x->at + 9;

    if (x->depth == 0)
        return fail(x, "text outside of its elements");
    if (!skip_past(x, "]]>"))
        return false;
    if (x->at - 3 < from || memchr(from, '\0', (size_t)(x->at - from)))
        return fail(x, "a bad CDATA section");
    buf_add(&x->text, from, (size_t)(x->at - 3 - from));
    return x->text.failed ? fail(x, "a text that is too long") : true;
}

/* ---- tags ---------------------------------------------------------------------------------------------------- */

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_-.:", c)) ||
           (unsigned char)c >= 0x80;
}

/* The name at x->at, its namespace prefix dropped. */
static bool read_name(struct xml *x, char out[XML_NAME])
{
    const char *from = x->at, *colon;
    size_t n;

    while (x->at < x->end && is_name(*x->at))
        x->at++;
    colon = memchr(from, ':', (size_t)(x->at - from));
    if (colon)
        from = colon + 1;
    n = (size_t)(x->at - from);
    if (n == 0 || n >= XML_NAME)
        return fail(x, "a tag without a name, or with too long a one");
    memcpy(out, from, n);
    out[n] = '\0';
    return true;
}

/* To behind the ">" of a start tag: attributes are not looked at, but their quotes hide a ">". */
static bool skip_attributes(struct xml *x)
{
    char quote = 0;

    for (; x->at < x->end; x->at++) {
        if (quote) {
            quote = *x->at == quote ? 0 : quote;
        } else if (*x->at == '"' || *x->at == '\'') {
            quote = *x->at;
        } else if (*x->at == '<') {
            return fail(x, "a < inside a tag");
        } else if (*x->at == '>') {
            x->pending_close = x->at[-1] == '/';
            x->at++;
            return true;
        }
    }
    return fail(x, "it ends inside a tag");
}

static bool open_tag(struct xml *x)
{
    if (x->depth == XML_DEPTH)
        return fail(x, "elements too deep in each other");
    if (x->depth == 0 && x->seen_root)
        return fail(x, "more than one root");
    x->at++;
    if (!read_name(x, x->names[x->depth]) || !skip_attributes(x))
        return false;
    x->depth++;
    x->seen_root = true;
    buf_reset(&x->text);
    x->event = XML_OPEN;
    return true;
}

static bool close_tag(struct xml *x)
{
    char name[XML_NAME];

    x->at += 2;
    if (!read_name(x, name))
        return false;
    while (x->at < x->end && is_blank(x->at, x->at + 1))
        x->at++;
    if (x->at == x->end || *x->at != '>')
        return fail(x, "it ends inside a tag");
    x->at++;
    if (x->depth == 0 || strcmp(name, x->names[x->depth - 1]) != 0)
        return fail(x, "an end tag without its start");
    x->event = XML_CLOSE;
    return true;
}

/* One step; *done when it is an event. */
static bool step(struct xml *x, bool *done)
{
    if (*x->at != '<')
        return read_text(x);
    if (starts(x, "<?"))
        return skip_past(x, "?>");
    if (starts(x, "<!--"))
        return skip_past(x, "-->");
    if (starts(x, "<![CDATA["))
        return read_cdata(x);
    if (starts(x, "<!"))
        return fail(x, "a document type");
    *done = true;
    return starts(x, "</") ? close_tag(x) : open_tag(x);
}

enum xml_event xml_next(struct xml *x)
{
    bool done = false;

    if (x->event == XML_CLOSE) { /* the one reported last */
        x->depth--;
        buf_reset(&x->text);
        x->event = XML_OPEN;
    }
    if (x->pending_close) {
        x->pending_close = false;
        return x->event = XML_CLOSE;
    }
    while (x->at < x->end && !done)
        if (!step(x, &done))
            return x->event = XML_END;
    if (done)
        return x->event;
    if (x->depth > 0 || !x->seen_root)
        fail(x, "it ends early");
    return x->event = XML_END;
}

bool xml_is(const struct xml *x, const char *path)
{
    const char *end = path + strlen(path);

    for (unsigned i = x->depth; i > 0; i--) {
        const char *slash = memrchr(path, '/', (size_t)(end - path)), *from = slash ? slash + 1 : path;
        size_t n = (size_t)(end - from);

        if (strlen(x->names[i - 1]) != n || memcmp(x->names[i - 1], from, n) != 0)
            return false;
        if (!slash)
            return true;
        end = slash;
    }
    return false;
}

bool xml_find(const void *bytes, size_t n, const char *path, struct buf *out)
{
    struct xml x;
    bool found = false;

    xml_init(&x, bytes, n);
    while (!found && xml_next(&x) != XML_END)
        if (x.event == XML_CLOSE && xml_is(&x, path)) {
            buf_add(out, x.text.data, x.text.size);
            found = true;
        }
    xml_release(&x);
    return found;
}

void xml_escape(struct buf *out, const char *text)
{
    for (; *text; text++) {
        const char *escaped = *text == '&'  ? "&amp;"
                            : *text == '<'  ? "&lt;"
                            : *text == '>'  ? "&gt;"
                            : *text == '"'  ? "&quot;"
                            : *text == '\r' ? "&#13;"
                                            : NULL;

        if (escaped)
            buf_puts(out, escaped);
        else
            buf_putc(out, *text);
    }
}
