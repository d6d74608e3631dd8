/* SPDX-License-Identifier: Apache-2.0 */
/* Slot and token management functions. PKCS#11 3.0, section 5.5. */
#include "cryptoki/entry.h"
#include "mechanism/mechanism.h"
#include "token/text.h"

#include <stdio.h>

CK_RV
C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_ULONG slot_count;
	CK_RV rv = entry_module(count != NULL);

	(void)token_present; /* every slot has its token */
	if (rv != CKR_OK)
		goto out;
	slot_count = provider_slot_count();
	if (entry_room(slot_count, slots, count, &rv)) {
		for (CK_SLOT_ID slot = 0; slot < slot_count; slot++)
			slots[slot] = slot;
		*count = slot_count;
	}
out:
	return entry_end("C_GetSlotList", NULL, rv);
}

CK_RV
C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	struct token *token;
	char description[sizeof info->slotDescription + 1];
	CK_RV rv = entry_slot(slot, info != NULL, &token);

	if (rv != CKR_OK)
		goto out;
	*info = (CK_SLOT_INFO) {
		.flags = CKF_TOKEN_PRESENT,
		.firmwareVersion = { PACKAGE_VERSION_MAJOR, PACKAGE_VERSION_MINOR },
	};
	snprintf(description, sizeof description, "p11-kms %s", token->config->name);
	text_pad(info->slotDescription, sizeof info->slotDescription, description);
	text_pad(info->manufacturerID, sizeof info->manufacturerID, "p11-kms");
out:
	return entry_end("C_GetSlotInfo", NULL, rv);
}

CK_RV
C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	struct token *token;
	CK_RV rv = entry_slot(slot, info != NULL, &token);

	if (rv == CKR_OK)
		token_info(token, info);
	return entry_end("C_GetTokenInfo", NULL, rv);
}

/* Section 5.5.4. */
CK_RV
C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	CK_RV rv = entry_module(slot != NULL && reserved == NULL);

	if (rv != CKR_OK)
		goto out;
	/* Slots never change, so there is nothing to wait for but the end. */
	if ((flags & CKF_DONT_BLOCK) != 0)
		rv = CKR_NO_EVENT;
	else
		rv = provider_await_stop();
out:
	return entry_end("C_WaitForSlotEvent", NULL, rv);
}

/* The registry tells what the KMS can do. A token that is not initialised offers what is done here. */
static CK_RV
token_open_to_list(struct token *token)
{
	CK_RV rv = token_open(token);

	return rv == CKR_TOKEN_NOT_RECOGNIZED ? CKR_OK : rv;
}

CK_RV
C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
	const struct mechanism *mechanism;
	struct token *token;
	CK_ULONG offered = 0;
	CK_RV rv = entry_slot(slot, count != NULL, &token);

	if (rv == CKR_OK)
		rv = token_open_to_list(token);
	if (rv != CKR_OK)
		goto out;
	for (size_t i = 0; (mechanism = mechanism_at(i)) != NULL; i++) {
		if (token_mechanism_flags(token, mechanism) == 0)
			continue;
		if (list != NULL && offered < *count)
			list[offered] = mechanism->type;
		offered++;
	}
	if (entry_room(offered, list, count, &rv))
		*count = offered;
out:
	return entry_end("C_GetMechanismList", NULL, rv);
}

CK_RV
C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	const struct mechanism *mechanism;
	struct token *token;
	CK_FLAGS flags = 0;
	CK_RV rv = entry_slot(slot, info != NULL, &token);

	if (rv != CKR_OK)
		goto out;
	mechanism = mechanism_find(type);
	if (mechanism != NULL)
		rv = token_open_to_list(token);
	if (mechanism != NULL && rv == CKR_OK)
		flags = token_mechanism_flags(token, mechanism);
	if (rv == CKR_OK && flags == 0)
		rv = CKR_MECHANISM_INVALID;
	if (rv != CKR_OK)
		goto out;
	if ((flags & (mechanism->remote | mechanism->legacy)) != 0)
		flags |= CKF_HW; /* the private half works in the KMS */
	*info = (CK_MECHANISM_INFO) {
		.ulMinKeySize = mechanism->min_bits,
		.ulMaxKeySize = mechanism->max_bits,
		.flags = flags | mechanism->ec,
	};
out:
	return entry_end("C_GetMechanismInfo", NULL, rv);
}

/* Section 5.5.7. Tokens are initialised with the command (p11-kms init), which needs no slot. */
CK_RV
C_InitToken(CK_SLOT_ID slot, unsigned char *pin, CK_ULONG pin_size, unsigned char *label)
{
	struct token *token;
	CK_RV rv = entry_slot(slot, label != NULL && entry_given(pin, pin_size), &token);

	if (rv != CKR_OK)
		goto out;
	pthread_mutex_lock(&token->lock);
	rv = token->session_count != 0 ? CKR_SESSION_EXISTS : CKR_FUNCTION_NOT_SUPPORTED;
	pthread_mutex_unlock(&token->lock);
out:
	return entry_end("C_InitToken", NULL, rv);
}

/*
 * Section 5.5.8: only for the security officer, who does not log in here: the KMS's
 * administrator gives out PINs. So no session is ever in the state that it takes.
 */
CK_RV
C_InitPIN(CK_SESSION_HANDLE handle, unsigned char *pin, CK_ULONG pin_size)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, entry_given(pin, pin_size), &session);
	return entry_end("C_InitPIN", session, rv == CKR_OK ? CKR_USER_NOT_LOGGED_IN : rv);
}

/* Section 5.5.9. There is no protected authentication path: the PINs are given. */
CK_RV
C_SetPIN(CK_SESSION_HANDLE handle, unsigned char *old_pin, CK_ULONG old_size,
         unsigned char *new_pin, CK_ULONG new_size)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, old_pin != NULL && new_pin != NULL, &session);
	if (rv != CKR_OK)
		goto out;
	rv = CKR_SESSION_READ_ONLY;
	if (!session->read_write)
		goto out;
	rv = token_set_pin(session->token, old_pin, old_size, new_pin, new_size);
out:
	return entry_end("C_SetPIN", session, rv);
}
