/* SPDX-License-Identifier: Apache-2.0 */
/* Sections 5.9 and 5.11: messages under one AES key, and what OpenSSL makes of them. */
#include "blackbox.h"

#include <openssl/evp.h>

static unsigned char key_value[32] = "32 bytes that are a key for AES";
static unsigned char aad[] = "additional data", text[100], sealed[100], opened[100];
static unsigned char iv[12], tag[16];
static struct gcm_message_params gcm;
static struct ccm_message_params ccm;
static CK_MECHANISM gcm_mechanism = { CKM_AES_GCM, NULL, 0 };
static CK_MECHANISM ccm_mechanism = { CKM_AES_CCM, NULL, 0 };

#define GCM &gcm, sizeof(gcm)
#define CCM &ccm, sizeof(ccm)
#define AAD aad, sizeof(aad)
#define NOTHING NULL, 0

static bool
has_messages(void)
{
	return p11_3 && mechanism_offers(CKM_AES_GCM, CKF_MESSAGE_ENCRYPT);
}

static void
reset(void)
{
	gcm = (struct gcm_message_params){ iv, sizeof(iv), 0, CKG_NO_GENERATE, tag,
		                           sizeof(tag) * 8 };
	ccm = (struct ccm_message_params){ sizeof(text), iv, sizeof(iv), 0, CKG_NO_GENERATE, tag,
		                           sizeof(tag) };
	memset(iv, 7, sizeof(iv));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)i;
}

/* A session key that does what the flags say. */
static CK_OBJECT_HANDLE
aes_key(CK_SESSION_HANDLE session, bool encrypts, bool decrypts)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BBOOL no = CK_FALSE, encrypt = encrypts, decrypt = decrypts;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_KEY_TYPE, &type, sizeof(type)),
		ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
		ATTRIBUTE(CKA_ENCRYPT, &encrypt, sizeof(encrypt)),
		ATTRIBUTE(CKA_DECRYPT, &decrypt, sizeof(decrypt)),
		ATTRIBUTE(CKA_VALUE, key_value, sizeof(key_value)),
	};
	CK_OBJECT_HANDLE key;

	reset();
	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

/* OpenSSL opens what was sealed: is it the text? */
static bool
openssl_opens(const EVP_CIPHER *cipher, CK_ULONG size)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool is_ccm = EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CCM_MODE, good;
	int got;

	good = EVP_DecryptInit_ex(context, cipher, NULL, NULL, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, sizeof(iv), NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
	       EVP_DecryptInit_ex(context, NULL, NULL, key_value, iv) == 1 &&
	       (!is_ccm || EVP_DecryptUpdate(context, NULL, &got, NULL, (int)size) == 1) &&
	       EVP_DecryptUpdate(context, NULL, &got, AAD) == 1 &&
	       EVP_DecryptUpdate(context, opened, &got, sealed, (int)size) == 1 &&
	       (is_ccm || EVP_DecryptFinal_ex(context, opened + got, &got) == 1) &&
	       memcmp(opened, text, size) == 0;
	EVP_CIPHER_CTX_free(context);
	return good;
}

START_TEST(whole_messages)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE key;
	CK_ULONG size;

	if (!has_messages())
		return;
	key = aes_key(session, true, true);
	expect(CKR_OK, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, key));
	expect(CKR_OK, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, key));
	for (CK_ULONG length = 0; length <= sizeof(text); length += 50) {
		memset(iv, (int)length, sizeof(iv));
		size = sizeof(sealed);
		expect(CKR_OK, p11_3->C_EncryptMessage(session, GCM, AAD, text, length, sealed, &size));
		ck_assert_uint_eq(size, length);
		ck_assert(openssl_opens(EVP_aes_256_gcm(), length));
		memset(opened, 0, sizeof(opened));
		size = sizeof(opened);
		expect(CKR_OK, p11_3->C_DecryptMessage(session, GCM, AAD, sealed, length, opened, &size));
		ck_assert_uint_eq(size, length);
		ck_assert_mem_eq(opened, text, length);
	}
	/* One that was tampered with ends only itself. */
	tag[0] ^= 1;
	size = sizeof(opened);
	expect(CKR_AEAD_DECRYPT_FAILED,
	       p11_3->C_DecryptMessage(session, GCM, AAD, sealed, sizeof(text), opened, &size));
	tag[0] ^= 1;
	expect(CKR_OK,
	       p11_3->C_DecryptMessage(session, GCM, AAD, sealed, sizeof(text), opened, &size));
	expect(CKR_OK, p11_3->C_MessageEncryptFinal(session));
	expect(CKR_OK, p11_3->C_MessageDecryptFinal(session));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11_3->C_MessageEncryptFinal(session));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11_3->C_MessageDecryptFinal(session));
}
END_TEST

