/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registry's size costs: the time of C_Initialize with the first session, of a find by
 * label and one by CKA_ID, each of a key that was not looked at before; and how much memory
 * the process took for all of it. Prints one line, "init_us label_us id_us rss_kib".
 *
 *	find-bench MODULE COUNT		(P11_KMS_CONFIG names the configuration)
 */
#include "base/pkcs11.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FINDS 50 /* each of another key, also among 100 */

static CK_FUNCTION_LIST *p11;

static void
must(CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "find-bench: %s: 0x%lx\n", what, rv);
	exit(1);
}

static double
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static long
resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size, resident = 0;

	if (file == NULL || fscanf(file, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	if (file != NULL)
		fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void
find_one(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG size)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class }, { type, value, size } };
	CK_OBJECT_HANDLE found[2];
	CK_ULONG count;

	must(p11->C_FindObjectsInit(session, template, 2), "C_FindObjectsInit");
	must(p11->C_FindObjects(session, found, 2, &count), "C_FindObjects");
	must(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	if (count != 1) {
		fprintf(stderr, "find-bench: found %lu, not 1\n", count);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	CK_RV (*get_list)(CK_FUNCTION_LIST **);
	unsigned char id[16] = { 0xc0, 0xde };
	CK_SESSION_HANDLE session;
	double start, init_us, label_us, id_us;
	uint64_t keys, key;
	long before;
	char label[32];
	void *module;

	if (argc != 3 || (module = dlopen(argv[1], RTLD_NOW)) == NULL ||
	    (*(void **)&get_list = dlsym(module, "C_GetFunctionList")) == NULL) {
		fprintf(stderr, "usage: find-bench MODULE COUNT\n");
		return 2;
	}
	keys = strtoull(argv[2], NULL, 10);
	must(get_list(&p11), "C_GetFunctionList");
	before = resident_kib();
	start = now_us();
	must(p11->C_Initialize(NULL), "C_Initialize");
	must(p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
	init_us = now_us() - start;
	/* Spread over all of it, never the same key twice. */
	start = now_us();
	for (uint64_t i = 0; i < FINDS; i++) {
		snprintf(label, sizeof label, "key-%06lu",
		         (unsigned long)(i * 2 * 7919 % keys + 1));
		find_one(session, CKA_LABEL, label, strlen(label));
	}
	label_us = (now_us() - start) / FINDS;
	start = now_us();
	for (uint64_t i = 0; i < FINDS; i++) {
		key = (i * 2 + 1) * 7919 % keys + 1;
		memcpy(id + 8, &key, sizeof key);
		find_one(session, CKA_ID, id, sizeof id);
	}
	id_us = (now_us() - start) / FINDS;
	printf("%.0f %.1f %.1f %ld\n", init_us, label_us, id_us, resident_kib() - before);
	must(p11->C_Finalize(NULL), "C_Finalize");
	return 0;
}
