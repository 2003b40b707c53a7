// SPDX-License-Identifier: Apache-2.0
#include "base/text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE_MIN 128 // most flows fit

void text_buffer_open(struct text_buffer *buffer)
{
	*buffer = (struct text_buffer){0};
}

char *text_buffer_close(struct text_buffer *buffer)
{
	bool whole = text_buffer_reserve(buffer, 0) && !buffer->failed;
	char *text = buffer->text;

	if (whole) {
		text[buffer->length] = '\0';
	} else {
		free(text);
		text = NULL;
	}
	text_buffer_open(buffer);
	return text;
}

void text_buffer_close_into(struct text_buffer *buffer, char *text, size_t size)
{
	size_t length = buffer->length < size ? buffer->length : size - 1;

	if (length > 0)
		memcpy(text, buffer->text, length);
	text[length] = '\0';
	free(buffer->text);
	text_buffer_open(buffer);
}

bool text_buffer_grow(struct text_buffer *buffer, size_t count)
{
	size_t size = buffer->size ? buffer->size : SIZE_MIN;
	char *text;

	while (size - buffer->length <= count && size <= SIZE_MAX / 2)
		size *= 2;
	text = buffer->failed || size - buffer->length <= count ? NULL
								: realloc(buffer->text, size);
	if (!text) {
		buffer->failed = true;
		return false;
	}
	buffer->text = text;
	buffer->size = size;
	return true;
}

void text_put_decimal(struct text_buffer *buffer, uint64_t number)
{
	char digits[20];
	size_t start = sizeof(digits);

	do {
		digits[--start] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	text_put_bytes(buffer, digits + start, sizeof(digits) - start);
}

void text_put_hex(struct text_buffer *buffer, uint64_t number, unsigned digits)
{
	char letters[16];
	size_t start = sizeof(letters);

	do {
		letters[--start] = "0123456789abcdef"[number & 15];
		number >>= 4;
	} while (start > 0 && (number || sizeof(letters) - start < digits));
	text_put_bytes(buffer, letters + start, sizeof(letters) - start);
}

void text_printf(struct text_buffer *buffer, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0 || !text_buffer_reserve(buffer, (size_t)length))
		return;
	va_start(arguments, format);
	vsnprintf(buffer->text + buffer->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->length += (size_t)length;
}
