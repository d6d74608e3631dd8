/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a CKA_ID and a label stand in a KMIP server. Objects that we made have a Name,
 *
 *	p11-kms:HEX-ID		of the private key
 *	p11-kms:HEX-ID:public	of the public key
 *
 * and the label NAME@VERSION in their Application Specific Information. Those that others
 * made, or the server itself when it rotated a key, have a CKA_ID made of their unique
 * identifier: the 16 bytes of a UUID (RFC 9562), or "uid:" and the identifier.
 *
 * A server that re-keys a pair gives the Names to the new one (KMIP 1.4, section 4.5). The
 * one that a Name of ours means is then the oldest, at the end of the Replaced Object links.
 */
#ifndef P11_KMS_KMS_KMIP_IDENTITY_H
#define P11_KMS_KMS_KMIP_IDENTITY_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "kms/kmip-attribute.h"

/* The Name; caller frees, NULL when memory is short. */
char *kmip_name_of(enum kmip_object_type type, const void *id, size_t id_size);
/*
 * The Object Group of all versions of a key, for whoever looks at the server; nothing is found by
 * it. label: NAME@VERSION. Caller frees, NULL when memory is short.
 */
char *kmip_group_of(const char *label);
/* The label of kmip-probe.h's pairs, which are none of anybody's keys. */
#define KMIP_PROBE_LABEL "p11-kms self-test"
bool kmip_object_is_probe(const struct kmip_object *object);
/*
 * The unique identifier that a CKA_ID was made of. False: it was not. ret_identifier:
 * KMIP_IDENTIFIER_MAX + 1 bytes.
 */
MUST_USE bool kmip_identifier_of(const void *id, size_t id_size, char *ret_identifier);

/* The CKA_ID that a Name of ours has. False: it is none, or memory is short. name may be NULL. */
MUST_USE bool kmip_id_in_name(const char *name, struct buffer *ret_id);
/* The CKA_ID that a unique identifier makes. */
MUST_USE CK_RV kmip_id_of_identifier(const char *identifier, struct buffer *ret_id);
/*
 * The CKA_ID of a private key: of its Name, if that means this one, else of its unique
 * identifier.
 */
MUST_USE CK_RV kmip_id_of(const struct kmip_object *object, struct buffer *ret_id);
/*
 * Its label. original: the oldest of its chain of replacements that is known, itself when it
 * replaced none; replacements: how many there are up to it. Caller frees; NULL when memory is
 * short.
 */
char *kmip_label_of(const struct kmip_object *object, const struct kmip_object *original,
                    unsigned replacements);

#endif
