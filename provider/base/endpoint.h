/* SPDX-License-Identifier: Apache-2.0 */
/* Servers as the configuration names them: SCHEME://HOST[:PORT][,HOST[:PORT]...] */
#ifndef P11_KMS_BASE_ENDPOINT_H
#define P11_KMS_BASE_ENDPOINT_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

struct endpoint {
	char *host; /* owned: a name, or an IP address without brackets */
	char *port; /* owned: decimal */
};

#define ENDPOINTS_MAX 16

/*
 * In their order; the caller frees with endpoints_free. A host without a port gets
 * default_port. False: *ret_fault is a static text that goes on "the URI …".
 */
MUST_USE bool endpoints_parse(const char *uri, const char *scheme, const char *default_port,
                              struct endpoint **ret_endpoints, size_t *ret_count,
                              const char **ret_fault);
void endpoints_free(struct endpoint *endpoints, size_t count);

#endif
