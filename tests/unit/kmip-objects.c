/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip-objects.h"

#include "kmip-fixture.h"
#include "unit.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <string.h>

#define OBJECTS_MAX 64

/* The halves of a pair follow each other, the private one first. */
struct object {
	char identifier[64], name[256], label[256], group[256];
	uint32_t type, algorithm, state;
	const struct object *replaced; /* NULL: none */
};

static struct object objects[OBJECTS_MAX];
static unsigned count, next;

void
kmip_objects_clear(void)
{
	count = 0;
	next = 0;
}

static void
give_identifier(struct object *object)
{
	snprintf(object->identifier, sizeof object->identifier, "object-%u", next++);
}

void
kmip_objects_rename(void)
{
	for (unsigned i = 0; i < count; i++)
		give_identifier(&objects[i]);
}

void
kmip_objects_disown(void)
{
	for (unsigned i = 0; i < count; i++) {
		objects[i].name[0] = '\0';
		objects[i].label[0] = '\0';
	}
}

void
kmip_objects_rekey(void)
{
	ck_assert_uint_ge(count, 2);
	ck_assert_uint_le(count + 2, OBJECTS_MAX);
	for (unsigned half = 0; half < 2; half++) {
		struct object *old = &objects[count - 2], *new = &objects[count];

		*new = *old;
		give_identifier(new);
		new->replaced = old;
		old->name[0] = '\0';
		count++;
	}
}

void
kmip_objects_destroy(const char *identifier)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(objects[i].identifier, identifier) == 0)
			objects[i].state = KMIP_DESTROYED;
}

const char *
kmip_objects_group(void)
{
	return objects[count - 1].group;
}

unsigned
kmip_objects_count(void)
{
	unsigned live = 0;

	for (unsigned i = 0; i < count; i++)
		live += objects[i].state != KMIP_DESTROYED;
	return live;
}

/* Operations: each writes the answer's payload, or returns a reason. */

static struct object *
find_object(const struct ttlv *payload)
{
	struct ttlv item;

	if (!ttlv_find(payload, KMIP_UNIQUE_IDENTIFIER, &item))
		return NULL;
	for (unsigned i = 0; i < count; i++)
		if (ttlv_is_text(&item, objects[i].identifier))
			return &objects[i];
	return NULL;
}

static EVP_PKEY *
key_of(const struct object *object)
{
	return object->algorithm == KMIP_RSA ? kmip_fixture.rsa : kmip_fixture.ec;
}

static void
copy_item(const struct ttlv *item, char *out, size_t room)
{
	out[0] = '\0';
	if (item->type == TTLV_TEXT_STRING && item->size < room) {
		memcpy(out, item->value, item->size);
		out[item->size] = '\0';
	}
}

static void
copy_text(const struct ttlv *structure, uint32_t tag, char *out, size_t room)
{
	struct ttlv item;

	out[0] = '\0';
	if (ttlv_find(structure, tag, &item))
		copy_item(&item, out, room);
}

/* The value of the attribute with this name. */
static bool
find_attribute(const struct ttlv *structure, const char *name, struct ttlv *ret_value)
{
	struct ttlv item, text;
	bool more;

	for (more = ttlv_first(structure, &item); more; more = ttlv_next(structure, &item))
		if (item.tag == KMIP_ATTRIBUTE && ttlv_find(&item, KMIP_ATTRIBUTE_NAME, &text) &&
		    ttlv_is_text(&text, name))
			return ttlv_find(&item, KMIP_ATTRIBUTE_VALUE, ret_value);
	return false;
}

/* One half, from its template. */
static uint32_t
create_half(const struct ttlv *template, struct object *object)
{
	struct ttlv value;

	if ((!kmip_fixture.sealing && find_attribute(template, "Sensitive", &value)) ||
	    (!kmip_fixture.groups && find_attribute(template, "Object Group", &value)))
		return kmip_fixture.unknown;
	ck_assert(find_attribute(template, "Name", &value));
	copy_text(&value, KMIP_NAME_VALUE, object->name, sizeof object->name);
	ck_assert(find_attribute(template, "Application Specific Information", &value));
	copy_text(&value, KMIP_APPLICATION_DATA, object->label, sizeof object->label);
	if (find_attribute(template, "Object Group", &value))
		copy_item(&value, object->group, sizeof object->group);
	give_identifier(object);
	return 0;
}

