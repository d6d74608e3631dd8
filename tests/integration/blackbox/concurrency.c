/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Section 5.4 with CKF_OS_LOCKING_OK: threads, each with sessions of its own, at once.
 * $BLACKBOX_SECONDS: for how long.
 */
#include "blackbox.h"

#include "base/clock.h"
#include "signing.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#define THREADS 20
#define SECONDS 5

/* Assertions end a process, not a thread: a worker notes its first failure for the test. */
struct worker {
	pthread_t thread;
	int number;
	const char *failed; /* the call */
	CK_RV rv;
	unsigned long rounds;
	bool disturbed;     /* what it works with may be taken away */
};

static atomic_bool enough;

#define TRY(call)                                                                                 \
	do {                                                                                      \
		CK_RV try_rv = (call);                                                            \
		if (try_rv != CKR_OK) {                                                           \
			worker->failed = #call;                                                   \
			worker->rv = try_rv;                                                      \
			return false;                                                             \
		}                                                                                 \
	} while (0)

static bool
find(struct worker *worker, CK_SESSION_HANDLE session, enum pair_kind kind, CK_OBJECT_CLASS class,
     CK_OBJECT_HANDLE *ret_object)
{
	CK_ATTRIBUTE sought[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_LABEL, pair_label(kind), strlen(pair_label(kind))),
	};
	CK_ULONG count = 0;

	TRY(p11->C_FindObjectsInit(session, sought, COUNT(sought)));
	TRY(p11->C_FindObjects(session, ret_object, 1, &count));
	TRY(p11->C_FindObjectsFinal(session));
	if (count != 1) {
		worker->failed = "search found nothing";
		worker->rv = CKR_OBJECT_HANDLE_INVALID;
		return false;
	}
	return true;
}

static bool
log_in(struct worker *worker, CK_SESSION_HANDLE session)
{
	CK_RV rv = p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)token_pin, strlen(token_pin));

	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return true;
	worker->failed = "C_Login";
	worker->rv = rv;
	return false;
}

static bool
sign_and_verify(struct worker *worker, CK_SESSION_HANDLE session, enum pair_kind kind)
{
	CK_MECHANISM mechanism = { pair_key_type(kind) == CKK_RSA ? CKM_SHA256_RSA_PKCS : CKM_ECDSA,
		                   NULL, 0 };
	unsigned char data[32] = { 0 }, signature[SIGNATURE_MAX];
	CK_ULONG size = sizeof(signature);
	CK_OBJECT_HANDLE public_key, private_key;
	CK_RV rv;

	data[0] = (unsigned char)worker->number;
	data[1] = (unsigned char)worker->rounds;
	if (!find(worker, session, kind, CKO_PUBLIC_KEY, &public_key) ||
	    !find(worker, session, kind, CKO_PRIVATE_KEY, &private_key))
		return false;
	TRY(p11->C_SignInit(session, &mechanism, private_key));
	TRY(p11->C_Sign(session, data, sizeof(data), signature, &size));
	for (int i = 0; i < 5; i++) {
		TRY(p11->C_VerifyInit(session, &mechanism, public_key));
		TRY(p11->C_Verify(session, data, sizeof(data), signature, size));
	}
	data[2] ^= 1;
	TRY(p11->C_VerifyInit(session, &mechanism, public_key));
	rv = p11->C_Verify(session, data, sizeof(data), signature, size);
	if (rv != CKR_SIGNATURE_INVALID) {
		worker->failed = "a wrong signature was not called invalid";
		worker->rv = rv;
		return false;
	}
	return true;
}

static bool
digest(struct worker *worker, CK_SESSION_HANDLE session)
{
	CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
	unsigned char data[100], value[32], expected[32];
	CK_ULONG size = sizeof(value);

	memset(data, worker->number, sizeof(data));
	TRY(p11->C_DigestInit(session, &mechanism));
	TRY(p11->C_DigestUpdate(session, data, 50));
	TRY(p11->C_DigestUpdate(session, data + 50, 50));
	TRY(p11->C_DigestFinal(session, value, &size));
	EVP_Digest(data, sizeof(data), expected, NULL, EVP_sha256(), NULL);
	if (memcmp(value, expected, sizeof(value)) != 0) {
		worker->failed = "a digest of another thread's data";
		return false;
	}
	return true;
}

