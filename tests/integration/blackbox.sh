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

step "two tokens of p11-kms.so know of each other's secret values"
{
	cat "$P11_KMS_CONFIG"
	sed -e 's/^\[token .*/[token beside]/' -e '/^kms/d' "$P11_KMS_CONFIG"
} >"$work/two.conf"
P11_KMS_CONFIG=$work/two.conf CK_RUN_SUITE=role-memory "$suite" || fail "the suite, with two tokens"

step "p11-kms.so without a KMS is write-protected"
printf 'a note\n' >"$work/note"
quietly tool --login --pin "$pin" --write-object "$work/note" --type data --label note
sed '/^kms/d' "$P11_KMS_CONFIG" >"$work/reader.conf"
P11_KMS_CONFIG=$work/reader.conf CK_RUN_SUITE=write-protected "$suite" ||
	fail "the suite, write-protected"

step "SoftHSM2 alone: differences, for information"
export BLACKBOX_MODULE="$hsm_module" BLACKBOX_TOKEN="$hsm_token"
"$suite" >"$work/softhsm2.out" 2>&1 || :
grep '^[0-9]*%: Checks' "$work/softhsm2.out" | sed -n 2p
# FILE:LINE:F:CASE:TEST:NUMBER: what failed. Which tests, how often, and why.
awk -F: -v reasons="$source_folder/tests/integration/blackbox/softhsm2.differences" '
	BEGIN {
		while ((getline line <reasons) > 0)
			if (match(line, /^[a-z0-9_]+: /))
				why[substr(line, 1, RLENGTH - 2)] = substr(line, RLENGTH + 1)
	}
	$3 == "F" || $3 == "E" { failed[$5]++ }
	END {
		for (test in failed)
			printf "difference: %s (%d): %s\n", test, failed[test],
				test in why ? why[test] : "not looked into yet"
	}' "$work/softhsm2.out" | sort
