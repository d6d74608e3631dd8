/* SPDX-License-Identifier: Apache-2.0 */
/*
 * p11-kms, raw OpenSSL and the HSM's own module, side by side in one run. Each operation is
 * done for a while by one thread and by two; what is printed is operations a second, and the
 * ratios: p11-kms is to be as good as OpenSSL in public-key operations (column /OpenSSL near
 * 1), and as the HSM in private ones (column /HSM near 1). Nothing is judged.
 *
 *	bench P11-KMS.so TOKEN HSM-MODULE.so TOKEN PIN
 *
 * P11_KMS_BENCH_SECONDS: for how long each (1).
 */
#include "base/pkcs11.h"

#include <dlfcn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 2

enum operation { ENCRYPT, VERIFY_RSA, VERIFY_EC, SIGN, DECRYPT, OPERATIONS };

static const char *const names[OPERATIONS] = {
	"RSA-2048 OAEP encrypt", "RSA-2048 verify", "P-256 verify",
	"RSA-2048 sign", "RSA-2048 OAEP decrypt",
};

static unsigned char message[32];
static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };

struct module {
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	CK_OBJECT_HANDLE rsa_public, rsa_private, ec_public, ec_private;
	unsigned char rsa_signature[256], ec_signature[64], ciphertext[256];
};

struct raw {
	EVP_PKEY *rsa, *ec;
	unsigned char rsa_signature[256], ec_signature[80], ciphertext[256];
	size_t ec_size;
};

struct job {
	const struct module *module; /* NULL: raw OpenSSL */
	const struct raw *raw;
	enum operation operation;
	pthread_barrier_t *barrier;
	atomic_bool *stop;
	unsigned long done;
};

static void
must(CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "bench: %s: 0x%lx\n", what, rv);
	exit(1);
}

static void
must_ssl(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench: OpenSSL: %s\n", what);
	exit(1);
}

static double
now(void)
{
	struct timespec moment;

	clock_gettime(CLOCK_MONOTONIC, &moment);
	return (double)moment.tv_sec + (double)moment.tv_nsec / 1e9;
}

