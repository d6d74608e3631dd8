/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: fuzz-NAME [-n COUNT] [-s SEED] [FILE...]
 *
 * Gives the samples (hexadecimal, one a line, # begins a comment) to a fuzzer as they are,
 * and then COUNT (20000) changed ones. With FILEs: these as they are, and nothing else, to
 * see a finding again.
 */
#include "fuzz.h"

#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES_MAX 512
#define LINE_MAX 65536
#define SIZE_LIMIT 16384

static struct buffer samples[SAMPLES_MAX];
static size_t sample_count;
static uint64_t state;

/* splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
static uint64_t
next(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static size_t
below(size_t limit)
{
	return limit == 0 ? 0 : (size_t)(next() % limit);
}

static void
read_samples(const char *path)
{
	static char line[LINE_MAX];
	FILE *file = fopen(path, "r");

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(99);
	}
	while (sample_count < SAMPLES_MAX && fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (!hex_parse(line, &samples[sample_count])) {
			fprintf(stderr, "%s: not hexadecimal: %.40s\n", path, line);
			exit(99);
		}
		sample_count++;
	}
	fclose(file);
}

/* Numbers that lengths and counts are got wrong at. */
static uint8_t
interesting(void)
{
	static const uint8_t bytes[] = { 0, 1, 4, 7, 8, 9, 0x42, 0x7f, 0x80, 0xf8, 0xff };

	return bytes[below(sizeof bytes)];
}

static size_t
splice(uint8_t *data, size_t size)
{
	const struct buffer *other = &samples[below(sample_count)];
	size_t from = below(other->size), count = below(other->size - from) + 1, at = below(size);

	if (at + count > SIZE_LIMIT)
		count = SIZE_LIMIT - at;
	memcpy(data + at, other->data + from, count);
	return at + count > size ? at + count : size;
}

static size_t
change(uint8_t *data, size_t size)
{
	size_t at = below(size), count;

	switch (below(7)) {
	case 0:
		data[at] ^= (uint8_t)(1u << below(8));
		break;
	case 1:
		data[at] = (uint8_t)next();
		break;
	case 2:
		data[at] = interesting();
		break;
	case 3: /* cut off */
		size = at + 1;
		break;
	case 4: /* take out, in eights as often as not */
		count = below(2) == 0 ? 8 * (below(4) + 1) : below(16) + 1;
		if (at + count < size) {
			memmove(data + at, data + at + count, size - at - count);
			size -= count;
		}
		break;
	case 5: /* put in again */
		count = 8 * (below(4) + 1);
		if (at + count <= size && size + count <= SIZE_LIMIT) {
			memmove(data + at + count, data + at, size - at);
			size += count;
		}
		break;
	default:
		size = splice(data, size);
		break;
	}
	return size;
}

static void
give_changed(void)
{
	static uint8_t data[SIZE_LIMIT];
	const struct buffer *sample = &samples[below(sample_count)];
	size_t size = sample->size < SIZE_LIMIT ? sample->size : SIZE_LIMIT;
	uint8_t *exact;

	memcpy(data, sample->data, size);
	for (size_t changes = below(6) + 1; changes > 0 && size > 0; changes--)
		size = change(data, size);
	/* In memory of just that size, so that a read beyond it is seen. */
	exact = malloc(size + 1);
	if (exact == NULL)
		exit(99);
	memcpy(exact, data, size);
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static void
give_file(const char *path)
{
	static uint8_t data[1024 * 1024];
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(99);
	}
	(void)LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
	fclose(file);
}

int
main(int argc, char **argv)
{
	const char *folder = getenv("srcdir");
	unsigned long count = 20000;
	char path[4096];
	int option;

	state = 1;
	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == '?')
			return 2;
		if (option == 'n')
			count = strtoul(optarg, NULL, 10);
		else
			state = strtoull(optarg, NULL, 10);
	}
	for (int i = optind; i < argc; i++)
		give_file(argv[i]);
	if (optind < argc)
		return 0;
	snprintf(path, sizeof path, "%s/tests/fuzz/%s.samples", folder == NULL ? "." : folder,
	         fuzz_name);
	read_samples(path);
	if (sample_count == 0)
		return 99;
	for (size_t i = 0; i < sample_count; i++)
		(void)LLVMFuzzerTestOneInput(samples[i].data, samples[i].size);
	for (unsigned long i = 0; i < count; i++)
		give_changed();
	printf("%zu samples, %lu changed ones\n", sample_count, count);
	for (size_t i = 0; i < sample_count; i++)
		buffer_clear(&samples[i]);
	return 0;
}
