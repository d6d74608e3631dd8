/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of an HSM, through one session: found, read, checked. PKCS#11's own codes come back. */
#ifndef P11_KMS_KMS_HSM_OBJECT_H
#define P11_KMS_KMS_HSM_OBJECT_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "kms/backend.h"
#include "kms/hsm-session.h"

/* The object of a class with this CKA_ID, on the token or in a session; of several public keys the first. CKR_KEY_HANDLE_INVALID: none, or several private keys (logged). */
MUST_USE CK_RV hsm_object_find(const struct hsm_session *session, CK_OBJECT_CLASS class,
                               bool on_token, const void *id, size_t id_size,
                               CK_OBJECT_HANDLE *ret_object);
/* The only one on the token, with the label that is asked for. CKR_ACTION_PROHIBITED: there are several, or it has another label. */
MUST_USE CK_RV hsm_object_find_lone(const struct hsm_session *session, CK_OBJECT_CLASS class,
                                    const struct kms_id_request *request,
                                    CK_OBJECT_HANDLE *ret_object);
/* Whether a private key on the token bears that label. CKR_KEY_HANDLE_INVALID: no. */
MUST_USE CK_RV hsm_object_find_label(const struct hsm_session *session, const char *label);
/* All token objects of a class; the caller frees. */
MUST_USE CK_RV hsm_object_find_all(const struct hsm_session *session, CK_OBJECT_CLASS class,
                                   CK_OBJECT_HANDLE **ret_objects, size_t *ret_count);
/* What kms_walk tells of a private key. CKR_OBJECT_HANDLE_INVALID: gone meanwhile. */
MUST_USE CK_RV hsm_object_describe(const struct hsm_session *session, CK_OBJECT_HANDLE object,
                                   struct kms_listed *ret_key);
/* Any one attribute of variable length. */
MUST_USE CK_RV hsm_object_attribute(const struct hsm_session *session, CK_OBJECT_HANDLE object,
                                    CK_ATTRIBUTE_TYPE type, struct buffer *ret_value);
/* DER SubjectPublicKeyInfo of a public key. CKR_PUBLIC_KEY_INVALID: not one we know. */
MUST_USE CK_RV hsm_object_spki(const struct hsm_session *session, CK_OBJECT_HANDLE object,
                               struct buffer *ret_spki);
/* Is a private key sensitive and never extractable, as far as the HSM tells? CKR_OK or CKR_TEMPLATE_INCONSISTENT. */
MUST_USE CK_RV hsm_object_check_sealed(const struct hsm_session *session,
                                       CK_OBJECT_HANDLE object);
/* Does a private key work without a login for each use? CKR_OK or CKR_TEMPLATE_INCONSISTENT. */
MUST_USE CK_RV hsm_object_check_unattended(const struct hsm_session *session,
                                           CK_OBJECT_HANDLE object);

#endif