/* Session objects that all threads change and use: the halves of a pair. */
static CK_OBJECT_HANDLE wrapping_key, unwrapping_key;

/* Wrapped under the public key and unwrapped by the private one it is the key that it was. */
static bool
wrap_and_unwrap(struct worker *worker, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                CK_OBJECT_HANDLE *ret_unwrapped)
{
	CK_RSA_PKCS_OAEP_PARAMS sha1 = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, &sha1, sizeof(sha1) };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
	CK_ATTRIBUTE of_unwrapped[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)), ATTRIBUTE(CKA_KEY_TYPE, &type, sizeof(type)),
		ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)), ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
		ATTRIBUTE(CKA_DECRYPT, &yes, sizeof(yes)),
	};
	unsigned char wrapped[128];
	CK_ULONG size = sizeof(wrapped);

	TRY(p11->C_WrapKey(session, &oaep, wrapping_key, key, wrapped, &size));
	TRY(p11->C_UnwrapKey(session, &oaep, unwrapping_key, wrapped, size, of_unwrapped,
	                     COUNT(of_unwrapped), ret_unwrapped));
	return true;
}

static bool
session_keys(struct worker *worker, CK_SESSION_HANDLE session)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	unsigned char iv[16] = { (unsigned char)worker->number }, text[100], sealed[112], opened[112];
	CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	CK_ULONG length = 32, size = sizeof(sealed), opened_size = sizeof(opened), count;
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE of_key[] = { ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		                  ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
		                  ATTRIBUTE(CKA_VALUE_LEN, &length, sizeof(length)) };
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, &worker->number, sizeof(worker->number));
	CK_OBJECT_HANDLE key, copy, unwrapped, found[2];

	memset(text, worker->number, sizeof(text));
	TRY(p11->C_GenerateKey(session, &generate, of_key, COUNT(of_key), &key));
	TRY(p11->C_SetAttributeValue(session, wrapping_key, &label, 1));
	TRY(p11->C_CopyObject(session, key, &label, 1, &copy));
	if (!wrap_and_unwrap(worker, session, key, &unwrapped))
		return false;
	TRY(p11->C_EncryptInit(session, &cbc, copy));
	TRY(p11->C_DestroyObject(session, key));
	TRY(p11->C_Encrypt(session, text, sizeof(text), sealed, &size));
	TRY(p11->C_DecryptInit(session, &cbc, unwrapped));
	TRY(p11->C_Decrypt(session, sealed, size, opened, &opened_size));
	if (opened_size != sizeof(text) || memcmp(opened, text, sizeof(text)) != 0) {
		worker->failed = "another thread's key";
		return false;
	}
	TRY(p11->C_FindObjectsInit(session, &label, 1));
	TRY(p11->C_FindObjects(session, found, COUNT(found), &count));
	TRY(p11->C_FindObjectsFinal(session));
	if (count == 0) {
		worker->failed = "the copy is not found";
		return false;
	}
	return true; /* what is left goes with the session */
}

/* Sealed and opened under a key of the worker's own, one message after the other. */
static bool
sealed_messages(struct worker *worker, CK_SESSION_HANDLE session)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 }, gcm = { CKM_AES_GCM, NULL, 0 };
	unsigned char iv[12], tag[16], text[100], sealed[100], opened[100];
	struct gcm_message_params parameter = { iv, sizeof(iv), 0, CKG_NO_GENERATE, tag,
		                                sizeof(tag) * 8 };
	CK_ULONG length = 16, size;
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE of_key[] = { ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		                  ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
		                  ATTRIBUTE(CKA_VALUE_LEN, &length, sizeof(length)) };
	CK_OBJECT_HANDLE key;

	memset(text, worker->number, sizeof(text));
	TRY(p11->C_GenerateKey(session, &generate, of_key, COUNT(of_key), &key));
	TRY(p11_3->C_MessageEncryptInit(session, &gcm, key));
	TRY(p11_3->C_MessageDecryptInit(session, &gcm, key));
	for (int i = 0; i < 10; i++) {
		memset(iv, i, sizeof(iv));
		size = sizeof(sealed);
		TRY(p11_3->C_EncryptMessage(session, &parameter, sizeof(parameter), NULL, 0, text,
		                            sizeof(text), sealed, &size));
		size = sizeof(opened);
		TRY(p11_3->C_DecryptMessage(session, &parameter, sizeof(parameter), NULL, 0, sealed,
		                            sizeof(sealed), opened, &size));
		if (size != sizeof(text) || memcmp(opened, text, sizeof(text)) != 0) {
			worker->failed = "another thread's message";
			return false;
		}
	}
	TRY(p11_3->C_MessageEncryptFinal(session));
	TRY(p11_3->C_MessageDecryptFinal(session));
	return true;
}

