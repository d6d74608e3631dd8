/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of mechanism/: names in certificates, made of what people write. */
#ifndef P11_KMS_MECHANISM_CERTIFICATE_NAME_H
#define P11_KMS_MECHANISM_CERTIFICATE_NAME_H

#include "base/compiler.h"
#include "mechanism/certificate-draft.h"

#include <openssl/x509v3.h>

/* CKR_ARGUMENTS_BAD: *ret_why (caller frees) says why. Caller frees the name. */
MUST_USE CK_RV certificate_name(const struct certificate_wish *wish, X509_NAME **ret_name,
                                char **ret_why);
MUST_USE CK_RV certificate_other_names(const struct certificate_wish *wish,
                                       GENERAL_NAMES **ret_names, char **ret_why);

#endif
