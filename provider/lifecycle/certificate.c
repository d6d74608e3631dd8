/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/certificate.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/signing.h"
#include "mechanism/certificate.h"
#include "p11-kms/p11-kms.h"

#include <stdlib.h>
#include <string.h>

#define SALT_SIZE 32   /* as long as the hash: RFC 8017, section 9.1 */
#define PAGE 16        /* certificates with one CKA_ID that are looked at together */
#define TOKEN_USER 1UL /* CK_CERTIFICATE_CATEGORY_TOKEN_USER */

/* The hash is as strong as the curve (RFC 5480, section 4). */
static CK_MECHANISM_TYPE
ecdsa_for(unsigned bits)
{
	if (bits <= 256)
		return CKM_ECDSA_SHA256;
	return bits <= 384 ? CKM_ECDSA_SHA384 : CKM_ECDSA_SHA512;
}

/* The first way that the key, its policy and the KMS agree on. */
static CK_RV
choose_use(const struct lifecycle *lifecycle, const struct version *version,
           const struct public_key *key, bool pss, struct mechanism_use *ret_use)
{
	CK_RSA_PKCS_PSS_PARAMS parameter = { CKM_SHA256, CKG_MGF1_SHA256, SALT_SIZE };
	CK_MECHANISM ways[] = {
		{ CKM_SHA256_RSA_PKCS, NULL, 0 },
		{ CKM_SHA256_RSA_PKCS_PSS, &parameter, sizeof parameter },
		{ ecdsa_for(public_key_bits(key)), NULL, 0 },
		{ CKM_EDDSA, NULL, 0 },
	};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		const struct mechanism *row = mechanism_find(ways[i].mechanism);

		if (pss && ways[i].mechanism != CKM_SHA256_RSA_PKCS_PSS)
			continue;
		if (row == NULL || row->key_type != public_key_type(key) ||
		    !version_allows(version, ways[i].mechanism) ||
		    (mechanism_flags(row, false, token_record_offers, lifecycle->token) & CKF_SIGN) == 0)
			continue;
		return mechanism_use_init(&ways[i], CKF_SIGN, key, ret_use);
	}
	return CKR_MECHANISM_INVALID;
}

static unsigned
uses_of(const struct version *version)
{
	unsigned uses = CERTIFICATE_SIGNS;

	if ((version->usage & (USAGE_DECRYPT | USAGE_UNWRAP)) != 0)
		uses |= CERTIFICATE_ENCIPHERS;
	if ((version->usage & USAGE_DERIVE) != 0)
		uses |= CERTIFICATE_AGREES;
	return uses;
}

static CK_RV
sign(struct lifecycle *lifecycle, const struct version *version, struct public_key *key,
     const struct mechanism_use *use, struct certificate_draft *draft, struct deadline deadline,
     struct buffer *ret_der)
{
	struct kms_key name = { .id = version->id.data, .id_size = version->id.size };
	struct buffer message = BUFFER_INIT, signature = BUFFER_INIT;
	CK_RV rv = certificate_draft_message(draft, &message);

	if (rv == CKR_OK)
		rv = key_sign(lifecycle->kms, lifecycle->token, &name, key, use, message.data,
		              message.size, deadline, &signature);
	if (rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE) {
		log_error("the KMS of token %s signed for %s@%lld with another key",
		          lifecycle->config->name, version->name, (long long)version->number);
		rv = CKR_FUNCTION_FAILED;
	}
	if (rv == CKR_OK)
		rv = certificate_draft_sign(draft, signature.data, signature.size, ret_der);
	buffer_clear(&signature);
	buffer_clear(&message);
	return rv;
}

CK_RV
version_certificate_make(struct lifecycle *lifecycle, const struct version *version,
                         const struct certificate_wish *wish, bool pss, struct deadline deadline,
                         struct buffer *ret_der, char **ret_why)
{
	struct mechanism_use use = { .mechanism = NULL };
	struct certificate_wish whole = *wish;
	struct certificate_draft *draft = NULL;
	struct public_key *key = NULL;
	CK_RV rv;

	if ((version->usage & USAGE_SIGN) == 0)
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (whole.subject == NULL && version->subject.size != 0)
		whole.name = &version->subject;
	else if (whole.subject == NULL)
		whole.subject = version->name;
	whole.uses = uses_of(version);
	rv = public_key_new(version->spki.data, version->spki.size, &key);
	if (rv == CKR_OK)
		rv = choose_use(lifecycle, version, key, pss, &use);
	if (rv == CKR_OK)
		rv = certificate_draft_new(&whole, key, &use, &draft, ret_why);
	if (rv == CKR_OK)
		rv = sign(lifecycle, version, key, &use, draft, deadline, ret_der);
	certificate_draft_free(&draft);
	mechanism_use_clear(&use);
	public_key_free(&key);
	return rv;
}