START_TEST(ccm_messages)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG size = sizeof(sealed);
	CK_OBJECT_HANDLE key;

	if (!has_messages())
		return;
	key = aes_key(session, true, true);
	expect(CKR_OK, p11_3->C_MessageEncryptInit(session, &ccm_mechanism, key));
	expect(CKR_OK, p11_3->C_EncryptMessage(session, CCM, AAD, text, sizeof(text), sealed, &size));
	ck_assert(openssl_opens(EVP_aes_256_ccm(), size));
	/* The length that was announced is the length that comes. */
	expect(CKR_DATA_LEN_RANGE,
	       p11_3->C_EncryptMessage(session, CCM, AAD, text, sizeof(text) - 1, sealed, &size));
	expect(CKR_OK, p11_3->C_MessageDecryptInit(session, &ccm_mechanism, key));
	expect(CKR_ENCRYPTED_DATA_LEN_RANGE,
	       p11_3->C_DecryptMessage(session, CCM, AAD, sealed, sizeof(text) - 1, opened, &size));
	expect(CKR_OK, p11_3->C_EncryptMessageBegin(session, CCM, AAD));
	size = sizeof(sealed);
	expect(CKR_DATA_LEN_RANGE, p11_3->C_EncryptMessageNext(session, CCM, text, 1, sealed, &size,
	                                                       CKF_END_OF_MESSAGE));
	expect(CKR_OK, p11_3->C_DecryptMessageBegin(session, CCM, AAD));
	expect(CKR_ENCRYPTED_DATA_LEN_RANGE,
	       p11_3->C_DecryptMessageNext(session, CCM, sealed, 1, opened, &size,
	                                   CKF_END_OF_MESSAGE));
}
END_TEST

/* In parts: the same as whole; an output that is too small takes nothing. */
START_TEST(encrypt_parts)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG size, first;

	if (!has_messages())
		return;
	expect(CKR_OK,
	       p11_3->C_MessageEncryptInit(session, &gcm_mechanism, aes_key(session, true, false)));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11_3->C_EncryptMessageNext(session, GCM, text, 1, sealed, &size, 0));
	expect(CKR_OK, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
	expect(CKR_OPERATION_ACTIVE,
	       p11_3->C_EncryptMessage(session, GCM, AAD, text, 1, sealed, &size));
	expect(CKR_OK, p11_3->C_EncryptMessageNext(session, GCM, text, 30, NULL, &size, 0));
	ck_assert_uint_eq(size, 30);
	size = 29;
	expect(CKR_BUFFER_TOO_SMALL,
	       p11_3->C_EncryptMessageNext(session, GCM, text, 30, sealed, &size, 0));
	ck_assert_uint_eq(size, 30);
	expect(CKR_OK, p11_3->C_EncryptMessageNext(session, GCM, text, 30, sealed, &size, 0));
	first = size;
	size = sizeof(sealed) - first;
	expect(CKR_OK, p11_3->C_EncryptMessageNext(session, GCM, text + 30, sizeof(text) - 30,
	                                           sealed + first, &size, CKF_END_OF_MESSAGE));
	ck_assert_uint_eq(first + size, sizeof(text));
	ck_assert(openssl_opens(EVP_aes_256_gcm(), sizeof(text)));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11_3->C_EncryptMessageNext(session, GCM, text, 1, sealed, &size, 0));
	/* The process ends in the middle of a message, too. */
	expect(CKR_OK, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
	expect(CKR_OK, p11_3->C_MessageEncryptFinal(session));
}
END_TEST

