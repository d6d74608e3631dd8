/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles of objects. That of a token object is its number in the registry and, in the low
 * bits, which of its objects is meant: it can be made and taken apart without a table, is
 * the same in every process, and is never reused. Session objects are numbered in the order
 * in which they are made.
 */
#ifndef P11_KMS_TOKEN_HANDLE_H
#define P11_KMS_TOKEN_HANDLE_H

#include "base/pkcs11.h"

#include <stdbool.h>
#include <stdint.h>

/* False for what can't be the handle of a half of a version. */
bool handle_split(CK_OBJECT_HANDLE handle, int64_t *ret_object, CK_OBJECT_CLASS *ret_class);

/* class: CKO_PUBLIC_KEY or CKO_PRIVATE_KEY; object: above 0. */
CK_OBJECT_HANDLE handle_join(int64_t object, CK_OBJECT_CLASS class);

/* number: from 1, in ascending order. */
CK_OBJECT_HANDLE handle_of_session(int64_t number);
bool handle_is_session(CK_OBJECT_HANDLE handle);

/* Certificates and data objects of the registry: object as above. */
CK_OBJECT_HANDLE handle_of_stored(int64_t object);
bool handle_is_stored(CK_OBJECT_HANDLE handle, int64_t *ret_object);
/* Profile objects: see profile.h. */
CK_OBJECT_HANDLE handle_of_profile(CK_ULONG profile);
bool handle_is_profile(CK_OBJECT_HANDLE handle, CK_ULONG *ret_profile);
/* Mechanism objects: see mechanism-object.h. */
CK_OBJECT_HANDLE handle_of_mechanism(CK_MECHANISM_TYPE type);
bool handle_is_mechanism(CK_OBJECT_HANDLE handle, CK_MECHANISM_TYPE *ret_type);

#endif
