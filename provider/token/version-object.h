/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of token/object: the half of a version. The functions of object.h for it. */
#ifndef P11_KMS_TOKEN_VERSION_OBJECT_H
#define P11_KMS_TOKEN_VERSION_OBJECT_H

#include "token/object.h"

MUST_USE CK_RV version_object_attribute(const struct object *object, CK_ATTRIBUTE_TYPE type,
                                        struct buffer *ret_value);
CK_ULONG version_object_size(const struct object *object);
bool version_object_permits(const struct object *object, CK_ATTRIBUTE_TYPE verb);

#endif
