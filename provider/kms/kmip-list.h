/* SPDX-License-Identifier: Apache-2.0 */
/* The private keys of a KMIP server. */
#ifndef P11_KMS_KMS_KMIP_LIST_H
#define P11_KMS_KMS_KMIP_LIST_H

#include "base/compiler.h"
#include "kms/backend.h"
#include "kms/kmip-session.h"

/*
 * Those of RSA and of elliptic curves that are live, with the CKA_IDs under which kmip_find finds
 * them, but for the ones of kmip-probe.h. request is left alone when it fails.
 */
MUST_USE CK_RV kmip_list(struct kmip_session *session, struct kms_list_request *request);

#endif
