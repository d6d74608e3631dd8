/* SPDX-License-Identifier: Apache-2.0 */
#include "kms-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct config_token kms_config;
struct kms *kms;
const unsigned char kms_id[KMS_ID_SIZE] = { 0x0a, 0x0b, 0x0c };
CK_FUNCTION_LIST softhsm_original;

struct deadline
soon(void)
{
	return deadline_in(5000);
}

void
write_pin(const char *pin)
{
	FILE *file;

	(void)unlink(softhsm_path("pin"));
	file = fopen(softhsm_path("pin"), "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "%s\n", pin);
	ck_assert_int_eq(fchmod(fileno(file), 0600), 0);
	ck_assert_int_eq(fclose(file), 0);
}

void
kms_setup(void)
{
	softhsm_start();
	softhsm_original = *softhsm_functions();
	write_pin(SOFTHSM_PIN);
	memset(&kms_config, 0, sizeof kms_config);
	kms_config.name = strdup("test");
	kms_config.kms = strdup(softhsm_uri(SOFTHSM_LABEL));
	kms_config.pin_source = strdup(softhsm_path("pin"));
	kms_config.keep_pin = true;
	ck_assert_uint_eq(kms_new(&kms_config, &kms), CKR_OK);
}

void
kms_teardown(void)
{
	kms_free(&kms);
	/* Also after a test whose program beside us has not done so. */
	*softhsm_functions() = softhsm_original;
	(void)softhsm_functions()->C_Finalize(NULL);
	free(kms_config.name);
	free(kms_config.kms);
	free(kms_config.pin_source);
}

void
kms_reopen(bool with_source)
{
	kms_free(&kms);
	free(kms_config.pin_source);
	kms_config.pin_source = with_source ? strdup(softhsm_path("pin")) : NULL;
	ck_assert_uint_eq(kms_new(&kms_config, &kms), CKR_OK);
}

struct kms *
kms_open_other(const char *label)
{
	static struct config_token config;
	static char uri[512];
	struct kms *other = NULL;

	config = kms_config;
	snprintf(uri, sizeof uri, "%s", softhsm_uri(label));
	config.kms = uri;
	ck_assert_uint_eq(kms_new(&config, &other), CKR_OK);
	return other;
}

CK_RV
kms_try_generate(const char *algorithm, struct buffer *ret_spki)
{
	struct kms_pair pair = {
		.algorithm = algorithm_by_name(algorithm),
		.id = kms_id,
		.id_size = KMS_ID_SIZE,
		.label = "unit@1",
		.sign = true,
	};

	pair.decrypt = pair.unwrap = pair.algorithm->key_type == CKK_RSA;
	pair.derive = pair.algorithm->key_type == CKK_EC ||
	              pair.algorithm->key_type == CKK_EC_MONTGOMERY;
	return kms_generate_pair(kms, &pair, soon(), ret_spki);
}

void
kms_generate(const char *algorithm)
{
	struct buffer spki = BUFFER_INIT;

	ck_assert_uint_eq(kms_try_generate(algorithm, &spki), CKR_OK);
	buffer_clear(&spki);
}

CK_RV
sign_p256(struct kms *with, struct kms_key *key)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	unsigned char digest[32] = { 1 }, signature[64];
	size_t size = sizeof signature;

	return kms_sign(with, key, &mechanism, digest, sizeof digest, soon(), signature, &size);
}

void
sign_within_2s(struct kms *with, struct kms_key *key)
{
	int64_t start = clock_monotonic_ms();

	while (sign_p256(with, key) != CKR_OK) {
		ck_assert_int_lt(clock_monotonic_ms() - start, 2000);
		usleep(10000);
	}
}
