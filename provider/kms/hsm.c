/* SPDX-License-Identifier: Apache-2.0 */
/* An HSM through its own PKCS#11 module: one attempt of each call. */
#include "kms/backend.h"
#include "kms/hsm-derive.h"
#include "kms/hsm-key.h"
#include "kms/hsm-login.h"
#include "kms/hsm-object.h"
#include "kms/hsm-pair.h"
#include "kms/hsm-session-key.h"
#include "kms/hsm-session.h"

#include <p11-kit/p11-kit.h>
#include <stdlib.h>
#include <string.h>

/* Room for the longest plaintext or raw block: RSA with 16384 bits. */
#define PLAINTEXT_MAX 2048

/* Set by newer p11-kit headers only. */
#ifndef CKM_EDDSA
#define CKM_EDDSA 0x1057UL
#endif

static CK_RV
open_hsm(const struct config_token *config, struct pin *pin, void **ret_state)
{
	struct hsm *hsm = NULL;
	CK_RV rv;

	rv = hsm_new(config, pin, &hsm);
	if (rv != CKR_OK)
		return rv;
	*ret_state = hsm;
	return CKR_OK;
}

static void
close_hsm(void **state)
{
	struct hsm *hsm = *state;

	hsm_free(&hsm);
	*state = NULL;
}

static void
forked(void *state)
{
	hsm_forked(state);
}

static void
logout(void *state, struct deadline deadline)
{
	hsm_logout(state, deadline);
}

static CK_RV
login(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_login_request *request = argument;

	return hsm_login(state, request->pin, request->pin_size, attempt, &request->ret_unproven);
}

static CK_RV
set_pin(void *state, void *argument, struct kms_attempt *attempt)
{
	return hsm_set_pin(state, argument, attempt);
}

/* The private-key primitives of kms.h, and what they are asked to do. */
static const struct {
	CK_MECHANISM_TYPE mechanism;
	CK_FLAGS flag;
} primitives[] = {
	{ CKM_RSA_PKCS, CKF_SIGN },
	{ CKM_RSA_PKCS_PSS, CKF_SIGN },
	{ CKM_RSA_X_509, CKF_DECRYPT },
	{ CKM_RSA_PKCS_OAEP, CKF_DECRYPT },
	{ CKM_ECDSA, CKF_SIGN },
	{ CKM_EDDSA, CKF_SIGN },
	{ CKM_ECDH1_DERIVE, CKF_DERIVE },
	{ CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR },
	{ CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR },
	{ CKM_EC_EDWARDS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR },
	{ CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR },
};

#define PRIMITIVE_COUNT (sizeof primitives / sizeof *primitives)

static CK_RV
list_primitives(const struct hsm_session *session, struct kms_description *description)
{
	CK_MECHANISM_INFO info;
	bool has;
	size_t i;
	CK_RV rv;

	description->primitives = calloc(PRIMITIVE_COUNT, sizeof *description->primitives);
	if (description->primitives == NULL)
		return CKR_HOST_MEMORY;
	for (i = 0; i < PRIMITIVE_COUNT; i++) {
		memset(&info, 0, sizeof info);
		rv = session->functions->C_GetMechanismInfo(session->slot, primitives[i].mechanism,
		                                            &info);
		if (rv != CKR_OK && rv != CKR_MECHANISM_INVALID)
			return rv;
		has = rv == CKR_OK && (info.flags & primitives[i].flag) != 0;
		rv = CKR_OK;
		if (!has && primitives[i].mechanism == CKM_EC_MONTGOMERY_KEY_PAIR_GEN)
			rv = hsm_pair_makes_montgomery(session, &has);
		if (rv != CKR_OK)
			return rv;
		if (has)
			description->primitives[description->primitive_count++] =
				primitives[i].mechanism;
	}
	return CKR_OK;
}

/* Fixed fields of the standard are padded with blanks, not terminated. */
static void
copy_padded(char *out, const CK_UTF8CHAR *padded, size_t size)
{
	size = p11_kit_space_strlen(padded, size);
	memcpy(out, padded, size);
	out[size] = '\0';
}