/* In place; nothing comes before the tag has been checked. */
START_TEST(decrypt_parts)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG size = sizeof(sealed), given;
	CK_OBJECT_HANDLE key;

	if (!has_messages())
		return;
	key = aes_key(session, true, true);
	expect(CKR_OK, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, key));
	expect(CKR_OK, p11_3->C_EncryptMessage(session, GCM, AAD, text, sizeof(text), sealed, &size));
	expect(CKR_OK, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, key));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11_3->C_DecryptMessageNext(session, GCM, sealed, 1, opened, &size, 0));
	for (int wrong = 1; wrong >= 0; wrong--) {
		memset(opened, 0x55, sizeof(opened));
		tag[3] ^= (unsigned char)wrong;
		expect(CKR_OK, p11_3->C_DecryptMessageBegin(session, GCM, AAD));
		expect(CKR_OPERATION_ACTIVE, p11_3->C_DecryptMessageBegin(session, GCM, AAD));
		expect(CKR_OPERATION_ACTIVE, p11_3->C_DecryptMessage(session, GCM, AAD, sealed, 1,
		                                                     opened, &size));
		given = sizeof(opened);
		expect(CKR_OK, p11_3->C_DecryptMessageNext(session, GCM, sealed, 60, opened, &given, 0));
		ck_assert_uint_le(given, 60);
		ck_assert_mem_ne(opened, text, 60);
		size = 3;
		expect(CKR_BUFFER_TOO_SMALL,
		       p11_3->C_DecryptMessageNext(session, GCM, sealed + 60, sizeof(sealed) - 60,
		                                   opened + given, &size, CKF_END_OF_MESSAGE));
		if (wrong)
			expect(CKR_AEAD_DECRYPT_FAILED,
			       p11_3->C_DecryptMessageNext(session, GCM, sealed + 60,
			                                   sizeof(sealed) - 60, opened + given,
			                                   &size, CKF_END_OF_MESSAGE));
		else
			expect(CKR_OK,
			       p11_3->C_DecryptMessageNext(session, GCM, sealed + 60,
			                                   sizeof(sealed) - 60, opened + given,
			                                   &size, CKF_END_OF_MESSAGE));
		tag[3] ^= (unsigned char)wrong;
	}
	ck_assert_uint_eq(given + size, sizeof(text));
	ck_assert_mem_eq(opened, text, sizeof(text));
}
END_TEST

/* Mechanisms 3.0, section 2.13.3: an IV of the token's own is another for each message. */
START_TEST(generated_ivs)
{
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char before[sizeof(iv)];
	CK_ULONG size;

	if (!has_messages())
		return;
	expect(CKR_OK,
	       p11_3->C_MessageEncryptInit(session, &gcm_mechanism, aes_key(session, true, false)));
	gcm.ivGenerator = CKG_GENERATE;
	for (int i = 0; i < 5; i++) {
		memcpy(before, iv, sizeof(iv));
		size = sizeof(sealed);
		expect(CKR_OK, p11_3->C_EncryptMessage(session, GCM, AAD, text, sizeof(text), sealed,
		                                       &size));
		ck_assert_mem_ne(before, iv, sizeof(iv));
		ck_assert(openssl_opens(EVP_aes_256_gcm(), sizeof(text)));
	}
	gcm.ivGenerator = 77;
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_EncryptMessage(session, GCM, AAD, text, sizeof(text), sealed, &size));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
}
END_TEST

#define IVS_MAX 250

static unsigned char ivs[IVS_MAX][sizeof(iv)];
static size_t ivs_count;

/* A message under an IV that the token makes, which no message before it had. */
static void
another_iv(CK_SESSION_HANDLE session)
{
	CK_ULONG size = sizeof(sealed);

	expect(CKR_OK,
	       p11_3->C_EncryptMessage(session, GCM, AAD, text, sizeof(text), sealed, &size));
	ck_assert(openssl_opens(EVP_aes_256_gcm(), sizeof(text)));
	for (CK_ULONG bit = 0; bit < gcm.ulIvFixedBits; bit += 8)
		ck_assert_uint_eq(iv[bit / 8], 7);
	for (size_t i = 0; i < ivs_count; i++)
		ck_assert_mem_ne(ivs[i], iv, sizeof(iv));
	ck_assert_uint_lt(ivs_count, IVS_MAX);
	memcpy(ivs[ivs_count++], iv, sizeof(iv));
}

