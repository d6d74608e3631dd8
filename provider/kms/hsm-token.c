/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-token.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* What is wrong with a URI that could be parsed; NULL: nothing. */
static const char *
find_fault(P11KitUri *uri)
{
	const char *path = p11_kit_uri_get_module_path(uri);
	CK_ULONG attributes = 0;

	(void)p11_kit_uri_get_attributes(uri, &attributes);
	if (p11_kit_uri_get_pin_value(uri) != NULL || p11_kit_uri_get_pin_source(uri) != NULL)
		return "the PIN does not belong into the URI; name its file by pin-source = PATH";
	if (path == NULL)
		return "module-path is missing; append ?module-path=/path/of/the/HSM's/module.so";
	if (path[0] != '/')
		return "module-path must be absolute";
	if (p11_kit_uri_any_unrecognized(uri))
		return "it has an attribute that is not known; see RFC 7512, section 2.3";
	if (attributes > 0)
		return "it must name a token, not an object";
	return NULL;
}

CK_RV
hsm_token_parse(const struct config_token *config, P11KitUri **ret_uri)
{
	const char *fault;
	P11KitUri *uri;
	int result;

	if (config->kms == NULL) {
		log_error("token %s: no kms is configured", config->name);
		return CKR_ARGUMENTS_BAD;
	}
	uri = p11_kit_uri_new();
	if (uri == NULL)
		return CKR_HOST_MEMORY;
	result = p11_kit_uri_parse(config->kms, P11_KIT_URI_FOR_ANY, uri);
	fault = result == P11_KIT_URI_OK ? find_fault(uri) : p11_kit_uri_message(result);
	if (fault != NULL) {
		/* The URI is not shown: it may hold a PIN. */
		log_error("token %s: kms (in the section at line %u) is not a usable PKCS#11 URI: %s",
		          config->name, config->line, fault);
		p11_kit_uri_free(uri);
		return CKR_ARGUMENTS_BAD;
	}
	*ret_uri = uri;
	return CKR_OK;
}

static CK_RV
list_slots(CK_FUNCTION_LIST *functions, CK_SLOT_ID **ret_slots, CK_ULONG *ret_count)
{
	CK_SLOT_ID *slots = NULL;
	CK_ULONG count = 0;
	CK_RV rv;

	do {
		free(slots);
		slots = NULL;
		rv = functions->C_GetSlotList(CK_TRUE, NULL, &count);
		if (rv != CKR_OK)
			return rv;
		slots = calloc(count + 1, sizeof *slots);
		if (slots == NULL)
			return CKR_HOST_MEMORY;
		rv = functions->C_GetSlotList(CK_TRUE, slots, &count);
	} while (rv == CKR_BUFFER_TOO_SMALL); /* one was plugged in between */
	if (rv != CKR_OK) {
		free(slots);
		return rv;
	}
	*ret_slots = slots;
	*ret_count = count;
	return CKR_OK;
}

static CK_RV
match_token(CK_FUNCTION_LIST *functions, const P11KitUri *uri, CK_SLOT_ID slot, CK_FLAGS *ret_flags)
{
	CK_TOKEN_INFO info;
	CK_RV rv;

	memset(&info, 0, sizeof info);
	rv = functions->C_GetTokenInfo(slot, &info);
	if (rv != CKR_OK)
		return rv;
	if ((info.flags & CKF_TOKEN_INITIALIZED) == 0 || !p11_kit_uri_match_token_info(uri, &info))
		return CKR_TOKEN_NOT_PRESENT;
	*ret_flags = info.flags;
	return CKR_OK;
}

static bool
match_slot(CK_FUNCTION_LIST *functions, P11KitUri *uri, CK_SLOT_ID slot)
{
	CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri);
	CK_SLOT_INFO info;

	if (wanted != (CK_SLOT_ID)-1 && wanted != slot)
		return false;
	memset(&info, 0, sizeof info);
	return functions->C_GetSlotInfo(slot, &info) == CKR_OK &&
	       p11_kit_uri_match_slot_info(uri, &info);
}

static CK_RV
match_module(CK_FUNCTION_LIST *functions, const P11KitUri *uri)
{
	CK_INFO info;
	CK_RV rv;

	memset(&info, 0, sizeof info);
	rv = functions->C_GetInfo(&info);
	if (rv != CKR_OK)
		return rv;
	return p11_kit_uri_match_module_info(uri, &info) ? CKR_OK : CKR_TOKEN_NOT_PRESENT;
}

CK_RV
hsm_token_find(CK_FUNCTION_LIST *functions, const P11KitUri *uri, CK_SLOT_ID *ret_slot,
               CK_FLAGS *ret_flags)
{
	CK_SLOT_ID *slots = NULL, found = 0;
	CK_FLAGS flags = 0, found_flags = 0;
	CK_ULONG count, i;
	size_t matches = 0;
	CK_RV rv;

	rv = match_module(functions, uri);
	if (rv != CKR_OK)
		return rv;
	rv = list_slots(functions, &slots, &count);
	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < count; i++) {
		/* p11-kit's getter takes the URI it could change, but does not. */
		if (!match_slot(functions, (P11KitUri *)uri, slots[i]))
			continue;
		/* Another token that is out of order does not matter here. */
		if (match_token(functions, uri, slots[i], &flags) != CKR_OK)
			continue;
		found = slots[i];
		found_flags = flags;
		matches++;
	}
	free(slots);
	if (matches == 0)
		return CKR_TOKEN_NOT_PRESENT;
	if (matches > 1)
		return CKR_TOKEN_NOT_RECOGNIZED;
	*ret_slot = found;
	*ret_flags = found_flags;
	return CKR_OK;
}

CK_RV
hsm_token_check(CK_FUNCTION_LIST *functions, const P11KitUri *uri, CK_SLOT_ID slot)
{
	CK_FLAGS flags;

	return match_token(functions, uri, slot, &flags);
}