static CK_RV
describe(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_description *ret_description = argument;
	struct kms_description description = { .primitive_count = 0 };
	struct hsm_session session;
	CK_TOKEN_INFO info;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_PUBLIC, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = session.functions->C_GetTokenInfo(session.slot, &info);
	if (rv == CKR_OK)
		rv = list_primitives(&session, &description);
	rv = hsm_session_return(&session, rv);
	if (rv != CKR_OK) {
		kms_description_clear(&description);
		return rv;
	}
	copy_padded(description.manufacturer, info.manufacturerID, sizeof info.manufacturerID);
	copy_padded(description.model, info.model, sizeof info.model);
	copy_padded(description.serial, info.serialNumber, sizeof info.serialNumber);
	*ret_description = description;
	return CKR_OK;
}

static CK_RV
ping(void *state, void *argument, struct kms_attempt *attempt)
{
	struct hsm_session session;
	CK_TOKEN_INFO token;
	CK_SESSION_INFO info;
	CK_RV rv;

	(void)argument;
	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = session.functions->C_GetTokenInfo(session.slot, &token);
	if (rv == CKR_OK)
		rv = session.functions->C_GetSessionInfo(session.handle, &info);
	if (rv == CKR_OK && session.login && info.state != CKS_RO_USER_FUNCTIONS &&
	    info.state != CKS_RW_USER_FUNCTIONS)
		rv = CKR_USER_NOT_LOGGED_IN;
	return hsm_session_return(&session, rv);
}

static CK_RV
generate(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_generate_request *request = argument;
	CK_OBJECT_HANDLE private_key = 0;
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_pair_generate(&session, request->pair, true, request->ret_spki, &private_key);
	return hsm_session_return(&session, rv);
}

static CK_RV
generate_session(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_generate_session_request *request = argument;
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_session_key_generate(&session, request->pair, request->key, request->ret_spki);
	if (rv != CKR_OK)
		return hsm_session_return(&session, rv);
	hsm_session_keep(&session);
	return CKR_OK;
}

static void
release(void *state, struct kms_session_key *key)
{
	hsm_session_key_release(state, key);
}

static CK_RV
public_key(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_id_request *request = argument;
	struct hsm_session session;
	CK_OBJECT_HANDLE object = 0;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_EITHER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_object_find(&session, CKO_PUBLIC_KEY, true, request->id, request->id_size,
	                     &object);
	if (rv == CKR_OK)
		rv = hsm_object_spki(&session, object, request->ret_spki);
	return hsm_session_return(&session, rv);
}

static CK_RV
check_private(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_id_request *request = argument;
	struct hsm_session session;
	CK_OBJECT_HANDLE object = 0;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_object_find(&session, CKO_PRIVATE_KEY, true, request->id, request->id_size, &object);
	if (rv == CKR_OK)
		rv = hsm_object_check_unattended(&session, object);
	rv = hsm_session_return(&session, rv);
	return rv == CKR_TEMPLATE_INCONSISTENT ? CKR_KEY_FUNCTION_NOT_PERMITTED : rv;
}

static CK_RV
find_pair(void *state, void *argument, struct kms_attempt *attempt)
{
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_pair_find(&session, argument);
	return hsm_session_return(&session, rv);
}

static CK_RV
pair_start(void *state, void *argument, struct kms_attempt *attempt)
{
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_pair_start(&session, argument);
	return hsm_session_return(&session, rv);
}

static CK_RV
label_used(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_id_request *request = argument;
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_object_find_label(&session, request->label);
	return hsm_session_return(&session, rv);
}

static CK_RV
destroy(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_id_request *request = argument;
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_pair_destroy(&session, request);
	/* That none is there counts only when the token is, and we are logged in to it. */
	rv = hsm_session_return(&session, rv);
	return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
}

static CK_RV
list_keys(const struct hsm_session *session, struct kms_list_request *request)
{
	CK_OBJECT_HANDLE *objects = NULL;
	size_t count = 0, i;
	CK_RV rv;

	rv = hsm_object_find_all(session, CKO_PRIVATE_KEY, &objects, &count);
	if (rv != CKR_OK)
		return rv;
	request->ret_keys = calloc(count + 1, sizeof *request->ret_keys);
	if (request->ret_keys == NULL)
		rv = CKR_HOST_MEMORY;
	for (i = 0; rv == CKR_OK && i < count; i++) {
		rv = hsm_object_describe(session, objects[i], &request->ret_keys[request->ret_count]);
		if (rv == CKR_OK)
			request->ret_count++;
		else if (rv == CKR_OBJECT_HANDLE_INVALID)
			rv = CKR_OK;
		if (deadline_passed(session->attempt->deadline))
			rv = CKR_DEVICE_ERROR;
	}
	free(objects);
	return rv;
}