/* The IV of one message is where the next one's is read; or what was there at first is there again. */
static void
more_ivs(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	for (int round = 0; round < 2; round++) {
		expect(CKR_OK, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, key));
		for (int i = 0; i < 5; i++) {
			another_iv(session);
			if (round == 1)
				memset(iv, 7, sizeof(iv));
		}
		expect(CKR_OK, p11_3->C_MessageEncryptFinal(session));
	}
}

/* One value, whatever its objects, the sessions and the generators; and after C_Finalize, too. */
START_TEST(no_iv_twice)
{
	static const struct {
		CK_ULONG generator, fixed_bits;
	} ways[] = {
		{ CKG_GENERATE, 0 },         { CKG_GENERATE, 32 },
		{ CKG_GENERATE_COUNTER, 0 }, { CKG_GENERATE_COUNTER, 32 },
		{ CKG_GENERATE_RANDOM, 0 },
		{ CKG_GENERATE_COUNTER_XOR, 0 }, { CKG_GENERATE_COUNTER_XOR, 32 },
	};
	CK_SESSION_HANDLE session = session_public(0), other = session_public(0);
	CK_OBJECT_HANDLE key, copy;

	if (!has_messages())
		return;
	for (size_t i = 0; i < COUNT(ways); i++) {
		key = aes_key(session, true, false);
		gcm.ivGenerator = ways[i].generator;
		gcm.ulIvFixedBits = ways[i].fixed_bits;
		more_ivs(session, key);
		more_ivs(other, key);
		expect(CKR_OK, p11->C_CopyObject(session, key, NULL, 0, &copy));
		more_ivs(session, copy);
		expect(CKR_OK, p11->C_DestroyObject(session, key));
		expect(CKR_OK, p11->C_DestroyObject(session, copy));
		stop();
		start();
		session = session_public(0);
		other = session_public(0);
	}
}
END_TEST

/* Fewer bits than can be random, for any length of time, are the caller's own to count. */
START_TEST(too_few_bits)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG size = sizeof(sealed);

	if (!has_messages())
		return;
	expect(CKR_OK,
	       p11_3->C_MessageEncryptInit(session, &gcm_mechanism, aes_key(session, true, false)));
	gcm.ivGenerator = CKG_GENERATE;
	gcm.ulIvFixedBits = 33;
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_EncryptMessage(session, GCM, AAD, text, sizeof(text), sealed, &size));
	gcm.ivGenerator = CKG_GENERATE_RANDOM;
	gcm.ulIvFixedBits = 1;
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_EncryptMessage(session, GCM, AAD, text, sizeof(text), sealed, &size));
	gcm.ulIvFixedBits = 0;
	another_iv(session);
}
END_TEST

START_TEST(sizes)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE key;
	CK_ULONG size = 7;

	if (!has_messages())
		return;
	key = aes_key(session, true, true);
	expect(CKR_OK, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, key));
	expect(CKR_OK, p11_3->C_EncryptMessage(session, GCM, AAD, text, 40, NULL, &size));
	ck_assert_uint_eq(size, 40);
	size = 39;
	expect(CKR_BUFFER_TOO_SMALL,
	       p11_3->C_EncryptMessage(session, GCM, AAD, text, 40, sealed, &size));
	ck_assert_uint_eq(size, 40);
	expect(CKR_OK, p11_3->C_EncryptMessage(session, GCM, AAD, text, 40, sealed, &size));
	expect(CKR_OK, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, key));
	size = 7;
	expect(CKR_OK, p11_3->C_DecryptMessage(session, GCM, AAD, sealed, 40, NULL, &size));
	ck_assert_uint_eq(size, 40);
	size = 39;
	expect(CKR_BUFFER_TOO_SMALL,
	       p11_3->C_DecryptMessage(session, GCM, AAD, sealed, 40, opened, &size));
	expect(CKR_OK, p11_3->C_DecryptMessage(session, GCM, AAD, sealed, 40, opened, &size));
	ck_assert_mem_eq(opened, text, 40);
}
END_TEST

