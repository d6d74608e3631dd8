/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a KMIP server can do, found out by doing it: its list of operations does not tell
 * whether Decrypt includes RSA, whether Sign takes a digest, or who chooses the salt. Two
 * pairs in the server (p11-kms:self-test:rsa and p11-kms:self-test:ec) are used for that,
 * made when they are not there; they are kept, and shown nowhere.
 */
#ifndef P11_KMS_KMS_KMIP_PROBE_H
#define P11_KMS_KMS_KMIP_PROBE_H

#include "base/compiler.h"
#include "kms/kmip-session.h"

#define KMIP_PRIMITIVES_MAX 32
#define KMIP_LACKS_MAX 8

struct kmip_abilities {
	CK_MECHANISM_TYPE primitives[KMIP_PRIMITIVES_MAX]; /* as of struct kms_description */
	size_t count;
	char *lacks[KMIP_LACKS_MAX]; /* owned; as of struct kms_description */
	size_t lack_count;
};

/*
 * Why the server can't do something goes to the log, too. CKR_DEVICE_ERROR and the like: it
 * was not found out. *ret_abilities is the caller's to clear.
 */
MUST_USE CK_RV kmip_probe(struct kmip_session *session, struct kmip_abilities *ret_abilities);
void kmip_abilities_clear(struct kmip_abilities *abilities);

#endif
