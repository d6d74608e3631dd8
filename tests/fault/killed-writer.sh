#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A writer killed at each of its writes to the registry, and at each flush: readers without any
# right to write go on reading, and the next refresh finds everything in order.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need strace pkcs11-tool
make_token
give_to_nobody
quietly "$p11_kms" create job-1 --algorithm p-256
cd "$work"

# The reader's own configuration: same registry, no KMS, no PIN.
mkdir reader
sed '/^kms/d; /^pin-source/d' "$P11_KMS_CONFIG" >reader/p11-kms.conf
chmod -R go+rX reader
chmod 711 "$hsm_folder"
chmod 644 "$hsm_folder/authority.pem"

# reader_reads WHEN: nobody finds job-1, in a program that starts now.
reader_reads() {
	P11_KMS_CONFIG=$work/reader/p11-kms.conf as_nobody pkcs11-tool \
		--module "$nobodys_module" --list-objects --type pubkey >objects 2>reader.log || {
		cat reader.log
		fail "a reader, $1"
	}
	grep -q 'label: *job-1$' objects || {
		cat objects reader.log
		fail "a reader does not see job-1, $1"
	}
}

number=1
kills=0
# killed_at CALL N COMMAND...: true when the command did die at its Nth CALL.
killed_at() {
	call=$1 nth=$2
	shift 2
	status=0
	strace -f -qq -e "trace=$call" -e "inject=$call:signal=KILL:when=$nth" -o trace "$@" \
		>killed.out 2>&1 || status=$?
	[ "$status" -ge 128 ]
}

# SQLite writes with pwrite64; SoftHSM2, whose files are no concern here, does not.
for call in pwrite64 fdatasync,fsync; do
	nth=1
	while killed_at "$call" $nth "$p11_kms" create "new-$number" --algorithm p-256; do
		kills=$((kills + 1))
		reader_reads "after a kill at $call $nth"
		nth=$((nth + 1))
		number=$((number + 1))
		[ $nth -lt 60 ] || fail "a command with 60 calls of $call?"
	done
	step "$call: killed $((nth - 1)) times, then it went through"
	number=$((number + 1))
	quietly "$p11_kms" refresh
	reader_reads "after a refresh"
	quietly "$p11_kms" verify
done
[ $kills -ge 4 ] || fail "killed only $kills times: does the trace see the writes?"

step "what is listed after all that works"
quietly "$p11_kms" list --json
"$p11_kms" list --json >list.json
found=0
i=1
printf '0123456789abcdef0123456789abcdef' >digest
while [ $i -lt $number ]; do
	if grep -q "\"new-$i\"" list.json; then
		found=$((found + 1))
		quietly tool --sign --mechanism ECDSA --label "new-$i" --input-file digest \
			--output-file signature --signature-format openssl
		quietly "$p11_kms" export "new-$i" --out public
		quietly openssl pkeyutl -verify -pubin -inkey public -in digest -sigfile signature
	fi
	i=$((i + 1))
done
echo "$found of $((number - 1)) were finished; none is half there"

step "no pair is left in the HSM that the registry does not know"
"$p11_kms" list --all --json >list.json
pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" \
	--list-objects --type privkey 2>/dev/null | sed -n 's/^ *ID: *//p' | sort >ids
while read -r id; do
	grep -q "$id" list.json || echo "$id"
done <ids >unknown
# The authority itself is not in the list.
[ "$(wc -l <unknown)" -le 1 ] || fail "pairs that nobody knows: $(tr '\n' ' ' <unknown)"
