/* SPDX-License-Identifier: Apache-2.0 */
/* What C_GetTokenInfo tells. PKCS#11 3.0, section 3.2 (CK_TOKEN_INFO). */
#include "mechanism/digest.h"
#include "token/text.h"
#include "token/token.h"

#include <stdlib.h>
#include <unistd.h>

#define PIN_SIZE_MAX 255

/* Half of the authority's SHA-256 names the token for as long as its authority lasts. */
static void
serial_number(const struct token *token, CK_TOKEN_INFO *info)
{
	unsigned char hash[DIGEST_SIZE_MAX];
	const struct buffer *spki;
	char *serial = NULL;

	if (token->authority != NULL) {
		spki = authority_spki(token->authority);
		if (digest_once(CKM_SHA256, spki->data, spki->size, hash) == CKR_OK)
			serial = hex_dup(hash, sizeof info->serialNumber / 2);
	}
	text_pad(info->serialNumber, sizeof info->serialNumber, serial != NULL ? serial : "");
	free(serial);
}

void
token_info(struct token *token, CK_TOKEN_INFO *ret_info)
{
	CK_TOKEN_INFO info = { 0 };
	bool initialized = token_open(token) == CKR_OK;

	text_pad(info.label, sizeof info.label, token->config->name);
	text_pad(info.manufacturerID, sizeof info.manufacturerID, "p11-kms");
	text_pad(info.model, sizeof info.model, "p11-kms");
	serial_number(token, &info);
	/* Of operations only digests can be saved (operation-state.h). */
	info.flags = CKF_RNG | CKF_RESTORE_KEY_NOT_NEEDED;
	if (initialized)
		info.flags |= CKF_TOKEN_INITIALIZED;
	if (token->kms != NULL)
		info.flags |= CKF_USER_PIN_INITIALIZED;
	if (token_needs_login(token))
		info.flags |= CKF_LOGIN_REQUIRED;
	if (token->kms == NULL || access(token->config->registry, W_OK) != 0)
		info.flags |= CKF_WRITE_PROTECTED;
	pthread_mutex_lock(&token->lock);
	info.ulSessionCount = token->session_count;
	info.ulRwSessionCount = token->rw_session_count;
	pthread_mutex_unlock(&token->lock);
	info.ulMaxSessionCount = CK_EFFECTIVELY_INFINITE;
	info.ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
	info.ulMaxPinLen = PIN_SIZE_MAX;
	info.ulMinPinLen = 1;
	info.ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION;
	info.ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
	info.ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION;
	info.ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
	text_pad(info.utcTime, sizeof info.utcTime, ""); /* no CKF_CLOCK_ON_TOKEN */
	*ret_info = info;
}