START_TEST(init_refused)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 }, sized = { CKM_AES_GCM, iv, 3 };
	CK_OBJECT_HANDLE encrypts, decrypts;

	if (!has_messages())
		return;
	encrypts = aes_key(session, true, false);
	key_value[0] ^= 1; /* one key is not two in two roles */
	decrypts = aes_key(session, false, true);
	expect(CKR_ARGUMENTS_BAD, p11_3->C_MessageEncryptInit(session, NULL, encrypts));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_MessageDecryptInit(session, NULL, decrypts));
	expect(CKR_MECHANISM_INVALID, p11_3->C_MessageEncryptInit(session, &cbc, encrypts));
	expect(CKR_MECHANISM_INVALID, p11_3->C_MessageDecryptInit(session, &cbc, decrypts));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_MessageEncryptInit(session, &sized, encrypts));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_MessageDecryptInit(session, &sized, decrypts));
	expect(CKR_KEY_HANDLE_INVALID,
	       p11_3->C_MessageEncryptInit(session, &gcm_mechanism, encrypts + 1000000));
	expect(CKR_KEY_HANDLE_INVALID,
	       p11_3->C_MessageDecryptInit(session, &gcm_mechanism, encrypts + 1000000));
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
	       p11_3->C_MessageEncryptInit(session, &gcm_mechanism, decrypts));
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
	       p11_3->C_MessageDecryptInit(session, &gcm_mechanism, encrypts));
	expect(CKR_OK, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, encrypts));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, encrypts));
	expect(CKR_OK, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, decrypts));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, decrypts));
	/* Two ways to end it: NULL, and C_SessionCancel. */
	expect(CKR_OK, p11_3->C_MessageEncryptInit(session, NULL, CK_INVALID_HANDLE));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11_3->C_MessageEncryptFinal(session));
	expect(CKR_OK, p11_3->C_SessionCancel(session, ~(CK_FLAGS)CKF_MESSAGE_DECRYPT));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, decrypts));
	expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_MESSAGE_DECRYPT));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11_3->C_MessageDecryptFinal(session));
}
END_TEST

START_TEST(arguments)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE key;
	CK_ULONG size = sizeof(sealed);

	if (!has_messages())
		return;
	key = aes_key(session, true, true);
	expect(CKR_OK, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, key));
	expect(CKR_OK, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, key));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_EncryptMessage(session, GCM, AAD, text, 1, sealed, NULL));
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_EncryptMessage(session, GCM, AAD, NULL, 1, sealed, &size));
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_EncryptMessage(session, GCM, NULL, 1, text, 1, sealed, &size));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_EncryptMessage(session, NOTHING, AAD, text, 1, sealed, &size));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_EncryptMessageBegin(session, NULL, 1, AAD));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_DecryptMessage(session, GCM, AAD, text, 1, sealed, NULL));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_DecryptMessageBegin(session, GCM, NULL, 1));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_DecryptMessageBegin(session, NOTHING, AAD));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_DecryptMessage(session, NOTHING, AAD, text, 1, sealed, &size));
	expect(CKR_OK, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_EncryptMessageNext(session, GCM, text, 1, sealed, NULL, 0));
	expect(CKR_OK, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_EncryptMessageNext(session, GCM, text, 1, sealed, &size, 2));
	expect(CKR_OK, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_EncryptMessageNext(session, NOTHING, text, 1, sealed, &size,
	                                   CKF_END_OF_MESSAGE));
	expect(CKR_OK, p11_3->C_DecryptMessageBegin(session, GCM, AAD));
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_DecryptMessageNext(session, GCM, NULL, 1, sealed, &size, 0));
	expect(CKR_OK, p11_3->C_DecryptMessageBegin(session, GCM, AAD));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_DecryptMessageNext(session, NOTHING, text, 1, sealed, &size,
	                                   CKF_END_OF_MESSAGE));
}
END_TEST