static CK_RV
list(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_list_request *request = argument;
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = list_keys(&session, request);
	/* An empty token looks like one that is gone. */
	if (rv == CKR_OK && request->ret_count == 0)
		rv = CKR_OBJECT_HANDLE_INVALID;
	rv = hsm_session_return(&session, rv);
	if (rv == CKR_OBJECT_HANDLE_INVALID)
		rv = CKR_OK;
	if (rv != CKR_OK) {
		kms_listed_free(request->ret_keys, request->ret_count);
		request->ret_keys = NULL;
		request->ret_count = 0;
	}
	return rv;
}

static CK_RV
begin_sign(const struct hsm_session *session, CK_OBJECT_HANDLE object, void *primitive)
{
	return session->functions->C_SignInit(session->handle, primitive, object);
}

static CK_RV
begin_decrypt(const struct hsm_session *session, CK_OBJECT_HANDLE object, void *primitive)
{
	return session->functions->C_DecryptInit(session->handle, primitive, object);
}

static CK_RV
sign(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_sign_request *request = argument;
	CK_ULONG size = *request->ret_signature_size;
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_key_with(&session, request->key, begin_sign, request->primitive);
	if (rv == CKR_OK)
		rv = session.functions->C_Sign(session.handle, (CK_BYTE *)request->data,
		                               request->data_size, request->ret_signature, &size);
	rv = hsm_session_return(&session, rv);
	if (rv == CKR_OK)
		*request->ret_signature_size = size;
	return rv;
}

/* The many ways to say that a ciphertext is bad must not be told apart: each is an oracle. */
static bool
blames_ciphertext(CK_RV rv)
{
	switch (rv) {
	case CKR_ENCRYPTED_DATA_INVALID:
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
	case CKR_DATA_INVALID:
	case CKR_DATA_LEN_RANGE:
	case CKR_BUFFER_TOO_SMALL:
	case CKR_ARGUMENTS_BAD:
	case CKR_GENERAL_ERROR:
	case CKR_FUNCTION_FAILED:
		return true;
	default:
		return false;
	}
}

static CK_RV
decrypt(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_decrypt_request *request = argument;
	struct secret *plaintext = NULL;
	CK_ULONG size = PLAINTEXT_MAX;
	struct hsm_session session;
	bool decrypting = false;
	CK_RV rv;

	rv = secret_new(PLAINTEXT_MAX, &plaintext);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		goto out;
	rv = hsm_key_with(&session, request->key, begin_decrypt, request->primitive);
	decrypting = rv == CKR_OK;
	if (decrypting)
		rv = session.functions->C_Decrypt(session.handle, (CK_BYTE *)request->data,
		                                  request->data_size, secret_data(plaintext), &size);
	/* Of these the return asks the HSM whether it is well; if not, it is the HSM's fault. */
	if (decrypting && blames_ciphertext(rv))
		rv = CKR_ENCRYPTED_DATA_INVALID;
	rv = hsm_session_return(&session, rv);
	if (rv == CKR_OK && size > PLAINTEXT_MAX)
		rv = CKR_DEVICE_ERROR;
	if (rv != CKR_OK)
		goto out;
	secret_truncate(plaintext, size);
	*request->ret_plaintext = plaintext;
	plaintext = NULL;
out:
	secret_free(&plaintext);
	return rv;
}

static CK_RV
derive(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_derive_request *request = argument;
	struct secret *shared = NULL;
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(state, HSM_USER, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_derive(&session, request->key, request->primitive, &shared);
	rv = hsm_session_return(&session, rv);
	if (rv == CKR_OK)
		*request->ret_shared = shared;
	else
		secret_free(&shared);
	return rv;
}

const struct kms_backend hsm_backend = {
	.open = open_hsm,
	.close = close_hsm,
	.forked = forked,
	.logout = logout,
	.login = login,
	.set_pin = set_pin,
	.describe = describe,
	.ping = ping,
	.generate = generate,
	.generate_session = generate_session,
	.release = release,
	.public_key = public_key,
	.check_private = check_private,
	.find_pair = find_pair,
	.pair_start = pair_start,
	.label_used = label_used,
	.destroy = destroy,
	.list = list,
	.sign = sign,
	.decrypt = decrypt,
	.derive = derive,
};