/* Called for each certificate with the version's CKA_ID. CKR_CANCEL ends the walk. */
typedef CK_RV (*certificate_met)(void *context, const struct object_record *record);

static CK_RV
walk(struct registry *registry, const struct version *version, certificate_met met, void *context)
{
	const CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	struct registry_object_search search = {
		.class = &class, .id = version->id.data, .id_size = version->id.size
	};
	struct object_record *record = NULL;
	int64_t objects[PAGE];
	size_t count = 0;
	CK_RV rv;

	do {
		rv = registry_search_objects(registry, &search, objects, PAGE, &count);
		for (size_t i = 0; rv == CKR_OK && i < count; i++) {
			rv = registry_object(registry, objects[i], &record);
			/* What is broken is none; it was logged. */
			if (rv == CKR_OBJECT_HANDLE_INVALID || rv == CKR_DEVICE_ERROR) {
				rv = CKR_OK;
				continue;
			}
			if (rv == CKR_OK)
				rv = met(context, record);
			object_record_free(&record);
		}
		if (count != 0)
			search.before = objects[count - 1];
	} while (rv == CKR_OK && count == PAGE);
	return rv == CKR_CANCEL ? CKR_OK : rv;
}

/* One that is kept with the version, and not one that an application made. */
struct kept {
	const struct version *version;
	int64_t object;         /* 0: there is none */
	struct buffer *ret_der; /* may be NULL */
	bool any;               /* an application's was met, too */
};

static CK_RV
meet_kept(void *context, const struct object_record *record)
{
	const struct attribute *value = attributes_find(&record->attributes, CKA_VALUE);
	const struct attribute *name = attributes_find(&record->attributes, CKA_P11_KMS_KEY_NAME);
	const struct attribute *id = attributes_find(&record->attributes, CKA_ID);
	struct kept *kept = context;

	if (attributes_ulong(&record->attributes, CKA_CLASS, 0) != CKO_CERTIFICATE || id == NULL ||
	    !buffer_equal(&id->value, kept->version->id.data, kept->version->id.size))
		return CKR_OK; /* the index is wrong */
	kept->any = true;
	if (name == NULL || value == NULL)
		return CKR_OK;
	kept->object = record->object;
	if (kept->ret_der != NULL) {
		CK_RV rv = buffer_set(kept->ret_der, value->value.data, value->value.size);

		if (rv != CKR_OK)
			return rv;
	}
	return CKR_CANCEL;
}

CK_RV
version_certificate(struct registry *registry, const struct version *version,
                    struct buffer *ret_der)
{
	struct kept kept = { .version = version, .ret_der = ret_der };
	CK_RV rv = walk(registry, version, meet_kept, &kept);

	return rv == CKR_OK && kept.object == 0 ? CKR_OBJECT_HANDLE_INVALID : rv;
}

struct keeping {
	const struct version *version;
	struct object_record *record;
	bool first; /* CKR_ACTION_PROHIBITED when the version has any certificate */
};

static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	struct keeping *keeping = context;
	struct kept kept = { .version = keeping->version };
	CK_RV rv = walk(registry, keeping->version, meet_kept, &kept);

	if (rv != CKR_OK)
		return rv;
	if (keeping->first && kept.any)
		return CKR_ACTION_PROHIBITED;
	if (kept.object != 0)
		keeping->record->object = kept.object;
	return change_add_object(change, keeping->record);
}

static CK_RV
set(struct attributes *list, CK_ATTRIBUTE_TYPE type, const struct buffer *value)
{
	return attributes_set(list, type, value->data, value->size);
}

