/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a [token NAME] section. Only config.c needs this. */
#ifndef P11_KMS_BASE_CONFIG_TOKEN_H
#define P11_KMS_BASE_CONFIG_TOKEN_H

#include "base/compiler.h"
#include "base/config.h"

#include <stdbool.h>

/* Sets the defaults. False: memory is short. */
MUST_USE bool config_token_init(struct config_token *token, const char *name, unsigned line);
void config_token_clear(struct config_token *token);

/* given: which keys the section had so far. *ret_why has no place in it. */
MUST_USE bool config_token_set(struct config_token *token, unsigned *given, const char *key,
                               const char *value, char **ret_why);
/* Is everything there, and does it fit together? */
MUST_USE bool config_token_check(const struct config_token *token, char **ret_why);

#endif
