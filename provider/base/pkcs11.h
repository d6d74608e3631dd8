/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard's types and constants: p11-kit's header, and what it lacks.
 * Every name is guarded, so that a newer p11-kit header wins, but for values that older ones
 * have wrong.
 */
#ifndef P11_KMS_BASE_PKCS11_H
#define P11_KMS_BASE_PKCS11_H

/* All else in the library is hidden; these are what the module exports. */
#pragma GCC visibility push(default)
#include <p11-kit/pkcs11.h>
#if CRYPTOKI_VERSION_MAJOR < 3
#include "base/pkcs11-functions.h"
#endif
#pragma GCC visibility pop

#ifndef CK_TRUE
#define CK_TRUE 1
#define CK_FALSE 0
#endif

/* PKCS#11 3.0, section 4.4 (common attributes of storage objects). */
#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID 4UL
#endif

/* PKCS#11 3.0, section 4.14 (profile objects). */
#ifndef CKO_PROFILE
#define CKO_PROFILE 9UL
#define CKA_PROFILE_ID 0x601UL
#endif

/* PKCS#11 3.0, section 3.3 (session flags of C_GetMechanismInfo's CK_MECHANISM_INFO). */
#ifndef CKF_EC_CURVENAME
#define CKF_EC_CURVENAME (1UL << 26)
#endif

/*
 * Return values that p11-kit 0.24 counts from 0x1c0 on. The standard begins at 0x1b5 (2.40
 * errata, and pkcs11t.h of 3.0), and so do the callers: its values are the ones to return.
 */
#undef CKR_EXCEEDED_MAX_ITERATIONS
#define CKR_EXCEEDED_MAX_ITERATIONS 0x1b5UL
#undef CKR_FIPS_SELF_TEST_FAILED
#define CKR_FIPS_SELF_TEST_FAILED 0x1b6UL
#undef CKR_LIBRARY_LOAD_FAILED
#define CKR_LIBRARY_LOAD_FAILED 0x1b7UL
#undef CKR_PIN_TOO_WEAK
#define CKR_PIN_TOO_WEAK 0x1b8UL
#undef CKR_PUBLIC_KEY_INVALID
#define CKR_PUBLIC_KEY_INVALID 0x1b9UL

#ifndef CKR_AEAD_DECRYPT_FAILED
#define CKR_AEAD_DECRYPT_FAILED 0x42UL
#endif
#ifndef CKR_CURVE_NOT_SUPPORTED
#define CKR_CURVE_NOT_SUPPORTED 0x140UL
#endif
#ifndef CKR_TOKEN_RESOURCE_EXCEEDED
#define CKR_TOKEN_RESOURCE_EXCEEDED 0x201UL
#endif
#ifndef CKR_OPERATION_CANCEL_FAILED
#define CKR_OPERATION_CANCEL_FAILED 0x202UL
#endif
#ifndef CKR_KEY_EXHAUSTED
#define CKR_KEY_EXHAUSTED 0x203UL
#endif

/* PKCS#11 3.0, section 3.3 (flags of messages), and 5.9. */
#ifndef CKF_MESSAGE_ENCRYPT
#define CKF_MESSAGE_ENCRYPT (1UL << 1)
#define CKF_MESSAGE_DECRYPT (1UL << 2)
#define CKF_MESSAGE_SIGN (1UL << 3)
#define CKF_MESSAGE_VERIFY (1UL << 4)
#define CKF_MULTI_MESSAGE (1UL << 5)
#endif
/* … and of searches, for C_SessionCancel (section 5.6.5). */
#ifndef CKF_FIND_OBJECTS
#define CKF_FIND_OBJECTS (1UL << 6)
#endif
/* Section 3.3: the only flag of interfaces. */
#ifndef CKF_INTERFACE_FORK_SAFE
#define CKF_INTERFACE_FORK_SAFE 1UL
#endif
#ifndef CKF_END_OF_MESSAGE
#define CKF_END_OF_MESSAGE 1UL
#endif

/* PKCS#11 mechanisms 3.0, section 2.14 (key wrapping). */
#ifndef CKM_AES_KEY_WRAP_KWP
#define CKM_AES_KEY_WRAP_KWP 0x210bUL
#endif

/* PKCS#11 mechanisms 3.0, section 2.13.3 (who makes the IVs of messages). */
#ifndef CKG_NO_GENERATE
#define CKG_NO_GENERATE 0UL
#define CKG_GENERATE 1UL
#define CKG_GENERATE_COUNTER 2UL
#define CKG_GENERATE_RANDOM 3UL
#define CKG_GENERATE_COUNTER_XOR 4UL
#endif

/*
 * Parameters, with the standard's members. Their names are ours: a type can't be guarded,
 * and a newer p11-kit header may have it.
 */
struct ccm_params { /* CK_CCM_PARAMS: section 2.13.3 */
	CK_ULONG ulDataLen; /* of the plaintext */
	CK_BYTE_PTR pNonce;
	CK_ULONG ulNonceLen;
	CK_BYTE_PTR pAAD;
	CK_ULONG ulAADLen;
	CK_ULONG ulMACLen;
};

struct gcm_message_params { /* CK_GCM_MESSAGE_PARAMS: section 2.13.3 */
	CK_BYTE_PTR pIv;
	CK_ULONG ulIvLen;
	CK_ULONG ulIvFixedBits;
	CK_ULONG ivGenerator;
	CK_BYTE_PTR pTag;
	CK_ULONG ulTagBits;
};

struct ccm_message_params { /* CK_CCM_MESSAGE_PARAMS: section 2.13.3 */
	CK_ULONG ulDataLen; /* of the plaintext */
	CK_BYTE_PTR pNonce;
	CK_ULONG ulNonceLen;
	CK_ULONG ulNonceFixedBits;
	CK_ULONG nonceGenerator;
	CK_BYTE_PTR pMAC;
	CK_ULONG ulMACLen;
};

struct rsa_aes_key_wrap_params { /* CK_RSA_AES_KEY_WRAP_PARAMS: section 2.1.19 */
	CK_ULONG ulAESKeyBits;
	CK_RSA_PKCS_OAEP_PARAMS *pOAEPParams;
};

#ifndef CKK_EC_EDWARDS
#define CKK_EC_EDWARDS 0x40UL
#endif
#ifndef CKK_EC_MONTGOMERY
#define CKK_EC_MONTGOMERY 0x41UL
#endif
#ifndef CKM_EC_EDWARDS_KEY_PAIR_GEN
#define CKM_EC_EDWARDS_KEY_PAIR_GEN 0x1055UL
#endif
#ifndef CKM_EC_MONTGOMERY_KEY_PAIR_GEN
#define CKM_EC_MONTGOMERY_KEY_PAIR_GEN 0x1056UL
#endif

/*
 * Not a mechanism: stands among the primitives of a KMS beside CKM_RSA_PKCS_OAEP, and says
 * that it can do that with SHA-1 only. A number of our own (see p11-kms/p11-kms.h).
 */
#define CKM_P11_KMS_OAEP_SHA1_ONLY (0x80000000UL | 0x504b4d01UL)

#endif
