// SPDX-License-Identifier: Apache-2.0
#include "pipeline/text_buffer.h"

#include <stdbool.h>
#include <stdlib.h>

void text_buffer_open(struct text_buffer *buffer)
{
	buffer->text = NULL;
	buffer->size = 0;
	buffer->out = open_memstream(&buffer->text, &buffer->size);
}

char *text_buffer_close(struct text_buffer *buffer)
{
	bool failed;

	if (!buffer->out)
		return NULL;
	failed = ferror(buffer->out);
	if (fclose(buffer->out) == 0 && !failed)
		return buffer->text;
	free(buffer->text);
	return NULL;
}
