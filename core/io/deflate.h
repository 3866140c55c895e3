/* SPDX-License-Identifier: PostgreSQL */
/* deflate.h - deflate in segments that are compressed apart and joined, and a gzip file written on every core.
 *
 * A deflate stream may be cut into segments that each end in a sync flush (an empty stored block, so that the next one
 * starts at a byte); no segment refers back into another. Any inflate reads the joined stream as one.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"

/* As much as is worth compressing apart: smaller costs size, larger memory. Fuzzing sets it small. */
#ifndef DEFLATE_SEGMENT
#define DEFLATE_SEGMENT (1024 * 1024)
#endif

/* One thread's compressor. Levels are the contract's 0 (stored) to 9: with each the output is no larger than zlib's. */
struct deflater;
struct deflater *deflater_new(int level); /* NULL without memory */
void deflater_free(struct deflater *d);

/* The most that n bytes become. */
size_t deflater_bound(size_t n);

/* Raw deflate, n > 0 or last. out must have deflater_bound(n) bytes. Without `last` it ends in a sync flush, with it
 * the stream ends. Returns the size. */
size_t deflater_segment(struct deflater *d, const void *in, size_t n, int last, void *out);

/* Checksums of a whole from those of its parts: adler32 as in zlib streams, crc32 as in gzip files. */
uint32_t deflate_adler32(const void *bytes, size_t n);
uint32_t deflate_adler32_join(uint32_t first, uint32_t second, uint64_t second_n);
uint32_t deflate_crc32(const void *bytes, size_t n);
uint32_t deflate_crc32_join(uint32_t first, uint32_t second, uint64_t second_n);

/* The two bytes in front of a zlib stream. */
void deflate_zlib_header(int level, uint8_t out[2]);

/* ---- a .gz file ---------------------------------------------------------------------------------------------- */

typedef int gzip_sink(void *cookie, const void *bytes, size_t n, struct err *err); /* any thread, one at a time */

/* One gzip member without name or time, so that the same input gives the same bytes whatever the number of jobs. */
struct gzip_writer;
struct gzip_writer *gzip_writer_new(int level, unsigned jobs, gzip_sink *sink, void *cookie, struct err *err);
int gzip_writer_put(struct gzip_writer *w, const void *bytes, size_t n, struct err *err);
int gzip_writer_finish(struct gzip_writer *w, struct err *err); /* all is in the sink; still to be freed */
void gzip_writer_free(struct gzip_writer *w);
