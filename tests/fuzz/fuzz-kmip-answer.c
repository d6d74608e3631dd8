/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any answers of a KMIP server, to all that is asked of one. The network and TLS are taken
 * out (the functions of kmip-stream.h and kmip-tls.h are here); the rest is as it is.
 *
 * The input: a byte that chooses the call; then, for each request in turn, a byte (0: the
 * whole message follows; 1: the payload of a success; 2: of a failure), two bytes of length,
 * and so many bytes. At its end it begins anew.
 */
#include "fuzz.h"

#include "base/openssl.h"
#include "kms/backend.h"
#include "kms/kmip-connection.h"
#include "kms/kmip-message.h"

#include <stdlib.h>
#include <string.h>

const char fuzz_name[] = "fuzz-kmip-answer";

#define REQUESTS_MAX 100

static struct {
	const uint8_t *data;
	size_t size, at;
	unsigned requests;
} input;

static void
require(bool condition)
{
	if (!condition)
		abort();
}

/* kmip-tls.h */

struct kmip_tls_edition
kmip_tls_edition(const struct config_token *config)
{
	struct kmip_tls_edition edition;

	(void)config;
	memset(&edition, 0, sizeof edition);
	return edition;
}

bool
kmip_tls_edition_equal(const struct kmip_tls_edition *a, const struct kmip_tls_edition *b)
{
	(void)a;
	(void)b;
	return true;
}

CK_RV
kmip_tls_new(const struct config_token *config, const struct secret *passphrase,
             SSL_CTX **ret_context, char **ret_why)
{
	static SSL_CTX *context; /* making one takes longer than all the rest */

	(void)config;
	(void)passphrase;
	(void)ret_why;
	if (context == NULL)
		context = SSL_CTX_new_ex(openssl_context(), NULL, TLS_client_method());
	require(context != NULL && SSL_CTX_up_ref(context) == 1);
	*ret_context = context;
	return CKR_OK;
}

bool
kmip_tls_has_expired(const SSL_CTX *context)
{
	(void)context;
	return false;
}

enum kmip_tls_key
kmip_tls_key(const struct config_token *config)
{
	(void)config;
	return KMIP_KEY_OPEN;
}

/* kmip-stream.h */

struct kmip_stream {
	const SSL_CTX *context;
};

CK_RV
kmip_stream_open(const struct endpoint *endpoint, SSL_CTX *context, SSL_SESSION *session,
                 int64_t verified_ms, struct deadline deadline,
                 struct kmip_descriptors *descriptors, struct kmip_stream **ret_stream,
                 char **ret_why)
{
	(void)descriptors;
	(void)endpoint;
	(void)session;
	(void)verified_ms;
	(void)deadline;
	(void)ret_why;
	*ret_stream = calloc(1, sizeof **ret_stream);
	require(*ret_stream != NULL);
	(*ret_stream)->context = context;
	return CKR_OK;
}

void
kmip_stream_close(struct kmip_stream **stream)
{
	free(*stream);
	*stream = NULL;
}

void
kmip_stream_abandon(struct kmip_stream **stream)
{
	kmip_stream_close(stream);
}

bool
kmip_stream_is_alive(struct kmip_stream *stream)
{
	(void)stream;
	return true;
}

const SSL_CTX *
kmip_stream_context(const struct kmip_stream *stream)
{
	return stream->context;
}

int64_t
kmip_stream_idle_ms(const struct kmip_stream *stream)
{
	(void)stream;
	return 0;
}

SSL_SESSION *
kmip_stream_session(struct kmip_stream *stream, int64_t *ret_verified_ms)
{
	(void)stream;
	(void)ret_verified_ms;
	return NULL;
}

const char *
kmip_stream_version(const struct kmip_stream *stream)
{
	(void)stream;
	return "none";
}

static uint8_t
next_byte(void)
{
	uint8_t byte = input.data[input.at++];

	if (input.at == input.size)
		input.at = 1;
	return byte;
}

/* An envelope around the payload, so that more than the envelope is tested. */
static void
wrap(const struct buffer *request, bool success, const struct buffer *payload,
     struct buffer *ret_answer)
{
	struct ttlv_writer writer = TTLV_WRITER_INIT;
	struct ttlv root, item;
	uint32_t operation = 0;

	require(ttlv_parse(request->data, request->size, &root) &&
	        ttlv_get_structure(&root, KMIP_BATCH_ITEM, &item) &&
	        ttlv_get_enumeration(&item, KMIP_OPERATION, &operation));
	ttlv_open(&writer, KMIP_RESPONSE_MESSAGE);
	ttlv_open(&writer, KMIP_RESPONSE_HEADER);
	ttlv_close(&writer);
	ttlv_open(&writer, KMIP_BATCH_ITEM);
	ttlv_enumeration(&writer, KMIP_OPERATION, operation);
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, success ? KMIP_SUCCESS : KMIP_OPERATION_FAILED);
	if (success)
		ttlv_open(&writer, KMIP_RESPONSE_PAYLOAD);
	require(buffer_append(&writer.bytes, payload->data, payload->size) == CKR_OK);
	if (success)
		ttlv_close(&writer);
	ttlv_close(&writer);
	ttlv_close(&writer);
	require(ttlv_finish(&writer) == CKR_OK);
	*ret_answer = writer.bytes;
}

