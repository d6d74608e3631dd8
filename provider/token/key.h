/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version, ready for use: its checked record, its public key (parsed when first needed)
 * and what the KMS backend caches about its private half. Shared by all threads through a
 * count of references; the record in it never changes. The cache keeps the last used ones.
 */
#ifndef P11_KMS_TOKEN_KEY_H
#define P11_KMS_TOKEN_KEY_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "kms/kms.h"
#include "mechanism/public-key.h"
#include "registry/registry.h"

#include <stdatomic.h>

struct key {
	struct version *version; /* owned */
	struct kms_key kms;      /* its id is the version's */
	_Atomic(struct public_key *) public_key; /* owned, NULL until key_public */
	_Atomic(struct secret *) rejection; /* owned, NULL until it is asked for: rejection.h */
	_Atomic unsigned references;
};

/* Borrowed until key_release. CKR_PUBLIC_KEY_INVALID: the record's key is not one. */
MUST_USE CK_RV key_public(struct key *key, struct public_key **ret_public);
void key_acquire(struct key *key);
void key_release(struct key **key);

struct key_cache; /* opaque */

/* registry: borrowed. */
MUST_USE CK_RV key_cache_new(struct registry *registry, struct key_cache **ret_cache);
void key_cache_free(struct key_cache **cache);

/*
 * The newest record of a version, with a reference for the caller. generation is the
 * registry's (registry_generation) as the caller last saw it: a key that was cached under
 * another one is looked up again before it is handed out.
 * CKR_OBJECT_HANDLE_INVALID: no such version; else as registry_version.
 */
MUST_USE CK_RV key_cache_get(struct key_cache *cache, int64_t object, uint64_t generation,
                             struct key **ret_key);

#endif
