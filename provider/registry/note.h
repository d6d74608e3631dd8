/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times that are noted of CKA_IDs, beside the log and unsigned: since when a pair waits to be taken
 * up, and from when on a version that is being made shall be active. Private to registry/; every
 * function needs the registry's lock.
 */
#ifndef P11_KMS_REGISTRY_NOTE_H
#define P11_KMS_REGISTRY_NOTE_H

#include "registry/store.h"

enum note_kind { NOTE_WAITS_SINCE, NOTE_PROTECT_FROM };

/* *ret_time 0: there is none. */
MUST_USE CK_RV note_read(struct store *store, enum note_kind kind, const void *id, size_t id_size,
                         int64_t *ret_time);
/* Inside a write transaction. */
MUST_USE CK_RV note_write(struct store *store, enum note_kind kind, const void *id, size_t id_size,
                          int64_t time);
/* The same: all of that kind; of NOTE_PROTECT_FROM only those of intents that are gone. */
MUST_USE CK_RV notes_clear(struct store *store, enum note_kind kind);

#endif