static void
module_open(const char *path, const char *label, const char *pin, struct module *module)
{
	CK_RV (*get_list)(CK_FUNCTION_LIST **);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slots[16];
	CK_ULONG count = 16;
	CK_TOKEN_INFO info;
	CK_RV rv;

	if (library == NULL || (*(void **)&get_list = dlsym(library, "C_GetFunctionList")) == NULL) {
		fprintf(stderr, "bench: %s\n", dlerror());
		exit(1);
	}
	must(get_list(&module->p11), "C_GetFunctionList");
	rv = module->p11->C_Initialize(&args);
	must(rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? CKR_OK : rv, "C_Initialize");
	must(module->p11->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
	for (CK_ULONG i = 0;; i++) {
		must(i == count ? CKR_TOKEN_NOT_PRESENT : CKR_OK, label);
		must(module->p11->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
		module->slot = slots[i];
		if (memcmp(info.label, label, strlen(label)) == 0)
			break;
	}
	/* Stays open: the login lasts for as long. */
	must(module->p11->C_OpenSession(module->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
	                                NULL, &session), "C_OpenSession");
	rv = module->p11->C_Login(session, CKU_USER, (unsigned char *)pin, strlen(pin));
	must(rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv, "C_Login");
}

static void
module_generate(struct module *module, CK_SESSION_HANDLE session)
{
	static unsigned char p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	CK_MECHANISM rsa = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM ec = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_BBOOL yes = CK_TRUE;
	CK_ULONG bits = 2048;
	CK_ATTRIBUTE rsa_public[] = {
		{ CKA_TOKEN, &yes, sizeof yes },   { CKA_MODULUS_BITS, &bits, sizeof bits },
		{ CKA_ENCRYPT, &yes, sizeof yes }, { CKA_VERIFY, &yes, sizeof yes } };
	CK_ATTRIBUTE rsa_private[] = {
		{ CKA_TOKEN, &yes, sizeof yes },   { CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_DECRYPT, &yes, sizeof yes }, { CKA_SIGN, &yes, sizeof yes } };
	CK_ATTRIBUTE ec_public[] = {
		{ CKA_TOKEN, &yes, sizeof yes }, { CKA_EC_PARAMS, p256, sizeof p256 },
		{ CKA_VERIFY, &yes, sizeof yes } };
	CK_ATTRIBUTE ec_private[] = {
		{ CKA_TOKEN, &yes, sizeof yes }, { CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_SIGN, &yes, sizeof yes } };

	must(module->p11->C_GenerateKeyPair(session, &rsa, rsa_public, 4, rsa_private, 4,
	                                    &module->rsa_public, &module->rsa_private),
	     "C_GenerateKeyPair (RSA)");
	must(module->p11->C_GenerateKeyPair(session, &ec, ec_public, 3, ec_private, 3,
	                                    &module->ec_public, &module->ec_private),
	     "C_GenerateKeyPair (EC)");
}

static CK_RV
module_once(const struct module *module, CK_SESSION_HANDLE session, enum operation operation)
{
	CK_MECHANISM rsa = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_MECHANISM ec = { CKM_ECDSA, NULL, 0 };
	CK_MECHANISM crypt = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	CK_FUNCTION_LIST *p11 = module->p11;
	unsigned char out[256];
	CK_ULONG size = sizeof out;
	CK_RV rv;

	switch (operation) {
	case ENCRYPT:
		rv = p11->C_EncryptInit(session, &crypt, module->rsa_public);
		return rv != CKR_OK ? rv : p11->C_Encrypt(session, message, 32, out, &size);
	case DECRYPT:
		rv = p11->C_DecryptInit(session, &crypt, module->rsa_private);
		return rv != CKR_OK ? rv
		                    : p11->C_Decrypt(session, (unsigned char *)module->ciphertext,
		                                     256, out, &size);
	case SIGN:
		rv = p11->C_SignInit(session, &rsa, module->rsa_private);
		return rv != CKR_OK ? rv : p11->C_Sign(session, message, 32, out, &size);
	case VERIFY_RSA:
		rv = p11->C_VerifyInit(session, &rsa, module->rsa_public);
		return rv != CKR_OK ? rv
		                    : p11->C_Verify(session, message, 32,
		                                    (unsigned char *)module->rsa_signature, 256);
	default:
		rv = p11->C_VerifyInit(session, &ec, module->ec_public);
		return rv != CKR_OK ? rv
		                    : p11->C_Verify(session, message, 32,
		                                    (unsigned char *)module->ec_signature, 64);
	}
}

/* Keys, and something to verify and to decrypt. */
static void
module_prepare(struct module *module)
{
	CK_MECHANISM rsa = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_MECHANISM ec = { CKM_ECDSA, NULL, 0 };
	CK_MECHANISM crypt = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	CK_FUNCTION_LIST *p11 = module->p11;
	CK_SESSION_HANDLE session;
	CK_ULONG size = 256;

	must(p11->C_OpenSession(module->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
	                        &session), "C_OpenSession");
	module_generate(module, session);
	must(p11->C_SignInit(session, &rsa, module->rsa_private), "C_SignInit");
	must(p11->C_Sign(session, message, 32, module->rsa_signature, &size), "C_Sign");
	size = 64;
	must(p11->C_SignInit(session, &ec, module->ec_private), "C_SignInit (EC)");
	must(p11->C_Sign(session, message, 32, module->ec_signature, &size), "C_Sign (EC)");
	size = 256;
	must(p11->C_EncryptInit(session, &crypt, module->rsa_public), "C_EncryptInit");
	must(p11->C_Encrypt(session, message, 32, module->ciphertext, &size), "C_Encrypt");
	must(p11->C_CloseSession(session), "C_CloseSession");
}

/* A context set up once, as good practice has it; the caller's own. */
static EVP_PKEY_CTX *
raw_context(const struct raw *raw, enum operation operation)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(operation == VERIFY_EC ? raw->ec : raw->rsa, NULL);
	bool good = context != NULL;

	switch (operation) {
	case ENCRYPT:
		good = good && EVP_PKEY_encrypt_init(context) == 1 &&
		       EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1;
		break;
	case DECRYPT:
		good = good && EVP_PKEY_decrypt_init(context) == 1 &&
		       EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1;
		break;
	case SIGN:
		good = good && EVP_PKEY_sign_init(context) == 1 &&
		       EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1;
		break;
	case VERIFY_RSA:
		good = good && EVP_PKEY_verify_init(context) == 1 &&
		       EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1;
		break;
	default:
		good = good && EVP_PKEY_verify_init(context) == 1;
	}
	must_ssl(good, "setting a context up");
	return context;
}

static bool
raw_once(const struct raw *raw, EVP_PKEY_CTX *context, enum operation operation)
{
	unsigned char out[256], digest[32];
	size_t size = sizeof out;

	switch (operation) {
	case ENCRYPT:
		return EVP_PKEY_encrypt(context, out, &size, message, 32) == 1;
	case DECRYPT:
		return EVP_PKEY_decrypt(context, out, &size, raw->ciphertext, 256) == 1;
	case SIGN:
		return EVP_Digest(message, 32, digest, NULL, EVP_sha256(), NULL) == 1 &&
		       EVP_PKEY_sign(context, out, &size, digest, 32) == 1;
	case VERIFY_RSA:
		return EVP_Digest(message, 32, digest, NULL, EVP_sha256(), NULL) == 1 &&
		       EVP_PKEY_verify(context, raw->rsa_signature, 256, digest, 32) == 1;
	default:
		return EVP_PKEY_verify(context, raw->ec_signature, raw->ec_size, message, 32) == 1;
	}
}

static void
raw_prepare(struct raw *raw)
{
	EVP_PKEY_CTX *context;
	unsigned char digest[32];
	size_t size = 256;

	raw->rsa = EVP_RSA_gen(2048);
	raw->ec = EVP_EC_gen("P-256");
	must_ssl(raw->rsa != NULL && raw->ec != NULL, "making keys");
	context = raw_context(raw, SIGN);
	must_ssl(EVP_Digest(message, 32, digest, NULL, EVP_sha256(), NULL) == 1 &&
	         EVP_PKEY_sign(context, raw->rsa_signature, &size, digest, 32) == 1, "signing");
	EVP_PKEY_CTX_free(context);
	context = raw_context(raw, ENCRYPT);
	must_ssl(EVP_PKEY_encrypt(context, raw->ciphertext, &size, message, 32) == 1, "encrypting");
	EVP_PKEY_CTX_free(context);
	context = EVP_PKEY_CTX_new(raw->ec, NULL);
	raw->ec_size = sizeof raw->ec_signature;
	must_ssl(context != NULL && EVP_PKEY_sign_init(context) == 1 &&
	         EVP_PKEY_sign(context, raw->ec_signature, &raw->ec_size, message, 32) == 1,
	         "signing (EC)");
	EVP_PKEY_CTX_free(context);
}

static void *
work(void *argument)
{
	struct job *job = argument;
	EVP_PKEY_CTX *context = NULL;
	CK_SESSION_HANDLE session = CK_INVALID_HANDLE;

	if (job->module != NULL)
		must(job->module->p11->C_OpenSession(job->module->slot, CKF_SERIAL_SESSION, NULL,
		                                     NULL, &session), "C_OpenSession");
	else
		context = raw_context(job->raw, job->operation);
	pthread_barrier_wait(job->barrier);
	while (!*job->stop) {
		if (job->module != NULL)
			must(module_once(job->module, session, job->operation),
			     names[job->operation]);
		else
			must_ssl(raw_once(job->raw, context, job->operation),
			         names[job->operation]);
		job->done++;
	}
	if (job->module != NULL)
		must(job->module->p11->C_CloseSession(session), "C_CloseSession");
	EVP_PKEY_CTX_free(context);
	return NULL;
}

/* Operations a second. */
static double
measure(const struct module *module, const struct raw *raw, enum operation operation,
        unsigned threads, double seconds)
{
	struct timespec pause = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
	pthread_barrier_t barrier;
	pthread_t thread[THREADS];
	struct job jobs[THREADS];
	atomic_bool stop = false;
	unsigned long done = 0;
	double start, took;

	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++) {
		jobs[i] = (struct job) { module, raw, operation, &barrier, &stop, 0 };
		if (pthread_create(&thread[i], NULL, work, &jobs[i]) != 0)
			exit(1);
	}
	pthread_barrier_wait(&barrier);
	start = now();
	nanosleep(&pause, NULL);
	stop = true;
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		done += jobs[i].done;
	}
	took = now() - start;
	pthread_barrier_destroy(&barrier);
	return (double)done / took;
}

