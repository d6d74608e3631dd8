/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-socket.h"

#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A firewall forgets what is silent, and a host that has died says nothing. So the kernel asks
 * on connections that are idle, and gives one up when nothing has come back for GONE_S, be it of
 * these questions or of what was sent. It is then readable, and not lent to a call.
 */
#define ASK_AFTER_S 15
#define ASK_EVERY_S 5
#define ASK_TIMES 3
#define GONE_S (ASK_AFTER_S + ASK_TIMES * ASK_EVERY_S)

/* False, as callers return it. */
static bool
fail(char **ret_why, const char *what, int error)
{
	free(*ret_why);
	*ret_why = text_format("%s: %s", what, strerror(error));
	return false;
}

static bool
fail_late(char **ret_why, const char *what)
{
	free(*ret_why);
	*ret_why = text_format("%s within the deadline", what);
	return false;
}

/* In kmip_descriptor.noted, while the rest is written: a child that is born now leaves it. */
#define BEING_NOTED (-1)

static void
note(struct kmip_descriptors *descriptors, int fd)
{
	struct stat status;
	int none;

	if (fstat(fd, &status) != 0)
		return;
	for (size_t i = 0; i < KMIP_DESCRIPTORS_MAX; i++) {
		struct kmip_descriptor *descriptor = &descriptors->all[i];

		none = 0;
		if (!atomic_compare_exchange_strong(&descriptor->noted, &none, BEING_NOTED))
			continue;
		descriptor->device = status.st_dev;
		descriptor->inode = status.st_ino;
		descriptor->noted = fd + 1;
		return;
	}
}

void
kmip_socket_close(int socket, struct kmip_descriptors *descriptors)
{
	int noted;

	/* Before it is closed: after that the number may be another file's. */
	for (size_t i = 0; i < KMIP_DESCRIPTORS_MAX; i++) {
		noted = socket + 1;
		if (atomic_compare_exchange_strong(&descriptors->all[i].noted, &noted, 0))
			break;
	}
	(void)close(socket);
}

/* The child may have closed it, as daemons do with all that they inherit, and opened another file. */
static void
close_inherited(int fd, const struct kmip_descriptor *descriptor)
{
	struct stat status;

	if (fstat(fd, &status) == 0 && status.st_dev == descriptor->device &&
	    status.st_ino == descriptor->inode)
		(void)close(fd);
}

void
kmip_descriptors_forked(struct kmip_descriptors *descriptors)
{
	int noted;

	for (size_t i = 0; i < KMIP_DESCRIPTORS_MAX; i++) {
		noted = atomic_exchange(&descriptors->all[i].noted, 0);
		if (noted > 0)
			close_inherited(noted - 1, &descriptors->all[i]);
	}
}

/* 1: ready; 0: the deadline passed; -1: errno. */
static int
wait_for(int socket, short events, struct deadline deadline)
{
	struct pollfd wanted = { .fd = socket, .events = events };
	int64_t left;
	int ready;

	do {
		left = deadline_left_ms(deadline);
		ready = poll(&wanted, 1, left > INT_MAX ? INT_MAX : (int)left);
	} while (ready < 0 && errno == EINTR);
	return ready;
}

/* Wishes: a connection without them works too. */
static void
set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, ASK_AFTER_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, ASK_EVERY_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, ASK_TIMES },
		/* For both; tcp(7): it outranks TCP_KEEPCNT, so it must not be shorter. */
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, GONE_S * 1000 },
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
		                 sizeof options[i].value);
}

static bool
connect_address(const struct addrinfo *address, struct deadline deadline,
                struct kmip_descriptors *descriptors, int *ret_socket, char **ret_why)
{
	socklen_t size = sizeof(int);
	int fd, ready, error = 0;

	fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
	            address->ai_protocol);
	if (fd < 0)
		return fail(ret_why, "no socket", errno);
	note(descriptors, fd);
	set_options(fd);
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
		error = errno;
	if (error == EINPROGRESS || error == EINTR) {
		ready = wait_for(fd, POLLOUT, deadline);
		if (ready == 0) {
			kmip_socket_close(fd, descriptors);
			return fail_late(ret_why, "no connection");
		}
		if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
			error = errno;
	}
	if (error != 0) {
		kmip_socket_close(fd, descriptors);
		return fail(ret_why, "no connection", error);
	}
	*ret_socket = fd;
	return true;
}

static bool
look_up(const struct endpoint *endpoint, struct addrinfo **ret_addresses, char **ret_why)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
	};
	int error;

	error = getaddrinfo(endpoint->host, endpoint->port, &hints, ret_addresses);
	if (error == EAI_NONAME) {
		hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
		error = getaddrinfo(endpoint->host, endpoint->port, &hints, ret_addresses);
	}
	if (error == 0)
		return true;
	*ret_why = text_format("no address: %s", gai_strerror(error));
	return false;
}

bool
kmip_socket_connect(const struct endpoint *endpoint, struct deadline deadline,
                    struct kmip_descriptors *descriptors, int *ret_socket, char **ret_why)
{
	struct addrinfo *addresses = NULL, *address;
	struct deadline part;
	bool done = false;

	if (!look_up(endpoint, &addresses, ret_why))
		return false;
	for (address = addresses; address != NULL && !done; address = address->ai_next) {
		/* An address that swallows everything leaves time for the next. */
		part = address->ai_next == NULL ? deadline
		                                : deadline_in(deadline_left_ms(deadline) / 2);
		done = connect_address(address, part, descriptors, ret_socket, ret_why);
	}
	freeaddrinfo(addresses);
	if (done) {
		free(*ret_why);
		*ret_why = NULL;
	}
	return done;
}

bool
kmip_socket_send(int socket, const void *data, size_t size, struct deadline deadline,
                 char **ret_why)
{
	const unsigned char *at = data;
	ssize_t sent;
	int ready;

	while (size > 0) {
		sent = send(socket, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent >= 0) {
			at += sent;
			size -= (size_t)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return fail(ret_why, "can't send", errno);
		ready = wait_for(socket, POLLOUT, deadline);
		if (ready == 0)
			return fail_late(ret_why, "the server takes nothing");
		if (ready < 0)
			return fail(ret_why, "can't send", errno);
	}
	return true;
}

bool
kmip_socket_receive(int socket, void *ret_data, size_t room, struct deadline deadline,
                    size_t *ret_size, char **ret_why)
{
	ssize_t received;
	int ready;

	for (;;) {
		received = recv(socket, ret_data, room, MSG_DONTWAIT);
		if (received > 0)
			break;
		if (received == 0)
			return fail(ret_why, "the server ended the connection", ECONNRESET);
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return fail(ret_why, "can't receive", errno);
		ready = wait_for(socket, POLLIN, deadline);
		if (ready == 0)
			return fail_late(ret_why, "no answer");
		if (ready < 0)
			return fail(ret_why, "can't receive", errno);
	}
	*ret_size = (size_t)received;
	return true;
}

bool
kmip_socket_is_readable(int socket)
{
	return wait_for(socket, POLLIN, deadline_in(0)) != 0;
}