CK_RV
kmip_stream_exchange(struct kmip_stream *stream, const struct buffer *request, uint32_t tag,
                     size_t limit, struct deadline deadline, struct buffer *ret_answer,
                     char **ret_why)
{
	struct buffer bytes = BUFFER_INIT;
	uint8_t kind;
	size_t size;

	(void)stream;
	(void)tag;
	(void)limit;
	(void)deadline;
	(void)ret_why;
	if (++input.requests > REQUESTS_MAX)
		return CKR_DEVICE_ERROR;
	kind = next_byte();
	size = next_byte();
	size |= (size_t)next_byte() << 8;
	size = size < input.size ? size : input.size;
	require(buffer_resize(&bytes, size) == CKR_OK);
	for (size_t i = 0; i < size; i++)
		bytes.data[i] = next_byte();
	if (kind % 3 == 0) {
		*ret_answer = bytes;
		return CKR_OK;
	}
	wrap(request, kind % 3 == 1, &bytes, ret_answer);
	buffer_clear(&bytes);
	return CKR_OK;
}

/* The calls. */

static const unsigned char id[] = { 1, 2, 3 };

static void
call_sign(void *state, CK_MECHANISM_TYPE type, const void *data, size_t size,
          struct kms_attempt *attempt)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 20 };
	CK_MECHANISM mechanism = { type, &pss, sizeof pss };
	struct kms_key key = { id, sizeof id, 0, false };
	unsigned char signature[256];
	size_t room = sizeof signature;
	struct kms_sign_request request = { &key, &mechanism, data, size, signature, &room };

	if (kmip_backend.sign(state, &request, attempt) == CKR_OK)
		require(room > 0 && room <= sizeof signature);
}

static void
call_decrypt(void *state, struct kms_attempt *attempt)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	struct kms_key key = { id, sizeof id, 0, false };
	struct secret *plaintext = NULL;
	struct kms_decrypt_request request = { &key, &mechanism, id, sizeof id, &plaintext };

	require((kmip_backend.decrypt(state, &request, attempt) == CKR_OK) == (plaintext != NULL));
	secret_free(&plaintext);
}

static void
call_generate(void *state, struct kms_attempt *attempt)
{
	struct kms_pair pair = {
		.algorithm = algorithm_by_name("rsa-2048"), .id = id, .id_size = sizeof id,
		.label = "job@1", .sign = true,
	};
	struct buffer spki = BUFFER_INIT;
	struct kms_generate_request request = { &pair, &spki };

	require((kmip_backend.generate(state, &request, attempt) == CKR_OK) == (spki.size > 0));
	buffer_clear(&spki);
}

static void
call_list(void *state, struct kms_attempt *attempt)
{
	struct kms_list_request request = { NULL, 0 };

	if (kmip_backend.list(state, &request, attempt) != CKR_OK)
		require(request.ret_keys == NULL && request.ret_count == 0);
	for (size_t i = 0; i < request.ret_count; i++)
		require(request.ret_keys[i].label != NULL && request.ret_keys[i].id.size > 0);
	kms_listed_free(request.ret_keys, request.ret_count);
}

static void
call_by_id(void *state, kms_operation operation, struct kms_attempt *attempt)
{
	struct buffer spki = BUFFER_INIT;
	struct kms_id_request request = { .id = id, .id_size = sizeof id, .ret_spki = &spki };

	(void)operation(state, &request, attempt);
	buffer_clear(&spki);
}

static void
call_describe(void *state, struct kms_attempt *attempt)
{
	struct kms_description description = { .primitive_count = 0 };

	if (kmip_backend.describe(state, &description, attempt) == CKR_OK)
		kms_description_clear(&description);
}

static void
call(void *state, unsigned choice)
{
	struct kms_attempt attempt = { .deadline = deadline_in(60000) };

	switch (choice % 10) {
	case 0:
		call_sign(state, CKM_SHA256_RSA_PKCS, id, sizeof id, &attempt);
		break;
	case 1:
		call_sign(state, CKM_RSA_PKCS_PSS, id, 0, &attempt);
		break;
	case 2:
		call_sign(state, CKM_ECDSA_SHA256, id, sizeof id, &attempt);
		break;
	case 3:
		call_decrypt(state, &attempt);
		break;
	case 4:
		call_generate(state, &attempt);
		break;
	case 5:
		call_list(state, &attempt);
		break;
	case 6:
		call_by_id(state, kmip_backend.public_key, &attempt);
		break;
	case 7:
		call_by_id(state, kmip_backend.destroy, &attempt);
		break;
	case 8:
		call_describe(state, &attempt);
		break;
	default:
		call_by_id(state, kmip_backend.find_pair, &attempt);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config_token config = {
		.name = (char *)"fuzz", .kms = (char *)"kmip://localhost", .deadline_ms = 60000,
	};
	static struct pin *pin;
	void *state = NULL;

	if (size < 5)
		return 0;
	if (pin == NULL)
		require(openssl_start() == CKR_OK && pin_new(&config, &pin) == CKR_OK);
	require(kmip_backend.open(&config, pin, &state) == CKR_OK);
	input.data = data;
	input.size = size;
	input.at = 1;
	input.requests = 0;
	/* Twice: the second meets what the first left. */
	call(state, data[0]);
	call(state, data[0]);
	kmip_backend.close(&state);
	return 0;
}
