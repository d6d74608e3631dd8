#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A registry that someone has changed: what is no longer signed is refused, with a line that
# says so, and what still is goes on working.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need sqlite3 openssl python3
make_token
cd "$work"
for key in job-1 job-2 job-3; do quietly "$p11_kms" create $key --algorithm rsa-2048; done
printf 'a data key' >plaintext
registry=$hsm_folder/registry.db
# With what is still in the write-ahead log.
sqlite3 "$registry" ".backup good.db"

sql() {
	sqlite3 -bail "$registry" "$@"
}

# encrypts KEY: and the ciphertext opens again.
encrypts() {
	quietly "$p11_kms" encrypt "$1" --in plaintext --out ciphertext
	quietly "$p11_kms" decrypt "$1" --in ciphertext --out decrypted
	cmp plaintext decrypted || fail "$1 decrypts wrongly"
}

# refuses KEY: neither encrypts nor tells a public key.
refuses() {
	expect_refusal 'regist|sign' "$p11_kms" encrypt "$1" --in plaintext --out refused
	expect_fail "$p11_kms" export "$1" --out refused
	expect_fail "$p11_kms" verify
	grep -q FAIL refused.out || fail "verify names no failure"
	[ ! -s refused ] || fail "something came out all the same"
}

back() {
	rm -f "$registry" "$registry"-*
	cp good.db "$registry"
}

# In all but the last steps the older registry is put back as an administrator does it.
again() {
	back
	quietly "$p11_kms" verify --accept-restored
}

step "all is well at first"
for key in job-1 job-2 job-3; do encrypts $key; done
quietly "$p11_kms" verify

