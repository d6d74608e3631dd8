#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A writer killed at each of its writes to the registry, and at each flush: readers without any
# right to write go on reading, and the next refresh finds everything in order.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need strace pkcs11-tool openssl sqlite3
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

# killed_at CALL NTH NUMBER: true when creating new-NUMBER, whose CKA_ID is NUMBER as well, died
# at its NTH CALL.
killed_at() {
	status=0
	strace -f -qq -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" -o trace \
		"$p11_kms" create "new-$3" --algorithm p-256 --id "$(printf '%08x' "$3")" \
		>killed.out 2>&1 || status=$?
	[ "$status" -eq 0 ] || [ "$status" -ge 128 ] || {
		cat killed.out
		fail "new-$3: neither done nor killed, status $status"
	}
	[ "$status" -ne 0 ]
}

# SQLite writes with pwrite64; SoftHSM2, whose files are no concern here, does not.
number=1
kills=0
for call in pwrite64 fdatasync,fsync; do
	nth=1
	while killed_at "$call" $nth $number; do
		kills=$((kills + 1))
		reader_reads "after a kill at $call $nth"
		nth=$((nth + 1))
		number=$((number + 1))
		[ $nth -lt 200 ] || fail "a command with 200 calls of $call?"
	done
	step "$call: killed $((nth - 1)) times, then it went through"
	number=$((number + 1))
	quietly "$p11_kms" refresh
	reader_reads "after a refresh"
	quietly "$p11_kms" verify
done
[ $kills -ge 4 ] || fail "killed only $kills times: does the trace see the writes?"

step "refresh finishes or undoes what is half done, once it is old enough to be no one's work"
sqlite3 "$hsm_folder/registry.db" "UPDATE intents SET since = since - 3600"
quietly "$p11_kms" refresh
[ "$(sqlite3 "$hsm_folder/registry.db" "SELECT count(*) FROM intents")" -eq 0 ] ||
	fail "intents are left"
quietly "$p11_kms" verify
reader_reads "after the last refresh"

step "what is listed after all that works"
"$p11_kms" list --json >list.json
found=0
i=1
openssl dgst -sha256 -binary list.json >digest
while [ $i -lt $number ]; do
	if grep -q "\"new-$i\"" list.json; then
		found=$((found + 1))
		quietly tool --sign --mechanism ECDSA --id "$(printf '%08x' $i)" \
			--input-file digest --output-file signature --signature-format openssl
		quietly "$p11_kms" export "new-$i" --out public
		quietly openssl pkeyutl -verify -pubin -inkey public -in digest -sigfile signature
	fi
	i=$((i + 1))
done
[ $found -ge 2 ] || fail "only $found keys came out of it"

step "every pair in the HSM is known to the registry ($found of $((number - 1)) were finished)"
pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" \
	--list-objects 2>/dev/null | sed -n 's/^ *ID: *//p' | sort -u >ids
while read -r id; do
	grep -q "\"$id\"" list.json || echo "$id"
done <ids >unknown
# The authority is the one that the list of keys does not have.
[ "$(wc -l <unknown)" -eq 1 ] || fail "pairs that nobody knows: $(tr '\n' ' ' <unknown)"
