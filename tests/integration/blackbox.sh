#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The black-box suite against p11-kms.so, with and without a pin-source, with
# legacy-decrypt, and without a KMS; and against SoftHSM2
# alone, which tells where the suite asks for more than SoftHSM2 does and never fails the run.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

suite=$build_folder/tests/integration/blackbox/blackbox
need_build "$suite"
make_token
export BLACKBOX_MODULE="$module" BLACKBOX_TOKEN="$token" BLACKBOX_PIN="$pin"

step "p11-kms.so logs in by itself (pin-source)"
"$suite" || fail "the suite, with a pin-source"
# Whoever runs some chapters only wants them once.
[ -z "${CK_RUN_SUITE:-}" ] || exit 0

step "p11-kms.so is logged in to by the application"
make_configuration --no-pin-source
"$suite" || fail "the suite, without a pin-source"

step "p11-kms.so decrypts what is padded as of old (legacy-decrypt)"
echo 'legacy-decrypt = yes' >>"$P11_KMS_CONFIG"
"$suite" || fail "the suite, with legacy-decrypt"

step "p11-kms.so without a KMS is write-protected"
printf 'a note\n' >"$work/note"
quietly tool --login --pin "$pin" --write-object "$work/note" --type data --label note
sed '/^kms/d' "$P11_KMS_CONFIG" >"$work/reader.conf"
P11_KMS_CONFIG=$work/reader.conf CK_RUN_SUITE=write-protected "$suite" ||
	fail "the suite, write-protected"

step "SoftHSM2 alone: differences, for information"
export BLACKBOX_MODULE="$hsm_module" BLACKBOX_TOKEN="$hsm_token"
"$suite" || echo "(SoftHSM2's, not p11-kms's)"