static uint32_t
create(const struct ttlv *payload, struct ttlv_writer *answer)
{
	static const uint32_t templates[] = { KMIP_PRIVATE_KEY_TEMPLATE_ATTRIBUTE,
		                              KMIP_PUBLIC_KEY_TEMPLATE_ATTRIBUTE };
	static const uint32_t types[] = { KMIP_OBJECT_PRIVATE_KEY, KMIP_OBJECT_PUBLIC_KEY };
	/* By kmip_fixture.told: which half is told as the private one, and as the public one. */
	static const unsigned told[][2] = { { 0, 1 }, { 1, 0 }, { 0, 0 } };
	const unsigned *as = told[kmip_fixture.told];
	struct object *pair = &objects[count];
	struct ttlv common, structure, value;
	uint32_t algorithm = 0, reason;

	ck_assert(ttlv_get_structure(payload, KMIP_COMMON_TEMPLATE_ATTRIBUTE, &common));
	ck_assert(find_attribute(&common, "Cryptographic Algorithm", &value));
	ck_assert(ttlv_to_enumeration(&value, &algorithm));
	ck_assert_uint_le(count + 2, OBJECTS_MAX);
	for (unsigned half = 0; half < 2; half++) {
		pair[half] = (struct object){ .type = types[half], .algorithm = algorithm, .state = 1 };
		ck_assert(ttlv_get_structure(payload, templates[half], &structure));
		reason = create_half(&structure, &pair[half]);
		if (reason != 0)
			return reason;
		if (types[half] == KMIP_OBJECT_PRIVATE_KEY)
			kmip_fixture.sealed = find_attribute(&structure, "Sensitive", &value) &&
			                      find_attribute(&structure, "Extractable", &value);
	}
	ttlv_text(answer, KMIP_PRIVATE_KEY_UNIQUE_IDENTIFIER, pair[as[0]].identifier);
	ttlv_text(answer, KMIP_PUBLIC_KEY_UNIQUE_IDENTIFIER, pair[as[1]].identifier);
	count += 2;
	return 0;
}

static uint32_t
locate(const struct ttlv *payload, struct ttlv_writer *answer)
{
	struct ttlv value, name;
	int32_t offset = 0;

	(void)!ttlv_get_integer(payload, KMIP_OFFSET_ITEMS, &offset);
	for (unsigned i = 0; i < count; i++) {
		struct object *object = &objects[i];
		uint32_t type = object->type;

		if (find_attribute(payload, "Object Type", &value))
			(void)!ttlv_to_enumeration(&value, &type);
		if (type != object->type ||
		    (find_attribute(payload, "Name", &value) &&
		     ttlv_find(&value, KMIP_NAME_VALUE, &name) && !ttlv_is_text(&name, object->name)))
			continue;
		if (offset-- <= 0)
			ttlv_text(answer, KMIP_UNIQUE_IDENTIFIER, object->identifier);
	}
	return 0;
}

static void
write_attribute(struct ttlv_writer *answer, const char *name, uint32_t value)
{
	ttlv_open(answer, KMIP_ATTRIBUTE);
	ttlv_text(answer, KMIP_ATTRIBUTE_NAME, name);
	ttlv_enumeration(answer, KMIP_ATTRIBUTE_VALUE, value);
	ttlv_close(answer);
}

static void
write_pair_attribute(struct ttlv_writer *answer, const char *name, uint32_t tag_1,
                     const char *text_1, uint32_t tag_2, const char *text_2)
{
	ttlv_open(answer, KMIP_ATTRIBUTE);
	ttlv_text(answer, KMIP_ATTRIBUTE_NAME, name);
	ttlv_open(answer, KMIP_ATTRIBUTE_VALUE);
	ttlv_text(answer, tag_1, text_1);
	ttlv_text(answer, tag_2, text_2);
	ttlv_close(answer);
	ttlv_close(answer);
}

static void
write_link(struct ttlv_writer *answer, enum kmip_link type, const char *identifier)
{
	ttlv_open(answer, KMIP_ATTRIBUTE);
	ttlv_text(answer, KMIP_ATTRIBUTE_NAME, "Link");
	ttlv_open(answer, KMIP_ATTRIBUTE_VALUE);
	ttlv_enumeration(answer, KMIP_LINK_TYPE, type);
	ttlv_text(answer, KMIP_LINKED_OBJECT_IDENTIFIER, identifier);
	ttlv_close(answer);
	ttlv_close(answer);
}