/* PKCS#11 3.0, sections 4.4, 4.6.2 and 4.6.3. */
static CK_RV
describe(const struct version *version, const struct certificate_parts *parts, const void *der,
         size_t size, struct attributes *list)
{
	static const struct {
		CK_ATTRIBUTE_TYPE type;
		bool value;
	} flags[] = {
		{ CKA_TOKEN, true },      { CKA_PRIVATE, false },    { CKA_MODIFIABLE, false },
		{ CKA_COPYABLE, false },  { CKA_DESTROYABLE, true }, { CKA_TRUSTED, false },
	};
	static const CK_ATTRIBUTE_TYPE empty[] = {
		CKA_START_DATE, CKA_END_DATE, CKA_URL, CKA_HASH_OF_SUBJECT_PUBLIC_KEY,
		CKA_HASH_OF_ISSUER_PUBLIC_KEY,
	};
	CK_RV rv = attributes_set_ulong(list, CKA_CLASS, CKO_CERTIFICATE);

	for (size_t i = 0; rv == CKR_OK && i < sizeof flags / sizeof *flags; i++)
		rv = attributes_set_bool(list, flags[i].type, flags[i].value);
	for (size_t i = 0; rv == CKR_OK && i < sizeof empty / sizeof *empty; i++)
		rv = attributes_set(list, empty[i], NULL, 0);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_CERTIFICATE_TYPE, CKC_X_509);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_CERTIFICATE_CATEGORY, TOKEN_USER);
	/* What is shown is the version's label at that time: token/stored-object.c. */
	if (rv == CKR_OK)
		rv = attributes_set(list, CKA_LABEL, version->name, strlen(version->name));
	if (rv == CKR_OK)
		rv = attributes_set(list, CKA_P11_KMS_KEY_NAME, version->name, strlen(version->name));
	if (rv == CKR_OK)
		rv = set(list, CKA_ID, &version->id);
	if (rv == CKR_OK)
		rv = set(list, CKA_SUBJECT, &parts->subject);
	if (rv == CKR_OK)
		rv = set(list, CKA_ISSUER, &parts->issuer);
	if (rv == CKR_OK)
		rv = set(list, CKA_SERIAL_NUMBER, &parts->serial);
	if (rv == CKR_OK)
		rv = set(list, CKA_PUBLIC_KEY_INFO, &parts->spki);
	return rv == CKR_OK ? attributes_set(list, CKA_VALUE, der, size) : rv;
}

static CK_RV
keep(struct lifecycle *lifecycle, const struct version *version, const void *der, size_t size,
     bool first)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct keeping keeping = { .version = version, .first = first };
	struct certificate_parts parts;
	CK_RV rv = certificate_parse(der, size, &parts);

	if (rv != CKR_OK)
		return rv;
	if (!buffer_equal(&parts.spki, version->spki.data, version->spki.size))
		rv = CKR_PUBLIC_KEY_INVALID;
	if (rv == CKR_OK)
		rv = object_record_new(&keeping.record);
	if (rv == CKR_OK) {
		keeping.record->created = clock_now();
		rv = describe(version, &parts, der, size, &keeping.record->attributes);
	}
	if (rv == CKR_OK)
		rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
		                     build, &keeping);
	if (rv == CKR_OK)
		log_info("token %s: a certificate of %s@%lld is kept", lifecycle->config->name,
		         version->name, (long long)version->number);
	object_record_free(&keeping.record);
	certificate_parts_clear(&parts);
	return rv;
}

CK_RV
version_certificate_keep(struct lifecycle *lifecycle, const struct version *version,
                         const void *der, size_t size)
{
	return keep(lifecycle, version, der, size, false);
}

/* It only says whose key this is. Not for one whose private half others may have. */
static bool
wants_one(const struct version *version)
{
	return (version->usage & USAGE_SIGN) != 0 &&
	       (version->state == STATE_PRE_ACTIVE || version->state == STATE_ACTIVE ||
	        version->state == STATE_DEACTIVATED);
}

CK_RV
version_certify_once(struct lifecycle *lifecycle, const struct version *version,
                     struct deadline deadline)
{
	const struct certificate_wish wish = { .from = version->created, .until = CERTIFICATE_NEVER };
	struct buffer der = BUFFER_INIT;
	char *why = NULL;
	CK_RV rv;

	if (!wants_one(version))
		return CKR_ACTION_PROHIBITED;
	rv = version_certificate_make(lifecycle, version, &wish, false, deadline, &der, &why);
	if (rv == CKR_ARGUMENTS_BAD)
		log_warning("no certificate for %s@%lld: %s", version->name,
		            (long long)version->number, why != NULL ? why : "out of memory");
	if (rv == CKR_OK)
		rv = keep(lifecycle, version, der.data, der.size, true);
	buffer_clear(&der);
	free(why);
	return rv;
}

void
version_certify(struct lifecycle *lifecycle, const struct version *version,
                struct deadline deadline)
{
	CK_RV rv;

	if (!lifecycle->config->self_signed)
		return;
	rv = version_certify_once(lifecycle, version, deadline);
	if (rv != CKR_OK && rv != CKR_ACTION_PROHIBITED)
		log_warning("token %s: %s@%lld is made, but not its certificate (%s): `p11-kms refresh` "
		            "tries again", lifecycle->config->name, version->name,
		            (long long)version->number, ckr_name(rv));
}
