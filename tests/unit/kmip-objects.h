/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of the server of kmip-fixture.h, and what it does with them; needs its lock. */
#ifndef P11_KMS_TESTS_KMIP_OBJECTS_H
#define P11_KMS_TESTS_KMIP_OBJECTS_H

#include "kms/kmip-number.h"
#include "kms/ttlv.h"

#include <stdint.h>

void kmip_objects_clear(void);
/* All get other unique identifiers. */
void kmip_objects_rename(void);
/* The newest pair is re-keyed: its Names go to the new pair. */
void kmip_objects_rekey(void);
/* As if others had made them: without Names and labels. */
void kmip_objects_disown(void);
void kmip_objects_destroy(const char *identifier);
/* The Object Group of the newest object. */
const char *kmip_objects_group(void);
/* Those that are not destroyed. */
unsigned kmip_objects_count(void);
/* Writes the fields of the answer's payload. Returns the reason when it refuses, else 0. */
uint32_t kmip_objects_operate(uint32_t operation, const struct ttlv *payload,
                              struct ttlv_writer *answer);

#endif
