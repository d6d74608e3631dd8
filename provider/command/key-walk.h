/* SPDX-License-Identifier: Apache-2.0 */
/* Calls a function for each key of the registry, by name, in constant memory. */
#ifndef P11_KMS_COMMAND_KEY_WALK_H
#define P11_KMS_COMMAND_KEY_WALK_H

#include "registry/registry.h"

/* Anything but CKR_OK ends the walk. */
typedef CK_RV (*key_visit)(void *context, const struct key_record *key);

MUST_USE CK_RV key_walk(struct registry *registry, key_visit visit, void *context);

/* The versions of a key (name NULL: of all), newest first; destroyed: all states. */
typedef CK_RV (*version_visit)(void *context, const struct version *version);

MUST_USE CK_RV version_walk(struct registry *registry, const char *name, bool destroyed,
                            version_visit visit, void *context);

#endif
