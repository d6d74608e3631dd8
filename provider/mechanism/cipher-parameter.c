/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/cipher-parameter.h"

#include <limits.h>
#include <string.h>

/* NIST SP 800-38D, section 5.2.1.1: 2^39 - 256 bits of plaintext. */
#define GCM_DATA_MAX ((UINT64_C(1) << 36) - 32)

bool
cipher_mode_of(CK_MECHANISM_TYPE type, enum cipher_mode *ret_mode)
{
	static const struct {
		CK_MECHANISM_TYPE type;
		enum cipher_mode mode;
	} modes[] = {
		{ CKM_AES_GCM, CIPHER_GCM },         { CKM_AES_CBC, CIPHER_CBC },
		{ CKM_AES_CBC_PAD, CIPHER_CBC_PAD }, { CKM_AES_CTR, CIPHER_CTR },
		{ CKM_AES_CCM, CIPHER_CCM },         { CKM_AES_ECB, CIPHER_ECB },
	};

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (modes[i].type == type) {
			*ret_mode = modes[i].mode;
			return true;
		}
	return false;
}

static CK_RV
iv_read(const void *iv, CK_ULONG size, struct cipher_parameter *parameter)
{
	if (iv == NULL || size == 0 || size > CIPHER_IV_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(parameter->iv, iv, size);
	parameter->iv_size = size;
	return CKR_OK;
}

/* OpenSSL takes it in one piece, whose size is an int. */
static CK_RV
aad_read(const void *aad, CK_ULONG size, struct cipher_parameter *parameter)
{
	if (size > INT_MAX || (aad == NULL && size > 0))
		return CKR_MECHANISM_PARAM_INVALID;
	parameter->aad = aad;
	parameter->aad_size = size;
	return CKR_OK;
}

/* NIST SP 800-38D, section 5.2.1.2 and appendix C; the standard itself says "0 to 128". */
static bool
gcm_tag_valid(CK_ULONG bits)
{
	return bits == 128 || bits == 120 || bits == 112 || bits == 104 || bits == 96 ||
	       bits == 64 || bits == 32;
}

/* NIST SP 800-38C, appendix A.1: nonces of 7 to 13 bytes, what is left of 15 counts the data. */
static bool
ccm_sizes_valid(CK_ULONG nonce, CK_ULONG tag, CK_ULONG data)
{
	if (nonce < 7 || nonce > 13 || tag < 4 || tag > 16 || tag % 2 != 0)
		return false;
	return nonce <= 7 || (uint64_t)data >> (8 * (15 - nonce)) == 0;
}

/* Version 2.30 and many callers to this day leave ulIvBits out: the size tells. */
struct gcm_params_old {
	CK_BYTE_PTR pIv;
	CK_ULONG ulIvLen;
	CK_BYTE_PTR pAAD;
	CK_ULONG ulAADLen;
	CK_ULONG ulTagBits;
};

/* ulIvBits is not looked at: it says nothing new, and many callers leave rubbish in it. */
static CK_RV
gcm_read(const CK_MECHANISM *mechanism, struct cipher_parameter *parameter)
{
	struct gcm_params_old old;
	CK_GCM_PARAMS gcm;
	CK_RV rv;

	if (mechanism->ulParameterLen == sizeof old) {
		memcpy(&old, mechanism->pParameter, sizeof old);
		gcm = (CK_GCM_PARAMS){ old.pIv, old.ulIvLen, 0, old.pAAD, old.ulAADLen,
			               old.ulTagBits };
	} else if (mechanism->ulParameterLen == sizeof gcm) {
		memcpy(&gcm, mechanism->pParameter, sizeof gcm);
	} else {
		return CKR_MECHANISM_PARAM_INVALID;
	}
	if (!gcm_tag_valid(gcm.ulTagBits))
		return CKR_MECHANISM_PARAM_INVALID;
	parameter->tag_size = gcm.ulTagBits / 8;
	parameter->limit = GCM_DATA_MAX;
	rv = iv_read(gcm.pIv, gcm.ulIvLen, parameter);
	return rv != CKR_OK ? rv : aad_read(gcm.pAAD, gcm.ulAADLen, parameter);
}

static CK_RV
ccm_read(const CK_MECHANISM *mechanism, struct cipher_parameter *parameter)
{
	struct ccm_params ccm;
	CK_RV rv;

	if (mechanism->ulParameterLen != sizeof ccm)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&ccm, mechanism->pParameter, sizeof ccm);
	if (!ccm_sizes_valid(ccm.ulNonceLen, ccm.ulMACLen, ccm.ulDataLen))
		return CKR_MECHANISM_PARAM_INVALID;
	parameter->tag_size = ccm.ulMACLen;
	parameter->limit = ccm.ulDataLen;
	rv = iv_read(ccm.pNonce, ccm.ulNonceLen, parameter);
	return rv != CKR_OK ? rv : aad_read(ccm.pAAD, ccm.ulAADLen, parameter);
}

