// SPDX-License-Identifier: Apache-2.0
#pragma once

// JSON as text, both ways, for what is said over sockets: the same values and, compactly written,
// the same text as Jansson's own functions make, which go letter by letter and are slow where a
// request carries the flows of a whole file. Here plain text is taken in words of the machine and
// copied.
//
// What is rare (numbers that are not whole, escapes by number, text that is not ASCII) and what is
// wrong is left to Jansson, so that it alone says what JSON is. Pure functions, any thread.

#include <stddef.h>

#include <jansson.h>

// Any value, duplicate keys are refused. A new reference, or NULL with *error. At most 64 levels of
// brackets are read quickly, more by Jansson.
json_t *json_text_read(const char *bytes, size_t length, json_error_t *error);

// One line without an end, a malloc()ed string; its length in *length. NULL: out of memory, or a
// string is not UTF-8.
char *json_text_write(const json_t *value, size_t *length);

// How many bytes at the beginning stand for themselves in a string: ASCII, but no quote, no
// backslash and no control character.
size_t json_text_plain(const char *bytes, size_t length);
