#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A KMIP server that answers as no server should: each time a clear error, within the
# deadline, with nothing leaked, and all is well again when it behaves.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"
# shellcheck source=tests/kmip/lib.sh
. "$source_folder/tests/kmip/lib.sh"
kmip_need

deadline_ms=2000
slack_ms=500
# In a build with sanitizers a report, or a leak, is not taken for a refusal.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}exitcode=125"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}exitcode=125"
scripted_start kms
kmip_configuration "localhost:$kmip_port" "deadline = ${deadline_ms}ms"
quietly "$p11_kms" init
quietly "$p11_kms" create job-42 --id 2a --algorithm rsa-2048
echo secret >"$work/plain"
quietly "$p11_kms" encrypt job-42 --in "$work/plain" --out "$work/cipher"

# survives PATTERN FAULT OPERATION COMMAND...: the command fails, says why, and in time.
survives() {
	pattern=$1 fault=$2 operation=$3
	shift 3
	scripted_fault kms "$fault" "$operation"
	began=$(now_ms)
	expect_refusal "$pattern" "$p11_kms" "$@"
	took=$(($(now_ms) - began))
	# Making a pair may take the server long, and has a deadline of its own.
	case $1 in create | rotate) most=30000 ;; *) most=$((deadline_ms + slack_ms)) ;; esac
	[ "$took" -lt $most ] || fail "$fault at $operation took $took ms"
	echo "  $fault at $operation: $took ms: $(grep -Eo -- "$pattern" "$work/refused.out" | head -n 1)"
	scripted_fault kms
}

decrypt="decrypt job-42 --in $work/cipher --out $work/never"

step "answers that are not KMIP"
for fault in garbage http huge oversized deep empty padded mute other-operation two-items \
	other-count other-item; do
	# shellcheck disable=SC2086  # words
	survives 'not KMIP, or too long|not valid KMIP' $fault Decrypt $decrypt
done

step "answers that do not come"
# shellcheck disable=SC2086
for fault in stall drip endless; do
	survives 'no (whole )?answer within the deadline' $fault Decrypt $decrypt
done
# shellcheck disable=SC2086
for fault in cut close reset; do
	survives 'ended the connection|reset by peer|unexpected eof' $fault Decrypt $decrypt
done
# shellcheck disable=SC2086
survives 'no answer within the deadline' stall accept $decrypt

step "answers that say nothing, or too much"
# shellcheck disable=SC2086
for fault in failing unmotivated pending; do
	survives 'did not decrypt: ' $fault Decrypt $decrypt
done
# shellcheck disable=SC2086
survives 'refuses to decrypt: Permission Denied' terminal Decrypt $decrypt
! grep -q "$(printf '\033')" "$work/refused.out" || fail "control characters in the log"
# shellcheck disable=SC2086
for fault in long-identifier no-payload; do
	survives 'could not decrypt' $fault Locate $decrypt
done
# shellcheck disable=SC2086
survives 'could not decrypt' no-payload GetAttributes $decrypt

step "more answers than questions: the surplus is not taken for the next one"
# shellcheck disable=SC2086
survives 'it sends what was not asked for' surplus Locate $decrypt

step "links in a circle, and a list that always has one more page"
# shellcheck disable=SC2086
survives 'could not decrypt' circle GetAttributes $decrypt
# shellcheck disable=SC2086
survives 'could not decrypt' one-more-page Locate $decrypt

step "answers about another object"
# shellcheck disable=SC2086
for operation in Decrypt GetAttributes; do
	survives "the answer to (Decrypt|Get Attributes) is about another object" other-object \
		$operation $decrypt
done
for operation in Get Activate; do
	survives "the answer to $operation is about another object" other-object $operation \
		create "other-$operation"
done
survives "the answer to Sign is about another object" other-object Sign rotate job-42

step "wrong answers"
error='p11-kms: (error|could not).*'
for fault in bad-signature long-signature no-payload; do
	survives "$error" $fault Sign rotate job-42
done
for fault in private-object bad-key other-key no-payload; do
	survives "$error" $fault Get create "new-$fault"
done
survives "$error" no-payload CreateKeyPair create other
survives 'what it names as a public key is none' swapped CreateKeyPair create swapped
survives 'the answer to Create Key Pair is not valid KMIP' private-twice CreateKeyPair create twice
for operation in DiscoverVersions Locate GetAttributes CreateKeyPair Get Sign; do
	survives 'not KMIP, or too long' garbage $operation create "garbage-$operation"
done
for operation in DiscoverVersions Locate CreateKeyPair Get Sign; do
	survives "$error" failing $operation create "failing-$operation"
done
survives 'FAIL +kms' garbage Query verify
scripted_fault kms failing Query
expect_match 'does not tell its vendor, nor its operations .General Failure: out of order.' \
	"$p11_kms" verify --json
scripted_fault kms
quietly "$p11_kms" create short-lived --algorithm rsa-2048
quietly "$p11_kms" destroy short-lived@1 --yes
survives 'says that it destroys .*, and does not' idle Destroy purge short-lived@1 --yes

step "nothing was written, and the server is well again"
[ ! -s "$work/never" ] || fail "something was decrypted"
"$p11_kms" decrypt job-42 --in "$work/cipher" | cmp - "$work/plain" || fail "not well again"
quietly "$p11_kms" rotate job-42
expect_match ', 0 failed' "$p11_kms" refresh
quietly "$p11_kms" verify

step "the server has never sent a private key, nor been asked for one"
! grep -E '^Get 1\.[0-9] private' "$work/kms/requests" || fail "a private key was asked for"
