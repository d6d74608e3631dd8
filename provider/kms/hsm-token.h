/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an HSM's tokens the configuration's PKCS#11 URI (RFC 7512) means. */
#ifndef P11_KMS_KMS_HSM_TOKEN_H
#define P11_KMS_KMS_HSM_TOKEN_H

#include "base/compiler.h"
#include "base/config.h"
#include "base/pkcs11.h"

#include <p11-kit/uri.h>
#include <stdbool.h>

/*
 * Parses config->kms: module-path must be there and absolute; a PIN, objects and what is not
 * understood are refused. CKR_ARGUMENTS_BAD (logged), CKR_HOST_MEMORY. Free with p11_kit_uri_free.
 */
MUST_USE CK_RV hsm_token_parse(const struct config_token *config, P11KitUri **ret_uri);

/*
 * Finds the slot of the one token that the URI matches. CKR_TOKEN_NOT_PRESENT: none;
 * CKR_TOKEN_NOT_RECOGNIZED: several; the module's own codes.
 */
MUST_USE CK_RV hsm_token_find(CK_FUNCTION_LIST *functions, const P11KitUri *uri,
                              CK_SLOT_ID *ret_slot, CK_FLAGS *ret_flags);

/* Is the token that was found still in the slot? CKR_TOKEN_NOT_PRESENT when it is another's. */
MUST_USE CK_RV hsm_token_check(CK_FUNCTION_LIST *functions, const P11KitUri *uri, CK_SLOT_ID slot);

#endif
