/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS connection to a KMIP server. The socket never blocks, and never raises SIGPIPE:
 * OpenSSL works on memory, and what it has for the network is sent and received here, until
 * the deadline. One thread at a time.
 */
#ifndef P11_KMS_KMS_KMIP_STREAM_H
#define P11_KMS_KMS_KMIP_STREAM_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/endpoint.h"
#include "base/pkcs11.h"
#include "kms/kmip-socket.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct kmip_stream; /* opaque */

/*
 * Connects and shakes hands; the server's certificate must be for endpoint->host. session
 * (NULL: none) is one to resume, whose certificate was verified at verified_ms. descriptors
 * (borrowed for as long as the stream lives) has its socket noted.
 * CKR_DEVICE_ERROR: *ret_why (caller frees; NULL when memory was short) says what went wrong, to
 * go on "HOST:PORT: ". A host's name is looked up with getaddrinfo, which knows no deadline; an
 * address is not looked up.
 */
MUST_USE CK_RV kmip_stream_open(const struct endpoint *endpoint, SSL_CTX *context,
                                SSL_SESSION *session, int64_t verified_ms,
                                struct deadline deadline,
                                struct kmip_descriptors *descriptors,
                                struct kmip_stream **ret_stream, char **ret_why);
/* Says goodbye, without waiting, when the stream is still sound. */
void kmip_stream_close(struct kmip_stream **stream);
/*
 * In a forked child: lets go of the parent's connection, which goes on. Its socket is left to
 * kmip_descriptors_forked, which knows whether it is still that.
 */
void kmip_stream_abandon(struct kmip_stream **stream);

/*
 * A message out, one in, of at most limit bytes, with this tag; nothing may have come that was
 * not asked for. CKR_DEVICE_ERROR: *ret_why as above; the stream can only be closed then.
 */
MUST_USE CK_RV kmip_stream_exchange(struct kmip_stream *stream, const struct buffer *request,
                                    uint32_t tag, size_t limit, struct deadline deadline,
                                    struct buffer *ret_answer, char **ret_why);

/* Is it still there, as far as can be told without sending anything? */
bool kmip_stream_is_alive(struct kmip_stream *stream);
/* What it was connected with; borrowed. */
const SSL_CTX *kmip_stream_context(const struct kmip_stream *stream);
/* Milliseconds since it was last used. */
int64_t kmip_stream_idle_ms(const struct kmip_stream *stream);
/*
 * To be resumed by the next connection, and when its certificate was verified; the caller
 * frees. NULL: the server gives none. One that was resumed itself has another (in TLS 1.3 each
 * is good for once), whose certificate was verified when the first one's was.
 */
SSL_SESSION *kmip_stream_session(struct kmip_stream *stream, int64_t *ret_verified_ms);
/* "TLSv1.3"; static. */
const char *kmip_stream_version(const struct kmip_stream *stream);

#endif
