/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of objects as KMIP 1.x writes them: a name, and a value of the type that goes
 * with it (KMIP 1.4, chapter 3).
 */
#ifndef P11_KMS_KMS_KMIP_ATTRIBUTE_H
#define P11_KMS_KMS_KMIP_ATTRIBUTE_H

#include "base/compiler.h"
#include "kms/kmip-names.h"
#include "kms/kmip-number.h"
#include "kms/ttlv.h"

#include <stdbool.h>

/* The namespace of our Application Specific Information, and the beginning of our Names. */
#define KMIP_NAMESPACE "p11-kms"

void kmip_attribute_enumeration(struct ttlv_writer *writer, const char *name, uint32_t value);
void kmip_attribute_integer(struct ttlv_writer *writer, const char *name, int32_t value);
void kmip_attribute_boolean(struct ttlv_writer *writer, const char *name, bool value);
void kmip_attribute_text(struct ttlv_writer *writer, const char *name, const char *value);
/* The attribute "Name". */
void kmip_attribute_name(struct ttlv_writer *writer, const char *value);
/* The attribute "Application Specific Information", in our namespace. */
void kmip_attribute_application(struct ttlv_writer *writer, const char *data);

/* What is known of an object. */
struct kmip_object {
	char identifier[KMIP_IDENTIFIER_MAX + 1]; /* the server's name for it */
	uint32_t type, algorithm, state;          /* 0: not told */
	char *name;      /* owned: its Name that begins with our namespace, NULL: none */
	char *label;     /* owned: our Application Specific Information, NULL: none */
	char *nickname;  /* owned: the first of its other Names, NULL: none */
	char replaced[KMIP_IDENTIFIER_MAX + 1];   /* what it took the place of, "": nothing */
	char other_half[KMIP_IDENTIFIER_MAX + 1]; /* of its pair, "": not told */
};

/*
 * The payload of an answer to Get Attributes. Attributes that are not known, or malformed, are
 * passed over.
 */
void kmip_object_parse(const struct ttlv *payload, const char *identifier,
                       struct kmip_object *ret_object);
void kmip_object_clear(struct kmip_object *object);
/* Neither destroyed nor about to be. */
bool kmip_object_is_live(const struct kmip_object *object);

/* Copies a unique identifier; false: not a printable text of fitting length. */
MUST_USE bool kmip_identifier_copy(const struct ttlv *item, char *ret_identifier);

#endif
