/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of mechanism/: ECDSA and EdDSA (PKCS#11 mechanisms 3.0, section 2.3). The functions are those of mechanism.h. */
#ifndef P11_KMS_MECHANISM_EC_H
#define P11_KMS_MECHANISM_EC_H

#include "mechanism/mechanism.h"

/* The signature's length has been checked. */
MUST_USE CK_RV ecdsa_verify(const struct mechanism_use *use, struct public_key *key,
                            const void *data, size_t data_size, const void *signature);
MUST_USE CK_RV ecdsa_plan_sign(const struct mechanism_use *use, const struct public_key *key,
                               const void *data, size_t data_size,
                               struct mechanism_plan *ret_plan, struct buffer *ret_block);
MUST_USE CK_RV eddsa_verify(struct public_key *key, const void *data, size_t data_size,
                            const void *signature);
MUST_USE CK_RV eddsa_plan_sign(const void *data, size_t data_size, struct mechanism_plan *ret_plan,
                               struct buffer *ret_block);

#endif