static uint32_t
get_attributes(const struct object *object, struct ttlv_writer *answer)
{
	write_attribute(answer, "Object Type", object->type);
	write_attribute(answer, "State", object->state);
	write_attribute(answer, "Cryptographic Algorithm", object->algorithm);
	if (object->name[0] != '\0')
		write_pair_attribute(answer, "Name", KMIP_NAME_VALUE, object->name, KMIP_NAME_TYPE, "");
	if (object->label[0] != '\0')
		write_pair_attribute(answer, "Application Specific Information",
		                     KMIP_APPLICATION_NAMESPACE, "p11-kms", KMIP_APPLICATION_DATA,
		                     object->label);
	if (object->type == KMIP_OBJECT_PRIVATE_KEY)
		write_link(answer, KMIP_LINK_PUBLIC_KEY, object[1].identifier);
	else
		write_link(answer, KMIP_LINK_PRIVATE_KEY, object[-1].identifier);
	if (object->replaced != NULL)
		write_link(answer, KMIP_LINK_REPLACED, object->replaced->identifier);
	return 0;
}

static uint32_t
get(const struct object *object, struct ttlv_writer *answer)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key_of(object), &der);

	kmip_fixture.private_gets += object->type == KMIP_OBJECT_PRIVATE_KEY;
	ttlv_enumeration(answer, KMIP_OBJECT_TYPE, object->type);
	ttlv_open(answer, KMIP_PUBLIC_KEY);
	ttlv_open(answer, KMIP_KEY_BLOCK);
	ttlv_open(answer, KMIP_KEY_VALUE);
	ttlv_bytes(answer, KMIP_KEY_MATERIAL, der, (size_t)size);
	ttlv_close(answer);
	ttlv_close(answer);
	ttlv_close(answer);
	OPENSSL_free(der);
	return 0;
}

static const EVP_MD *
hash_of(const struct ttlv *parameters, uint32_t tag)
{
	static const EVP_MD *(*const hashes[])(void) = { EVP_sha1, EVP_sha224, EVP_sha256, EVP_sha384,
		                                         EVP_sha512 };
	uint32_t hash = KMIP_SHA_1;

	(void)!ttlv_get_enumeration(parameters, tag, &hash);
	return hashes[hash - KMIP_SHA_1]();
}

static uint32_t
sign(const struct object *object, const struct ttlv *payload, struct ttlv_writer *answer)
{
	unsigned char digest[64], signature[512];
	size_t size = sizeof signature, data_size;
	const unsigned char *data;
	unsigned digest_size;
	struct ttlv parameters;
	uint32_t padding = 0;
	EVP_PKEY_CTX *context;

	ck_assert(ttlv_get_structure(payload, KMIP_CRYPTOGRAPHIC_PARAMETERS, &parameters));
	if (ttlv_get_bytes(payload, KMIP_DIGESTED_DATA, &data, &data_size)) {
		if (!kmip_fixture.digested)
			return KMIP_INVALID_FIELD;
		memcpy(digest, data, data_size);
		digest_size = (unsigned)data_size;
	} else {
		ck_assert(ttlv_get_bytes(payload, KMIP_DATA, &data, &data_size));
		EVP_Digest(data, data_size, digest, &digest_size,
		           hash_of(&parameters, KMIP_HASHING_ALGORITHM), NULL);
	}
	context = EVP_PKEY_CTX_new(key_of(object), NULL);
	ck_assert_int_eq(EVP_PKEY_sign_init(context), 1);
	kmip_fixture.last_salt = -1;
	if (ttlv_get_enumeration(&parameters, KMIP_PADDING_METHOD, &padding)) {
		EVP_PKEY_CTX_set_rsa_padding(context, padding == KMIP_PADDING_PSS ? RSA_PKCS1_PSS_PADDING
		                                                                 : RSA_PKCS1_PADDING);
		if (ttlv_get_integer(&parameters, KMIP_SALT_LENGTH, &kmip_fixture.last_salt))
			EVP_PKEY_CTX_set_rsa_pss_saltlen(context, kmip_fixture.last_salt);
		EVP_PKEY_CTX_set_signature_md(context, hash_of(&parameters, KMIP_HASHING_ALGORITHM));
	}
	ck_assert_int_eq(EVP_PKEY_sign(context, signature, &size, digest, digest_size), 1);
	EVP_PKEY_CTX_free(context);
	ttlv_bytes(answer, KMIP_SIGNATURE_DATA, signature, size);
	return 0;
}

