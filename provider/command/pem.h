/* SPDX-License-Identifier: Apache-2.0 */
/* DER in the armour of PEM (RFC 7468). */
#ifndef P11_KMS_COMMAND_PEM_H
#define P11_KMS_COMMAND_PEM_H

#include "base/buffer.h"
#include "base/compiler.h"

/* label: "PUBLIC KEY". Appends to the text. */
MUST_USE CK_RV pem_write(const char *label, const struct buffer *der, struct buffer *ret_text);

#endif