/*
 * Section 2.12.2: the last ulCounterBits of the block count. OpenSSL carries over into the
 * others, which are the caller's nonce: the data must end before that. A counter of 128 bits
 * goes on at 0, and repeats after more data than there is.
 */
static CK_RV
ctr_read(const CK_MECHANISM *mechanism, struct cipher_parameter *parameter)
{
	unsigned __int128 counter = 0, blocks;
	CK_AES_CTR_PARAMS ctr;

	if (mechanism->ulParameterLen != sizeof ctr)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&ctr, mechanism->pParameter, sizeof ctr);
	if (ctr.ulCounterBits == 0 || ctr.ulCounterBits > 128)
		return CKR_MECHANISM_PARAM_INVALID;
	if (ctr.ulCounterBits < 128) {
		for (size_t i = 0; i < sizeof ctr.cb; i++)
			counter = counter << 8 | ctr.cb[i];
		blocks = (unsigned __int128)1 << ctr.ulCounterBits;
		blocks -= counter & (blocks - 1);
		if (blocks < UINT64_MAX / CIPHER_BLOCK)
			parameter->limit = (uint64_t)blocks * CIPHER_BLOCK;
	}
	return iv_read(ctr.cb, sizeof ctr.cb, parameter);
}

CK_RV
cipher_parameter_read(const CK_MECHANISM *mechanism, struct cipher_parameter *ret_parameter)
{
	struct cipher_parameter *parameter = ret_parameter;

	parameter->iv_size = parameter->tag_size = parameter->aad_size = 0;
	parameter->limit = UINT64_MAX;
	parameter->aad = NULL;
	if (!cipher_mode_of(mechanism->mechanism, &parameter->mode))
		return CKR_MECHANISM_INVALID;
	/* No parameter. Some callers leave a pointer behind: the length counts. */
	if (parameter->mode == CIPHER_ECB)
		return mechanism->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
	if (mechanism->pParameter == NULL)
		return CKR_MECHANISM_PARAM_INVALID;
	switch (parameter->mode) {
	case CIPHER_GCM:
		return gcm_read(mechanism, parameter);
	case CIPHER_CCM:
		return ccm_read(mechanism, parameter);
	case CIPHER_CTR:
		return ctr_read(mechanism, parameter);
	default:
		if (mechanism->ulParameterLen != CIPHER_BLOCK)
			return CKR_MECHANISM_PARAM_INVALID;
		return iv_read(mechanism->pParameter, CIPHER_BLOCK, parameter);
	}
}

static bool
message_gcm_read(const void *parameter, size_t size, struct message_parameter *message)
{
	struct gcm_message_params gcm;

	if (size != sizeof gcm)
		return false;
	memcpy(&gcm, parameter, sizeof gcm);
	if (!gcm_tag_valid(gcm.ulTagBits) || gcm.ulIvLen == 0 || gcm.ulIvLen > CIPHER_IV_MAX)
		return false;
	*message = (struct message_parameter){ gcm.pIv, gcm.ulIvLen, gcm.ulIvFixedBits,
		                               gcm.ivGenerator, gcm.pTag, gcm.ulTagBits / 8,
		                               GCM_DATA_MAX };
	return true;
}

static bool
message_ccm_read(const void *parameter, size_t size, struct message_parameter *message)
{
	struct ccm_message_params ccm;

	if (size != sizeof ccm)
		return false;
	memcpy(&ccm, parameter, sizeof ccm);
	if (!ccm_sizes_valid(ccm.ulNonceLen, ccm.ulMACLen, ccm.ulDataLen))
		return false;
	*message = (struct message_parameter){ ccm.pNonce, ccm.ulNonceLen, ccm.ulNonceFixedBits,
		                               ccm.nonceGenerator, ccm.pMAC, ccm.ulMACLen,
		                               ccm.ulDataLen };
	return true;
}

CK_RV
message_parameter_read(enum cipher_mode mode, const void *parameter, size_t size, bool encrypt,
                       struct message_parameter *ret_parameter)
{
	struct message_parameter message;

	if (parameter == NULL ||
	    !(mode == CIPHER_GCM ? message_gcm_read(parameter, size, &message)
	                         : message_ccm_read(parameter, size, &message)))
		return CKR_MECHANISM_PARAM_INVALID;
	if (message.iv == NULL || message.tag == NULL)
		return CKR_MECHANISM_PARAM_INVALID;
	if (!encrypt) {
		message.generator = CKG_NO_GENERATE; /* the IV has come with the message */
		message.fixed_bits = 0;
	}
	if (message.generator > CKG_GENERATE_COUNTER_XOR)
		return CKR_MECHANISM_PARAM_INVALID;
	/* Something must be left to generate. */
	if (message.generator != CKG_NO_GENERATE && message.fixed_bits >= 8 * message.iv_size)
		return CKR_MECHANISM_PARAM_INVALID;
	*ret_parameter = message;
	return CKR_OK;
}