/* Section 5.2: an error ends the message that is begun; the process goes on with the next one. */
START_TEST(message_ends_with_error)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE key;
	CK_ULONG size;

	if (!has_messages())
		return;
	key = aes_key(session, true, true);
	expect(CKR_OK, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, key));
	expect(CKR_OK, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, key));
	for (int missing = 0; missing < 4; missing++) {
		size = sizeof(sealed);
		expect(CKR_OK, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
		expect(CKR_OK, p11_3->C_EncryptMessageNext(session, GCM, text, 9, sealed, &size, 0));
		expect(CKR_ARGUMENTS_BAD,
		       p11_3->C_EncryptMessageNext(session, missing == 0 ? NULL : &gcm, sizeof(gcm),
		                                   missing == 1 ? NULL : text, 1, sealed,
		                                   missing == 2 ? NULL : &size,
		                                   missing == 3 ? 2 : 0));
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11_3->C_EncryptMessageNext(session, GCM, text, 1, sealed, &size, 0));
		/* The next one is none the worse for it. */
		size = sizeof(sealed);
		expect(CKR_OK, p11_3->C_EncryptMessage(session, GCM, AAD, text, sizeof(text), sealed,
		                                       &size));
		ck_assert(openssl_opens(EVP_aes_256_gcm(), size));
		size = sizeof(opened);
		expect(CKR_OK, p11_3->C_DecryptMessageBegin(session, GCM, AAD));
		expect(CKR_OK, p11_3->C_DecryptMessageNext(session, GCM, sealed, 9, opened, &size, 0));
		expect(CKR_ARGUMENTS_BAD,
		       p11_3->C_DecryptMessageNext(session, missing == 0 ? NULL : &gcm, sizeof(gcm),
		                                   missing == 1 ? NULL : sealed, 1, opened,
		                                   missing == 2 ? NULL : &size,
		                                   missing == 3 ? 2 : 0));
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11_3->C_DecryptMessageNext(session, GCM, sealed, 1, opened, &size, 0));
		size = sizeof(opened);
		expect(CKR_OK, p11_3->C_DecryptMessage(session, GCM, AAD, sealed, sizeof(text),
		                                       opened, &size));
		ck_assert_mem_eq(opened, text, sizeof(text));
	}
}
END_TEST

/* Without an init; in no session; in no module. */
START_TEST(nothing_begun)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG size = sizeof(sealed);
	CK_RV rv = CKR_OPERATION_NOT_INITIALIZED;

	if (!has_messages())
		return;
	reset();
	for (int i = 0; i < 3; i++) {
		expect(rv, p11_3->C_EncryptMessage(session, GCM, AAD, text, 1, sealed, &size));
		expect(rv, p11_3->C_EncryptMessageBegin(session, GCM, AAD));
		expect(rv, p11_3->C_EncryptMessageNext(session, GCM, text, 1, sealed, &size, 0));
		expect(rv, p11_3->C_MessageEncryptFinal(session));
		expect(rv, p11_3->C_DecryptMessage(session, GCM, AAD, text, 1, sealed, &size));
		expect(rv, p11_3->C_DecryptMessageBegin(session, GCM, AAD));
		expect(rv, p11_3->C_DecryptMessageNext(session, GCM, text, 1, sealed, &size, 0));
		expect(rv, p11_3->C_MessageDecryptFinal(session));
		if (rv != CKR_OPERATION_NOT_INITIALIZED) {
			expect(rv, p11_3->C_MessageEncryptInit(session, &gcm_mechanism, 1));
			expect(rv, p11_3->C_MessageDecryptInit(session, &gcm_mechanism, 1));
		}
		if (i == 0) {
			session += 1000;
			rv = CKR_SESSION_HANDLE_INVALID;
		} else if (i == 1) {
			stop();
			rv = CKR_CRYPTOKI_NOT_INITIALIZED;
		}
	}
	start();
	/*
	 * shows C_EncryptMessage, C_EncryptMessageBegin, C_EncryptMessageNext,
	 * C_MessageEncryptFinal, C_DecryptMessage, C_DecryptMessageBegin, C_DecryptMessageNext,
	 * C_MessageDecryptFinal: CKR_OPERATION_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID,
	 * CKR_CRYPTOKI_NOT_INITIALIZED
	 * shows C_MessageEncryptInit, C_MessageDecryptInit: CKR_SESSION_HANDLE_INVALID,
	 * CKR_CRYPTOKI_NOT_INITIALIZED
	 */
}
END_TEST

Suite *
message_suite(void)
{
	Suite *suite = suite_create("message");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, whole_messages);
	tcase_add_test(tcase, ccm_messages);
	tcase_add_test(tcase, encrypt_parts);
	tcase_add_test(tcase, decrypt_parts);
	tcase_add_test(tcase, generated_ivs);
	tcase_add_test(tcase, no_iv_twice);
	tcase_add_test(tcase, too_few_bits);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, init_refused);
	tcase_add_test(tcase, arguments);
	tcase_add_test(tcase, message_ends_with_error);
	tcase_add_test(tcase, nothing_begun);
	return suite;
}
