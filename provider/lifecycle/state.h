/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a version and the moves between them (NIST SP 800-57 part 1, section 7; KMIP
 * 1.4, section 3.22). One that was compromised is never merely deactivated again, and what is
 * destroyed stays so.
 */
#ifndef P11_KMS_LIFECYCLE_STATE_H
#define P11_KMS_LIFECYCLE_STATE_H

#include "registry/record.h"

enum move { MOVE_DEACTIVATE, MOVE_COMPROMISE, MOVE_DESTROY, MOVE_RESTORE, MOVE_PURGE };

bool state_allows(enum version_state state, enum move move);

#define MOVES_TEXT_SIZE 64

/* "deactivate, compromise, destroy": the commands that move it on; empty when none does. out holds MOVES_TEXT_SIZE bytes. */
void moves_text(enum version_state state, char *out);

#endif
