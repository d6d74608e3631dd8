/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP socket that neither blocks past a deadline nor raises a signal. */
#ifndef P11_KMS_KMS_KMIP_SOCKET_H
#define P11_KMS_KMS_KMIP_SOCKET_H

#include "base/clock.h"
#include "base/compiler.h"
#include "base/endpoint.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* More than one token ever has: KMIP_CONNECTIONS_MAX in use, KMIP_IDLE_MAX idle at each server. */
#define KMIP_DESCRIPTORS_MAX 192

/* A socket: the number alone may be another file's by the time that a child looks at it. */
struct kmip_descriptor {
	atomic_int noted; /* the number and 1; 0: none */
	dev_t device;
	ino_t inode;
};

/*
 * The sockets of one token, noted from before they are connected until they are closed. So a
 * forked child can close them, whatever the parent's threads were doing with them. All zero at
 * first; may be used by several threads, and needs no lock.
 */
struct kmip_descriptors {
	struct kmip_descriptor all[KMIP_DESCRIPTORS_MAX];
};

/* In a forked child: closes those that are still noted, and still what they were. */
void kmip_descriptors_forked(struct kmip_descriptors *descriptors);

/* Of all: on failure *ret_why (caller frees; NULL when memory was short) says what went wrong. */

/* Tries the host's addresses in their order. The socket is noted in descriptors. */
MUST_USE bool kmip_socket_connect(const struct endpoint *endpoint, struct deadline deadline,
                                  struct kmip_descriptors *descriptors, int *ret_socket,
                                  char **ret_why);
void kmip_socket_close(int socket, struct kmip_descriptors *descriptors);
/* All of it. */
MUST_USE bool kmip_socket_send(int socket, const void *data, size_t size,
                               struct deadline deadline, char **ret_why);
/* At least one byte. */
MUST_USE bool kmip_socket_receive(int socket, void *ret_data, size_t room,
                                  struct deadline deadline, size_t *ret_size, char **ret_why);
/* There is something to receive, if only the end. */
bool kmip_socket_is_readable(int socket);

#endif