static bool
signed_messages(struct worker *worker, CK_SESSION_HANDLE session)
{
	CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
	unsigned char text[50], signature[SIGNATURE_MAX];
	CK_OBJECT_HANDLE public_key, private_key;
	CK_ULONG size;

	memset(text, worker->number, sizeof(text));
	if (!find(worker, session, PAIR_P256, CKO_PUBLIC_KEY, &public_key) ||
	    !find(worker, session, PAIR_P256, CKO_PRIVATE_KEY, &private_key))
		return false;
	TRY(p11_3->C_MessageSignInit(session, &mechanism, private_key));
	TRY(p11_3->C_MessageVerifyInit(session, &mechanism, public_key));
	for (int i = 0; i < 3; i++) {
		size = sizeof(signature);
		text[0] = (unsigned char)i;
		TRY(p11_3->C_SignMessage(session, NULL, 0, text, sizeof(text), signature, &size));
		TRY(p11_3->C_VerifyMessage(session, NULL, 0, text, sizeof(text), signature, size));
	}
	TRY(p11_3->C_MessageSignFinal(session));
	TRY(p11_3->C_MessageVerifyFinal(session));
	return true;
}

static bool
messages(struct worker *worker, CK_SESSION_HANDLE session)
{
	if (!p11_3)
		return true;
	if (mechanism_offers(CKM_AES_GCM, CKF_MESSAGE_ENCRYPT) && !sealed_messages(worker, session))
		return false;
	return !mechanism_offers(CKM_ECDSA_SHA256, CKF_MESSAGE_SIGN) || signed_messages(worker, session);
}

