/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a registry of many keys, for tests of what grows with their number: key-000001 and so
 * on, one version each, all with the same public key but each with a CKA_ID of its own. The
 * authority's private half is made here, and forgotten unless a file for it is named.
 *
 *	make-registry REGISTRY AUTHORITY.pem COUNT [P-256|rsa-2048|rsa-3072|rsa-4096 [DUE PRIVATE.pem]]
 *
 * The algorithm is that of the authority. The first DUE keys are due to rotate, the others
 * never are; without DUE all are.
 */
#include "unit/registry-fixture.h"

#include "base/openssl.h"

#include <openssl/pem.h>

#include <stdio.h>
#include <stdlib.h>

#define BATCH 1000 /* keys a commit */

struct batch {
	const struct buffer *spki;
	unsigned long first, count, due;
};

static CK_RV
add_keys(struct registry *registry, struct change *change, void *context)
{
	const struct batch *batch = context;
	struct key_record *key;
	struct version *version;
	char name[32];
	CK_RV rv = CKR_OK;

	(void)registry;
	for (unsigned long i = 0; rv == CKR_OK && i < batch->count; i++) {
		snprintf(name, sizeof name, "key-%06lu", batch->first + i);
		key = fixture_key(name);
		if (batch->first + i > batch->due)
			key->rotate_every = 0;
		version = fixture_version(name, 1, batch->first + i, batch->spki);
		if (key->rotate_every == 0)
			version->protect_until = 0;
		rv = change_add_key(change, key);
		if (rv == CKR_OK)
			rv = change_add_version(change, version);
		version_free(&version);
		key_record_free(&key);
	}
	return rv;
}

static bool
write_private(EVP_PKEY *key, const char *path)
{
	FILE *file = fopen(path, "w");
	bool done;

	if (file == NULL)
		return false;
	done = PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
	return fclose(file) == 0 && done;
}

int
main(int argc, char **argv)
{
	struct fixture_authority authority;
	struct registry *registry;
	struct batch batch = { 0 };
	unsigned long count;
	char *why = NULL;

	if (argc < 4 || argc == 6 || argc > 7) {
		fprintf(stderr, "usage: make-registry REGISTRY AUTHORITY.pem COUNT [ALGORITHM "
		                "[DUE PRIVATE.pem]]\n");
		return 2;
	}
	count = strtoul(argv[3], NULL, 10);
	batch.due = argc == 7 ? strtoul(argv[5], NULL, 10) : count;
	if (openssl_start() != CKR_OK)
		return 1;
	fixture_authority_new(argc > 4 ? argv[4] : "P-256", &authority);
	if (!authority_write(authority.authority, argv[2], &why)) {
		fprintf(stderr, "make-registry: %s\n", why);
		return 1;
	}
	if (argc == 7 && !write_private(authority.key, argv[6])) {
		fprintf(stderr, "make-registry: can't write %s\n", argv[6]);
		return 1;
	}
	registry = fixture_registry(argv[1], &authority);
	batch.spki = authority_spki(authority.authority);
	for (batch.first = 1; batch.first <= count; batch.first += batch.count) {
		batch.count = count - batch.first + 1 < BATCH ? count - batch.first + 1 : BATCH;
		if (registry_change(registry, &authority.signer, 86400, add_keys, &batch) != CKR_OK)
			return 1;
	}
	registry_free(&registry);
	fixture_authority_clear(&authority);
	openssl_stop();
	return 0;
}
