/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/usage.h"

#include "registry/record.h"

#include <string.h>

static const struct {
	unsigned usage;
	const char *word;
} usages[] = {
	{ USAGE_DECRYPT, "decrypt" },
	{ USAGE_SIGN, "sign" },
	{ USAGE_UNWRAP, "unwrap" },
	{ USAGE_DERIVE, "derive" },
};

#define USAGE_COUNT (sizeof usages / sizeof usages[0])

const char *
usage_word(size_t index, unsigned *ret_usage)
{
	if (index >= USAGE_COUNT)
		return NULL;
	*ret_usage = usages[index].usage;
	return usages[index].word;
}

void
usage_text(unsigned usage, char *out)
{
	*out = '\0';
	for (size_t i = 0; i < USAGE_COUNT; i++) {
		if ((usage & usages[i].usage) == 0)
			continue;
		if (*out != '\0')
			strcat(out, ", ");
		strcat(out, usages[i].word);
	}
}

bool
usage_parse(const char *text, unsigned *ret_usage)
{
	unsigned usage = 0;

	for (;;) {
		size_t size = strcspn(text, ","), i;

		for (i = 0; i < USAGE_COUNT; i++) {
			if (strlen(usages[i].word) == size && memcmp(usages[i].word, text, size) == 0)
				break;
		}
		if (i == USAGE_COUNT)
			return false;
		usage |= usages[i].usage;
		if (text[size] == '\0')
			break;
		text += size + 1;
	}
	*ret_usage = usage;
	return true;
}