static uint32_t
decrypt(const struct ttlv *payload, struct ttlv_writer *answer)
{
	unsigned char plaintext[512];
	size_t size = sizeof plaintext, data_size;
	const unsigned char *data;
	struct ttlv parameters;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(kmip_fixture.rsa, NULL);
	int done;

	ck_assert(ttlv_get_structure(payload, KMIP_CRYPTOGRAPHIC_PARAMETERS, &parameters));
	ck_assert(ttlv_get_bytes(payload, KMIP_DATA, &data, &data_size));
	EVP_PKEY_decrypt_init(context);
	EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
	EVP_PKEY_CTX_set_rsa_oaep_md(context, hash_of(&parameters, KMIP_HASHING_ALGORITHM));
	EVP_PKEY_CTX_set_rsa_mgf1_md(context,
	                             hash_of(&parameters, KMIP_MASK_GENERATOR_HASHING_ALGORITHM));
	done = EVP_PKEY_decrypt(context, plaintext, &size, data, data_size);
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	if (done != 1)
		return KMIP_CRYPTOGRAPHIC_FAILURE;
	if (kmip_fixture.plaintext == KMIP_PLAINTEXT_DATA)
		ttlv_bytes(answer, KMIP_DATA, plaintext, size);
	else if (kmip_fixture.plaintext == KMIP_PLAINTEXT_TEXT)
		ttlv_text_sized(answer, KMIP_DATA, plaintext, size);
	return 0;
}

static void
discover(struct ttlv_writer *answer)
{
	for (int minor = kmip_fixture.minor + kmip_fixture.versions; minor >= 0; minor--) {
		ttlv_open(answer, KMIP_PROTOCOL_VERSION);
		ttlv_integer(answer, KMIP_PROTOCOL_VERSION_MAJOR, 1);
		ttlv_integer(answer, KMIP_PROTOCOL_VERSION_MINOR, minor);
		ttlv_close(answer);
	}
}

static uint32_t
on_object(uint32_t operation, const struct ttlv *payload, struct ttlv_writer *answer)
{
	struct object *object = find_object(payload);

	if (object == NULL || (object->state == KMIP_DESTROYED &&
	                       !(kmip_fixture.remembers && operation == KMIP_GET_ATTRIBUTES)))
		return KMIP_ITEM_NOT_FOUND;
	if ((operation == KMIP_SIGN || operation == KMIP_DECRYPT) && kmip_fixture.failing > 0) {
		kmip_fixture.failing--;
		return KMIP_GENERAL_FAILURE;
	}
	ttlv_text(answer, KMIP_UNIQUE_IDENTIFIER,
	          operation == kmip_fixture.mistaken ? "another" : object->identifier);
	switch (operation) {
	case KMIP_GET:
		return get(object, answer);
	case KMIP_GET_ATTRIBUTES:
		return get_attributes(object, answer);
	case KMIP_ACTIVATE:
		object->state = KMIP_ACTIVE;
		return 0;
	case KMIP_REVOKE:
		object->state = KMIP_DEACTIVATED;
		return 0;
	case KMIP_DESTROY:
		if (object->state == KMIP_ACTIVE ||
		    (kmip_fixture.sacred != NULL && strcmp(kmip_fixture.sacred, object->identifier) == 0))
			return KMIP_PERMISSION_DENIED;
		if (!kmip_fixture.idle)
			object->state = KMIP_DESTROYED;
		return 0;
	case KMIP_SIGN:
		return object->state == KMIP_ACTIVE ? sign(object, payload, answer)
		                                    : KMIP_PERMISSION_DENIED;
	default:
		return decrypt(payload, answer);
	}
}

uint32_t
kmip_objects_operate(uint32_t operation, const struct ttlv *payload, struct ttlv_writer *answer)
{
	switch (operation) {
	case KMIP_DISCOVER_VERSIONS:
		discover(answer);
		return 0;
	case KMIP_QUERY:
		ttlv_text(answer, KMIP_VENDOR_IDENTIFICATION, "Unit Test");
		return 0;
	case KMIP_CREATE_KEY_PAIR:
		return create(payload, answer);
	case KMIP_LOCATE:
		return locate(payload, answer);
	default:
		return on_object(operation, payload, answer);
	}
}
