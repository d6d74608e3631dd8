/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and data objects on the token. */
#ifndef P11_KMS_LIFECYCLE_STORED_OBJECT_H
#define P11_KMS_LIFECYCLE_STORED_OBJECT_H

#include "base/compiler.h"
#include "lifecycle/lifecycle.h"
#include "registry/object-record.h"

/*
 * Signs the record and adds it; one that has an object number takes the place of the former
 * one. CKR_DATA_INVALID: it is too large, or there is no former one.
 */
MUST_USE CK_RV lifecycle_store_object(struct lifecycle *lifecycle, struct object_record *record);
/* CKR_OBJECT_HANDLE_INVALID: there is none. */
MUST_USE CK_RV lifecycle_remove_object(struct lifecycle *lifecycle, int64_t object);

#endif
