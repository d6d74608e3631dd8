/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP socket that neither blocks past a deadline nor raises a signal. */
#ifndef P11_KMS_KMS_KMIP_SOCKET_H
#define P11_KMS_KMS_KMIP_SOCKET_H

#include "base/clock.h"
#include "base/compiler.h"
#include "base/endpoint.h"

#include <stdbool.h>
#include <stddef.h>

/* Of all: on failure *ret_why (caller frees; NULL when memory was short) says what went wrong. */

/* Tries the host's addresses in their order. */
MUST_USE bool kmip_socket_connect(const struct endpoint *endpoint, struct deadline deadline,
                                  int *ret_socket, char **ret_why);
/* All of it. */
MUST_USE bool kmip_socket_send(int socket, const void *data, size_t size,
                               struct deadline deadline, char **ret_why);
/* At least one byte. */
MUST_USE bool kmip_socket_receive(int socket, void *ret_data, size_t room,
                                  struct deadline deadline, size_t *ret_size, char **ret_why);
/* There is something to receive, if only the end. */
bool kmip_socket_is_readable(int socket);

#endif
