/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys as OpenSSH writes them: RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4. */
#ifndef P11_KMS_COMMAND_SSH_H
#define P11_KMS_COMMAND_SSH_H

#include "base/buffer.h"
#include "base/compiler.h"

/* "ssh-ed25519 AAAA… comment\n". CKR_MECHANISM_INVALID: SSH has no such type of key. */
MUST_USE CK_RV ssh_public_key(const struct buffer *spki, const char *comment,
                              struct buffer *ret_line);

#endif