# flip TABLE COLUMN WHERE: changes one bit in the middle of a BLOB.
flip() {
	hex=$(sql "SELECT hex($2) FROM $1 WHERE $3")
	[ -n "$hex" ] || fail "nothing to change in $1"
	bytes=$((${#hex} / 2))
	middle=$((bytes / 2 * 2))
	before=$(printf '%s' "$hex" | cut -c"1-$middle")
	byte=$(printf '%s' "$hex" | cut -c"$((middle + 1))-$((middle + 2))")
	after=$(printf '%s' "$hex" | cut -c"$((middle + 3))-")
	sql "UPDATE $1 SET $2 = x'$before$(printf '%02X' $((0x$byte ^ 1)))$after' WHERE $3"
}
job_2="sequence = (SELECT sequence FROM versions WHERE name = 'job-2')"

for column in payload signature; do
	step "one bit of the $column of job-2's entry"
	flip entries $column "$job_2"
	refuses job-2
	encrypts job-1
	encrypts job-3
	again
done

# status_is STATUS COMMAND...: its exit status; what it prints is in $work/said.out.
status_is() {
	wanted=$1 got=0
	shift
	"$@" >"$work/said.out" 2>"$work/said.err" || got=$?
	[ "$got" -eq "$wanted" ] || {
		cat "$work/said.out" "$work/said.err" >&2
		fail "exit status $got, not $wanted: $*"
	}
}

# Entries: the token's; then a key and its version, three times.
[ "$(sql 'SELECT count(*) FROM entries')" -eq 7 ] || fail "not the entries that are expected"
for entry in 2 3 4 5 6 7; do
	broken=job-$((entry / 2))
	step "one bit of entry $entry, of $broken: the others go on"
	flip entries payload "sequence = $entry"
	status_is 5 "$p11_kms" list
	[ "$(grep -cE '^job-[0-9] .* active ' "$work/said.out")" -eq 2 ] || fail "the others are not listed"
	grep -Eq "^$broken +refused" "$work/said.out" || fail "$broken is not listed as refused"
	status_is 5 "$p11_kms" list --json
	python3 -c 'import json, sys
states = {key["name"]: key["state"] for key in json.load(sys.stdin)}
sys.exit(states != {n: "refused" if n == sys.argv[1] else "active" for n in ("job-1", "job-2", "job-3")})
' $broken <"$work/said.out" || fail "list --json does not say which is refused"
	status_is 5 "$p11_kms" status
	grep -q '1 REFUSED' "$work/said.out" || fail "status does not count the refused one"
	status_is 7 "$p11_kms" verify
	grep -Eq "FAIL +keys +$broken" "$work/said.out" || fail "verify does not name $broken"
	for key in job-1 job-2 job-3; do
		[ $key = $broken ] || encrypts $key
	done
	case $entry in 3|5|7) refuses $broken;; esac
	# Nor does it stop others from being made, or the registry from staying fresh.
	quietly "$p11_kms" create job-4 --algorithm p-256
	"$p11_kms" refresh >refreshed 2>&1 || true
	encrypts job-$((entry / 2 % 3 + 1))
	again
done

step "one bit of the token's entry: encrypting goes on, and refresh mends the rest"
flip entries payload "sequence = 1"
quietly "$p11_kms" list
quietly "$p11_kms" encrypt job-1 --in plaintext --out ciphertext
expect_fail "$p11_kms" decrypt job-1 --in ciphertext --out decrypted
# That the log is not whole any more stays, and is told each time.
status_is 1 "$p11_kms" refresh
grep -q 'the log is not whole' "$work/said.err" || fail "refresh does not tell of the log"
encrypts job-1
again

step "the public key of job-2 replaced by another"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null |
	openssl pkey -pubout -outform DER -out foreign.der
foreign=$(openssl base64 -A -in foreign.der)
spki=$(sql "SELECT json_extract(CAST(payload AS TEXT), '\$.public_key') FROM entries WHERE $job_2")
[ -n "$spki" ] || fail "the payload has no public_key"
sql "UPDATE entries SET payload = CAST(replace(CAST(payload AS TEXT), '$spki', '$foreign') AS BLOB)
	WHERE $job_2"
[ "$(sql "SELECT count(*) FROM entries WHERE CAST(payload AS TEXT) LIKE '%$foreign%'")" -eq 1 ] ||
	fail "the key was not replaced"
refuses job-2
encrypts job-1
again

step "the index says that job-1's entry is job-2's"
sql "UPDATE versions SET sequence = (SELECT sequence FROM versions WHERE name = 'job-1')
	WHERE name = 'job-2'"
refuses job-2
encrypts job-1
again

step "the index gives job-2's version to another name"
sql "UPDATE versions SET name = 'job-9' WHERE name = 'job-2'"
expect_fail "$p11_kms" encrypt job-9 --in plaintext --out refused
encrypts job-1
again

step "an old version is called active again in the index"
quietly "$p11_kms" rotate job-2
sql "UPDATE versions SET state = 'active' WHERE name = 'job-2' AND number = 1"
sql "UPDATE versions SET state = 'deactivated' WHERE name = 'job-2' AND number = 2"
if "$p11_kms" encrypt job-2 --in plaintext --out ciphertext 2>used; then
	grep -q 'job-2@2' used || fail "encrypted with something else than job-2@2: $(cat used)"
fi
rm -f ciphertext
again

step "the head's hash, sequence, time"
for change in "hash = x'00'" 'sequence = sequence + 1' 'expires = expires + 1000000'; do
	sql "UPDATE head SET $change"
	expect_fail "$p11_kms" verify
	expect_fail "$p11_kms" encrypt job-1 --in plaintext --out refused
	again
done

step "the last entry cut off"
sql "DELETE FROM entries WHERE sequence = (SELECT max(sequence) FROM entries)"
expect_fail "$p11_kms" verify
again

step "another authority's registry in place of ours"
mkdir other
make_other() (
	hsm_folder=$work/other
	make_token
	quietly "$p11_kms" create job-1 --algorithm rsa-2048
)
make_other
rm -f "$registry" "$registry"-*
sqlite3 other/registry.db ".backup $registry"
expect_fail "$p11_kms" encrypt job-1 --in plaintext --out refused
expect_fail "$p11_kms" verify
again

step "not a registry at all"
for content in '' 'this is not a database, but a text that is longer than a header'; do
	rm -f "$registry" "$registry"-*
	printf '%s' "$content" >"$registry"
	expect_fail "$p11_kms" encrypt job-1 --in plaintext --out refused
	expect_fail "$p11_kms" verify
done
again

step "the old registry put back (a rollback)"
quietly "$p11_kms" rotate job-1
back
expect_refusal 'older|roll|sequence|seen' "$p11_kms" encrypt job-1 --in plaintext --out refused
grep -q "$registry: is older .*p11-kms verify --accept-restored" refused.out ||
	fail "does not say which file, and what to do"
[ "$(grep -c 'is older' refused.out)" -eq 1 ] || fail "says it more than once"
[ ! -s refused ] || fail "something came out all the same"
for command in 'export job-1' 'decrypt job-1 --in ciphertext' list 'rotate job-1' refresh; do
	# shellcheck disable=SC2086 # words
	expect_refusal 'is older' "$p11_kms" $command
done
expect_refusal '^FAIL +seen +.*is older' "$p11_kms" verify
cmp good.db "$registry" || fail "the registry that was turned back was changed"

step "a backup put back on purpose is accepted, and what was is forgotten"
expect_match '^ok +seen +accepted' "$p11_kms" verify --accept-restored
if grep -q 'run.* p11-kms verify --accept-restored' match.out; then fail "told to do what was done"; fi
encrypts job-1

step "but not one that is broken"
quietly "$p11_kms" rotate job-1
back
flip entries signature "$job_2"
expect_refusal 'not accepted' "$p11_kms" verify --accept-restored
expect_refusal 'is older' "$p11_kms" encrypt job-1 --in plaintext --out refused
again

# put FILE: in the registry's place.
put() {
	rm -f "$registry" "$registry"-*
	cp "$1" "$registry"
}

# From one beginning, three ends: two of one length, and a longer one.
step "another history of the same length, or longer"
for end in one two longer; do
	again
	quietly "$p11_kms" rotate job-1
	[ $end != longer ] || quietly "$p11_kms" rotate job-2
	sqlite3 "$registry" ".backup $end.db"
done
put one.db
quietly "$p11_kms" verify --accept-restored
for end in two longer; do
	put $end.db
	expect_refusal 'is another log' "$p11_kms" encrypt job-1 --in plaintext --out refused
done
put one.db
encrypts job-1

step "a version that was restored is not purged because its index row is of before"
again
# Some pairs of the histories above have one name: they are not all taken in.
"$p11_kms" rebuild >out 2>&1 || [ $? -eq 1 ] || fail "rebuild: $(cat out)"
quietly "$p11_kms" policy job-1 --set destroy-after=8s
quietly "$p11_kms" rotate job-1
quietly "$p11_kms" destroy job-1@1 --yes
quietly "$p11_kms" restore job-1@1
sqlite3 "$registry" "UPDATE versions SET state = 'destroy-pending', sequence = (SELECT max(sequence)
	FROM entries WHERE instr(CAST(payload AS TEXT), 'destroy-pending')) WHERE name = 'job-1' AND number = 1"
sleep 9
"$p11_kms" refresh >out 2>&1 || :
grep -q 'nothing is destroyed for good' out || fail "refresh did not refuse: $(cat out)"
pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" --list-objects \
	--type privkey 2>/dev/null | grep -q 'label: *job-1@1$' || fail "the private half is gone"
