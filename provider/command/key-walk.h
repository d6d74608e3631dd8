/* SPDX-License-Identifier: Apache-2.0 */
/* Calls a function for each key of the registry, by name, in constant memory. */
#ifndef P11_KMS_COMMAND_KEY_WALK_H
#define P11_KMS_COMMAND_KEY_WALK_H

#include "registry/registry.h"

/*
 * Anything but CKR_OK and CKR_DEVICE_ERROR ends the walk. key NULL: there is a key of that
 * name, but its entry is not used; so it is when visit has just returned CKR_DEVICE_ERROR.
 */
typedef CK_RV (*key_visit)(void *context, const char *name, const struct key_record *key);

/* CKR_DEVICE_ERROR: all was walked, and there are such keys. */
MUST_USE CK_RV key_walk(struct registry *registry, key_visit visit, void *context);

/* The versions of a key (name NULL: of all), newest first; destroyed: all states. CKR_DEVICE_ERROR: some were passed over, since their entries are not used. */
typedef CK_RV (*version_visit)(void *context, const struct version *version);

MUST_USE CK_RV version_walk(struct registry *registry, const char *name, bool destroyed,
                            version_visit visit, void *context);

#endif
