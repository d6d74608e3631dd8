/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of versions: made with the version's own private half, and kept beside it. One
 * that is kept here (of lifecycle/stored-object.h those that name a key: CKA_P11_KMS_KEY_NAME)
 * is shown for as long as its version is, and bears the version's label.
 */
#ifndef P11_KMS_LIFECYCLE_CERTIFICATE_H
#define P11_KMS_LIFECYCLE_CERTIFICATE_H

#include "base/compiler.h"
#include "lifecycle/lifecycle.h"
#include "mechanism/certificate-draft.h"

/*
 * A certificate, or a request for one, that is self-signed. What the wish leaves out is filled
 * in: the subject (the version's CKA_SUBJECT, else the key's name), the uses. pss: RSASSA-PSS
 * also where the KMS has PKCS#1 v1.5. In which state the version is, is not looked at.
 * CKR_ARGUMENTS_BAD: the wish, *ret_why (caller frees) says why; CKR_KEY_FUNCTION_NOT_PERMITTED:
 * the key's usage is not to sign; CKR_MECHANISM_INVALID: neither KMS nor policy let it sign so.
 */
MUST_USE CK_RV version_certificate_make(struct lifecycle *lifecycle, const struct version *version,
                                        const struct certificate_wish *wish, bool pss,
                                        struct deadline deadline, struct buffer *ret_der,
                                        char **ret_why);

/*
 * Keeps a certificate, in the place of the one that is kept. CKR_ATTRIBUTE_VALUE_INVALID: not
 * one certificate in DER; CKR_PUBLIC_KEY_INVALID: of another key; CKR_DATA_INVALID: too large.
 */
MUST_USE CK_RV version_certificate_keep(struct lifecycle *lifecycle, const struct version *version,
                                        const void *der, size_t size);

/* What is kept; ret_der: DER. CKR_OBJECT_HANDLE_INVALID: nothing. */
MUST_USE CK_RV version_certificate(struct registry *registry, const struct version *version,
                                   struct buffer *ret_der);

/*
 * With "certificates = self-signed" only: makes one and keeps it, unless there is any with the
 * version's CKA_ID. A failure leaves the version as it is: it is logged, and refresh tries anew.
 */
void version_certify(struct lifecycle *lifecycle, const struct version *version,
                     struct deadline deadline);
/* The same, once: CKR_ACTION_PROHIBITED: there is one, or the version has no need of it. */
MUST_USE CK_RV version_certify_once(struct lifecycle *lifecycle, const struct version *version,
                                    struct deadline deadline);

#endif
