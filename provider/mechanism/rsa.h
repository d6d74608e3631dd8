/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of mechanism/: RSA (PKCS#11 mechanisms 3.0, section 2.1). The functions are those of mechanism.h. */
#ifndef P11_KMS_MECHANISM_RSA_H
#define P11_KMS_MECHANISM_RSA_H

#include "mechanism/mechanism.h"

#include <stdbool.h>

/* The longest plaintext; false: the key is too short for the padding. */
MUST_USE bool rsa_input_max(const struct mechanism_use *use, const struct public_key *key,
                            size_t *ret_size);
/* The longest salt of a PSS signature; false: the key is too short for the hash. */
MUST_USE bool rsa_salt_max(CK_MECHANISM_TYPE digest, const struct public_key *key,
                           size_t *ret_size);

MUST_USE CK_RV rsa_encrypt(const struct mechanism_use *use, struct public_key *key,
                           const void *data, size_t data_size, unsigned char *ret_data);
/* The signature's length has been checked. */
MUST_USE CK_RV rsa_verify(const struct mechanism_use *use, struct public_key *key,
                          const void *data, size_t data_size, const void *signature);
MUST_USE CK_RV rsa_recover(const struct mechanism_use *use, struct public_key *key,
                           const void *signature, struct buffer *ret_data);
MUST_USE CK_RV rsa_plan_sign(const struct mechanism_use *use, const struct public_key *key,
                             const void *data, size_t data_size, struct mechanism_plan *ret_plan,
                             struct buffer *ret_block);
MUST_USE CK_RV rsa_plan_decrypt(const struct mechanism_use *use, primitive_offered offered,
                                const void *context, struct mechanism_plan *ret_plan);

/* SHA-1 for everything, and no label. */
bool rsa_oaep_is_plain(const struct mechanism_use *use);
/* The hash of a mask generation function; 0: none such. */
CK_MECHANISM_TYPE rsa_mgf_digest(CK_RSA_PKCS_MGF_TYPE mgf);

#endif
