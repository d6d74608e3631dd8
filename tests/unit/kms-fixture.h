/* SPDX-License-Identifier: Apache-2.0 */
/* A kms over a SoftHSM2 of its own, logged in by a pin-source, for the tests of kms/. */
#ifndef P11_KMS_TESTS_KMS_FIXTURE_H
#define P11_KMS_TESTS_KMS_FIXTURE_H

#include "base/buffer.h"
#include "kms/kms.h"
#include "softhsm.h"
#include "unit.h"

extern struct config_token kms_config;
extern struct kms *kms;

/* The CKA_ID of what kms_generate makes. */
#define KMS_ID_SIZE 3
extern const unsigned char kms_id[KMS_ID_SIZE];

void kms_setup(void);
void kms_teardown(void);
/* A new kms in the place of the old one; with_source: by the pin-source, else by kms_login. */
void kms_reopen(bool with_source);
/* One more, for the token of that label. The configuration is a static copy. */
struct kms *kms_open_other(const char *label);

struct deadline soon(void);
void write_pin(const char *pin);

/* Makes a pair for all its algorithm can do. Cleared by the caller. */
CK_RV kms_try_generate(const char *algorithm, struct buffer *ret_spki);
void kms_generate(const char *algorithm);
/* Signs with CKM_ECDSA and a P-256 key. */
CK_RV sign_p256(struct kms *with, struct kms_key *key);
/* Signs until it works, for no longer than the 2 s that recovery may take. */
void sign_within_2s(struct kms *with, struct kms_key *key);

#define KMS_KEY { kms_id, KMS_ID_SIZE, 0, false }

/*
 * Faults: the functions of SoftHSM2's list can be replaced, and the kms calls through it.
 * The fixture puts them back.
 */
extern CK_FUNCTION_LIST softhsm_original;

#endif