int
main(int argc, char **argv)
{
	static struct module ours, hsm;
	static struct raw raw;
	const char *text = getenv("P11_KMS_BENCH_SECONDS");
	double seconds = text != NULL ? strtod(text, NULL) : 1.0;
	double own, openssl, direct;

	if (argc != 6) {
		fprintf(stderr, "usage: bench P11-KMS.so TOKEN HSM-MODULE.so TOKEN PIN\n");
		return 2;
	}
	module_open(argv[1], argv[2], argv[5], &ours);
	module_open(argv[3], argv[4], argv[5], &hsm);
	module_prepare(&ours);
	module_prepare(&hsm);
	raw_prepare(&raw);
	printf("%-22s %7s %9s %9s %9s %9s %9s\n", "operations a second", "threads", "p11-kms",
	       "OpenSSL", "HSM", "/OpenSSL", "/HSM");
	for (int operation = 0; operation < OPERATIONS; operation++) {
		for (unsigned threads = 1; threads <= THREADS; threads++) {
			own = measure(&ours, NULL, (enum operation)operation, threads, seconds);
			openssl = measure(NULL, &raw, (enum operation)operation, threads, seconds);
			direct = measure(&hsm, NULL, (enum operation)operation, threads, seconds);
			printf("%-22s %7u %9.0f %9.0f %9.0f %9.2f %9.2f\n",
			       names[operation], threads, own, openssl, direct,
			       own / openssl, own / direct);
		}
	}
	return 0;
}