static bool
round_of(struct worker *worker)
{
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;

	TRY(p11->C_OpenSession(token_slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
	TRY(p11->C_GetSessionInfo(session, &info));
	if (worker->disturbed && login_required() && !log_in(worker, session))
		return false;
	if (!sign_and_verify(worker, session, PAIR_P256) ||
	    !sign_and_verify(worker, session, PAIR_RSA) || !digest(worker, session) ||
	    !messages(worker, session))
		return false;
	if (wrapping_key != CK_INVALID_HANDLE && !session_keys(worker, session))
		return false;
	TRY(p11->C_CloseSession(session));
	return true;
}

/* What comes of a session, a login or an object that another thread has ended. */
static bool
gone(CK_RV rv)
{
	switch (rv) {
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_USER_NOT_LOGGED_IN:
	case CKR_OBJECT_HANDLE_INVALID:
	case CKR_KEY_HANDLE_INVALID:
		return true;
	default:
		return false;
	}
}

static void *
work(void *argument)
{
	struct worker *worker = argument;

	while (!atomic_load(&enough) && !worker->failed) {
		if (round_of(worker))
			worker->rounds++;
		else if (worker->disturbed && gone(worker->rv))
			worker->failed = NULL;
	}
	return NULL;
}

static void
start_workers(struct worker *workers, int count, bool disturbed)
{
	atomic_store(&enough, false);
	for (int i = 0; i < count; i++) {
		workers[i].number = i;
		workers[i].disturbed = disturbed;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
}

static void
end_workers(struct worker *workers, int count)
{
	atomic_store(&enough, true);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
	for (int i = 0; i < count; i++)
		ck_assert_msg(!workers[i].failed, "thread %d, round %lu: %s: 0x%lx", i,
		              workers[i].rounds, workers[i].failed, workers[i].rv);
}

static void
make_shared_pair(CK_SESSION_HANDLE session)
{
	CK_MECHANISM generate = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 1024;
	CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
	CK_ATTRIBUTE of_public[] = { ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		                     ATTRIBUTE(CKA_MODULUS_BITS, &bits, sizeof(bits)),
		                     ATTRIBUTE(CKA_WRAP, &yes, sizeof(yes)) };
	CK_ATTRIBUTE of_private[] = { ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		                      ATTRIBUTE(CKA_UNWRAP, &yes, sizeof(yes)) };

	if (mechanism_offers(CKM_AES_KEY_GEN, CKF_GENERATE))
		expect(CKR_OK, p11->C_GenerateKeyPair(session, &generate, of_public,
		                                      COUNT(of_public), of_private,
		                                      COUNT(of_private), &wrapping_key,
		                                      &unwrapping_key));
}

static long
seconds(void)
{
	const char *given = getenv("BLACKBOX_SECONDS");

	return given ? strtol(given, NULL, 10) : SECONDS;
}

START_TEST(all_at_once)
{
	struct worker workers[THREADS] = { 0 };
	CK_SESSION_HANDLE session = session_user(0); /* holds the login */
	int64_t end = clock_monotonic_ms() + seconds() * 1000;

	if (!pair_offered(PAIR_RSA) || !pair_offered(PAIR_P256))
		return;
	make_shared_pair(session);
	start_workers(workers, THREADS, false);
	/* Meanwhile someone makes pairs and destroys them, and closes other sessions. */
	while (clock_monotonic_ms() < end) {
		CK_SESSION_HANDLE other = session_public(CKF_RW_SESSION);
		CK_OBJECT_HANDLE public_key, private_key;

		(void)pair_public(other, PAIR_RSA);
		expect(CKR_OK, pair_generate(other, PAIR_P256, "blackbox-meanwhile", NULL, 0,
		                             &public_key, &private_key));
		expect(CKR_OK, p11->C_DestroyObject(other, private_key));
		expect_any(p11->C_DestroyObject(other, public_key), CKR_OK,
		           CKR_OBJECT_HANDLE_INVALID);
		expect(CKR_OK, p11->C_CloseSession(other));
	}
	end_workers(workers, THREADS);
	for (int i = 0; i < THREADS; i++)
		ck_assert_msg(workers[i].rounds > 0, "thread %d never had its turn", i);
	expect(CKR_OK, p11->C_CloseSession(session));
}
END_TEST

/* After all that: a login is one, and private keys work. */
static void
token_works(void)
{
	struct worker worker = { .number = 1 };
	CK_SESSION_HANDLE session = session_user(0);

	ck_assert_msg(sign_and_verify(&worker, session, PAIR_P256) && messages(&worker, session),
	              "%s: 0x%lx", worker.failed, worker.rv);
	expect(CKR_OK, p11->C_CloseSession(session));
}

/* Sessions are closed under those who work in them: what they get is right, or they are told. */
START_TEST(closed_meanwhile)
{
	struct worker workers[THREADS / 2] = { 0 };
	int64_t end = clock_monotonic_ms() + seconds() * 1000 / 2;
	struct timespec pause = { 0, 30 * 1000 * 1000 };
	unsigned long rounds = 0;

	if (!pair_offered(PAIR_RSA) || !pair_offered(PAIR_P256))
		return;
	start_workers(workers, THREADS / 2, true);
	while (clock_monotonic_ms() < end) {
		nanosleep(&pause, NULL);
		expect(CKR_OK, p11->C_CloseAllSessions(token_slot));
	}
	end_workers(workers, THREADS / 2);
	for (int i = 0; i < THREADS / 2; i++)
		rounds += workers[i].rounds;
	ck_assert_uint_gt(rounds, 0);
	token_works();
}
END_TEST

/* Opens a session and logs in, again and again until it is the one who did it. */
static void *
come_in(void *argument)
{
	CK_SESSION_HANDLE *ret_session = argument, session;
	CK_RV rv;

	for (;;) {
		rv = p11->C_OpenSession(token_slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
		if (rv != CKR_OK)
			return "C_OpenSession";
		rv = p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)token_pin, strlen(token_pin));
		if (rv == CKR_OK) {
			*ret_session = session;
			return NULL;
		}
		if (rv != CKR_USER_ALREADY_LOGGED_IN)
			return "C_Login";
		rv = p11->C_CloseSession(session);
		if (rv != CKR_OK)
			return "C_CloseSession";
	}
}

/*
 * One logs out, or closes the last session, and another one logs in at the same moment: whoever
 * comes last, the token and its KMS agree on whether someone is logged in.
 */
START_TEST(login_beside_logout)
{
	int64_t end = clock_monotonic_ms() + seconds() * 1000 / 2;
	CK_SESSION_HANDLE session, other = CK_INVALID_HANDLE;
	pthread_t thread;
	void *failed;

	if (!pair_offered(PAIR_P256))
		return;
	while (clock_monotonic_ms() < end) {
		session = session_public(0);
		login(session);
		ck_assert_int_eq(pthread_create(&thread, NULL, come_in, &other), 0);
		if (_i == 0)
			expect(CKR_OK, p11->C_Logout(session));
		expect(CKR_OK, p11->C_CloseSession(session));
		ck_assert_int_eq(pthread_join(thread, &failed), 0);
		ck_assert_msg(!failed, "%s", (const char *)failed);
		token_works();
		expect(CKR_OK, p11->C_Logout(other));
		expect(CKR_OK, p11->C_CloseSession(other));
	}
}
END_TEST

/* In and out again, each in a session of its own; notes what it is told that it should not be. */
static void *
come_and_go(void *argument)
{
	struct worker *worker = argument;
	CK_SESSION_HANDLE session;
	CK_RV rv;

	for (int i = 0; i < 20; i++) {
		rv = p11->C_OpenSession(token_slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
		if (rv == CKR_OK && !log_in(worker, session))
			return NULL;
		if (rv == CKR_OK && worker->number % 2 == 0)
			rv = p11->C_Logout(session);
		if (rv == CKR_OK || rv == CKR_USER_NOT_LOGGED_IN)
			rv = p11->C_CloseSession(session);
		if (rv != CKR_OK) {
			worker->failed = "open, log out or close";
			worker->rv = rv;
			return NULL;
		}
	}
	return NULL;
}

START_TEST(logins_at_once)
{
	struct worker workers[8];
	int64_t end = clock_monotonic_ms() + seconds() * 1000 / 2;

	if (!pair_offered(PAIR_P256))
		return;
	while (clock_monotonic_ms() < end) {
		memset(workers, 0, sizeof(workers));
		for (int i = 0; i < (int)COUNT(workers); i++) {
			workers[i].number = i;
			ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, come_and_go,
			                                &workers[i]), 0);
		}
		end_workers(workers, COUNT(workers));
		token_works();
	}
}
END_TEST

static void *
start_and_stop(void *argument)
{
	unsigned long *ret_unexpected = argument;
	CK_C_INITIALIZE_ARGS arguments = { .flags = CKF_OS_LOCKING_OK };
	CK_ULONG count;
	CK_RV rv;

	for (int i = 0; i < 50; i++) {
		rv = p11->C_Initialize(&arguments);
		if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
			++*ret_unexpected;
		rv = p11->C_GetSlotList(CK_TRUE, NULL, &count);
		if (rv != CKR_OK)
			++*ret_unexpected;
	}
	return NULL;
}

/* Several libraries of one program initialise it at the same time: one is first, none fails. */
START_TEST(initialize_at_once)
{
	pthread_t threads[THREADS];
	unsigned long unexpected[THREADS] = { 0 };

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, start_and_stop, &unexpected[i]),
		                 0);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(unexpected[i], 0);
	}
	expect(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

Suite *
concurrency_suite(void)
{
	Suite *suite = suite_create("concurrency");
	TCase *tcase = started_case(suite, "started");

	tcase_set_timeout(tcase, (double)seconds() + 60);
	tcase_add_test(tcase, all_at_once);
	tcase_add_test(tcase, closed_meanwhile);
	tcase = started_case(suite, "logins");
	tcase_set_timeout(tcase, (double)seconds() + 60);
	tcase_add_loop_test(tcase, login_beside_logout, 0, 2);
	tcase_add_test(tcase, logins_at_once);
	tcase = tcase_create("not started");
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, initialize_at_once);
	suite_add_tcase(suite, tcase);
	return suite;
}
