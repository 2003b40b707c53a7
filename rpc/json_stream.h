// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cuts a stream of bytes into JSON values, each ended by its own end: several may come in one read,
// one may come in many, and white space between them means nothing. Bounded: a value longer than
// `limit` bytes or nested deeper than 64 is an error, after which the stream is of no more use. So
// is one that would take too much memory when decoded, if that is limited: three bytes of text may
// be a value of two hundred. It is estimated while the bytes come, and never less than it is.
//
// The cost is linear in the bytes, however they are cut. Take out all values with
// json_stream_next() before feeding again: the limit also bounds what waits.

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct json_stream;

struct json_stream *json_stream_create(size_t limit); // NULL: out of memory
void json_stream_destroy(struct json_stream *stream);

// Limit what one value takes when decoded; without this only its length counts.
void json_stream_limit_decoded(struct json_stream *stream, size_t bytes);

// The memory that waiting bytes take, in bytes.
size_t json_stream_held(const struct json_stream *stream);

// Give up: frees what waits; the stream has failed.
void json_stream_abandon(struct json_stream *stream);

// 0, -ENOMEM or -EMSGSIZE.
int json_stream_feed(struct json_stream *stream, const char *bytes, size_t count);

// The next whole value as a new reference. NULL with *error_text NULL: more bytes are needed.
// NULL with a text: the bytes are no JSON; what follows up to the next newline has been skipped,
// and the stream goes on behind it.
json_t *json_stream_next(struct json_stream *stream, const char **error_text);

// No more bytes will come: what is left is a value as it is, or an error.
void json_stream_end(struct json_stream *stream);

// Was a limit passed, so that the stream is of no more use?
bool json_stream_failed(const struct json_stream *stream);
