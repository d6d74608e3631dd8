#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The mechanisms that a key's policy allows are the only ones it is used with.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need pkcs11-tool
make_token
cd "$work"
printf 'what is signed\n' >message

step "all of them, when the policy names none"
quietly "$p11_kms" create job --id 0a --algorithm rsa-2048
quietly tool --sign --id 0a --mechanism SHA256-RSA-PKCS --input-file message --output-file s
quietly tool --sign --id 0a --mechanism SHA512-RSA-PKCS --input-file message --output-file s

step "those that it names, at once"
quietly "$p11_kms" policy job --set mechanisms=SHA256-RSA-PKCS,RSA-PKCS-OAEP
quietly tool --sign --id 0a --mechanism SHA256-RSA-PKCS --input-file message --output-file s
expect_refusal CKR_MECHANISM_INVALID tool --sign --id 0a --mechanism SHA512-RSA-PKCS \
	--input-file message --output-file s
tool --list-objects --id 0a --type privkey >listed
grep -q 'Allowed mechanisms: RSA-PKCS-OAEP,SHA256-RSA-PKCS$' listed ||
	fail "CKA_ALLOWED_MECHANISMS says otherwise: $(cat listed)"

step "those that a template names, when the key is made"
generate() {
	tool --login --pin "$pin" --keypairgen --key-type EC:prime256v1 --usage-sign --label "$@"
}
quietly generate made --id 0b --allowed-mechanisms ECDSA-SHA256,ECDSA-SHA384
expect_match 'mechanisms  *ECDSA-SHA256' "$p11_kms" policy made
quietly tool --sign --id 0b --mechanism ECDSA-SHA256 --input-file message --output-file s
expect_refusal CKR_MECHANISM_INVALID tool --sign --id 0b --mechanism ECDSA-SHA512 \
	--input-file message --output-file s
# The key has one policy for all of its versions.
quietly generate made --id 0c --allowed-mechanisms ECDSA-SHA384,ECDSA-SHA256
expect_refusal CKR_TEMPLATE_INCONSISTENT generate made --allowed-mechanisms ECDSA-SHA512
expect_refusal CKR_TEMPLATE_INCONSISTENT generate job --allowed-mechanisms ECDSA-SHA512
quietly generate made --id 0d
tool --list-objects --id 0d --type privkey >listed
grep -q 'Allowed mechanisms: ECDSA-SHA256,ECDSA-SHA384$' listed || fail "the version: $(cat listed)"

step "all of them again"
quietly "$p11_kms" policy job --set mechanisms=all
quietly tool --sign --id 0a --mechanism SHA512-RSA-PKCS --input-file message --output-file s
