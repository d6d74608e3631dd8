#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The registry is lost: it is made again from what the HSM holds, and all that was encrypted
# decrypts. Pairs that others made in the HSM are taken in.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need sqlite3 pkcs11-tool openssl
make_token
cd "$work"
registry=$hsm_folder/registry.db
authority=$hsm_folder/authority.pem

# lose FILE: with what SQLite keeps beside it.
lose() {
	rm -f "$1" "$1"-wal "$1"-shm
}

# decrypts FILE...: each ciphertext NAME@VERSION.enc gives its own name.
decrypts() {
	for file in "$@"; do
		version=$(basename "$file" .enc)
		quietly "$p11_kms" decrypt "$version" --in "$file" --out decrypted
		[ "$(cat decrypted)" = "$version" ] || fail "$file decrypts wrongly"
	done
}

# encrypt NAME VERSION: a ciphertext of the current version.
encrypt() {
	printf '%s' "$1@$2" >plaintext
	quietly "$p11_kms" encrypt "$1" --in plaintext --out "$1@$2.enc"
	grep -q "$1@$2" quiet.out || fail "$1@$2 was not the current version"
}

step "keys of several versions, one that only signs, and one with a difficult name"
for key in job-1 'a b@c'; do
	quietly "$p11_kms" create "$key" --algorithm rsa-2048
	encrypt "$key" 1
	quietly "$p11_kms" rotate "$key"
	encrypt "$key" 2
done
quietly "$p11_kms" rotate job-1
encrypt job-1 3
quietly "$p11_kms" create signer --algorithm p-256
quietly "$p11_kms" create seal --algorithm rsa-2048 --usage sign
sqlite3 "$registry" ".backup backup.db"
"$p11_kms" export job-1 --out before.pem

step "init does not begin a lost registry anew"
lose "$registry"
expect_refusal 'rebuild' "$p11_kms" init
[ ! -e "$registry" ] || fail "init made a registry all the same"

step "nor where its path is mistyped"
mv "$P11_KMS_CONFIG" kept.conf
sed 's/registry\.db/regsitry.db/' kept.conf >"$P11_KMS_CONFIG"
expect_refusal "regsitry.db: No such file.*correct \"registry\" in $P11_KMS_CONFIG, put a backup.*rebuild" \
	"$p11_kms" list
expect_refusal 'regsitry.db: No such file.*put a backup.*rebuild' "$p11_kms" verify --json
expect_refusal 'holds 7 pairs labelled NAME@VERSION.*rebuild' "$p11_kms" init
[ ! -e "$hsm_folder/regsitry.db" ] || fail "init made a registry all the same"
sed 's/authority\.pem/authroity.pem/' kept.conf >"$P11_KMS_CONFIG"
expect_refusal 'holds 1 authority of that name, and 7 pairs' "$p11_kms" init
mv kept.conf "$P11_KMS_CONFIG"

step "rebuild does, and with --dry-run only says so"
expect_match "would begin $registry anew" "$p11_kms" rebuild --dry-run
grep -q 'would be: 7 taken in, 0 known already' match.out || fail "dry run: $(cat match.out)"
grep -q 'states and policies of versions are not in the KMS' match.out || fail "no warning of what is lost"
[ ! -e "$registry" ] || fail "a dry run made a registry"
quietly "$p11_kms" rebuild --json
sed -n '/^p11-kms: states and policies .*compromised/p' quiet.out >warned
[ -s warned ] || fail "no warning of what is lost: $(cat quiet.out)"
lose "$registry"
expect_match '7 taken in, 0 known already, 0 failed' "$p11_kms" rebuild
grep -q 'states and policies .*compromised.*--all' match.out || fail "no warning of what is lost"
quietly "$p11_kms" verify
decrypts ./*.enc
for key in job-1:3 'a b@c:2'; do
	encrypt "${key%:*}" "${key##*:}"
done
tool --list-objects --type pubkey >listed
sed -n 's/^ *label: *\(job-1.*\)/\1/p' listed | tr '\n' ' ' >order
[ "$(cat order)" = 'job-1 job-1@2 job-1@1 ' ] || fail "the newest does not come first: $(cat order)"
"$p11_kms" export job-1 --out after.pem
cmp before.pem after.pem || fail "job-1 is another key than before"
expect_match 'usage +sign$' "$p11_kms" show seal
quietly "$p11_kms" rotate job-1
encrypt job-1 4

step "a second time there is nothing to do"
expect_match '0 taken in, 8 known already' "$p11_kms" rebuild
if grep -q 'states and policies' match.out; then fail "a warning of what was not done"; fi

step "with a backup put back, only what came after it"
lose "$registry"
cp backup.db "$registry"
expect_match '^warn +seen +a backup was put back' "$p11_kms" verify --accept-restored
grep -q 'rebuild. takes it in' match.out || fail "what becomes of the stray: $(cat match.out)"
expect_match '^warn +seen +a backup was put back' "$p11_kms" verify
expect_match 'would be: 1 taken in, 7 known already' "$p11_kms" rebuild --dry-run
expect_match 'took in job-1@4' "$p11_kms" rebuild
expect_match '^ok +seen ' "$p11_kms" verify
decrypts ./*.enc
encrypt job-1 4

step "one that was to be active later is so again, and the one before it goes on until then"
quietly "$p11_kms" create later --algorithm p-256
quietly "$p11_kms" rotate later
quietly "$p11_kms" rotate later --activate-at 2100-01-01
quietly "$p11_kms" create first --algorithm p-256 --activate-at 2100-01-01
sqlite3 "$registry" ".backup later.db"
lose "$registry"
expect_match '12 taken in, 0 known already, 0 failed' "$p11_kms" rebuild
for state in later@1:deactivated later@2:active later@3:pre-active first@1:pre-active; do
	expect_match "state +${state#*:}\$" "$p11_kms" show "${state%:*}"
done
lose "$registry"
mv later.db "$registry"
quietly "$p11_kms" verify --accept-restored
for version in later@1 later@2 later@3 first@1; do
	quietly "$p11_kms" destroy "$version" --yes
	quietly "$p11_kms" purge "$version" --yes
done

step "the authority's file is lost as well"
lose "$registry"
mv "$authority" lost.pem
quietly "$p11_kms" rebuild
cmp "$authority" lost.pem || fail "another authority"
decrypts ./*.enc

step "an HSM that holds two authorities of that name"
rm "$authority"
mv "$registry" kept.db
lose "$registry"
expect_refusal 'holds 1 authority of that name, and 8 pairs' "$p11_kms" init
quietly "$p11_kms" init --anew
rm "$authority"
lose "$registry"
expect_refusal 'holds 2 authorities' "$p11_kms" rebuild
mv kept.db "$registry"
cp lost.pem "$authority"
quietly "$p11_kms" verify --accept-restored

# hsm_pair ID TYPE LABEL [OPTION...]: a pair that another program makes in the HSM.
hsm_pair() {
	id=$1 type=$2 label=$3
	shift 3
	quietly pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" \
		--keypairgen --id "$id" --key-type "$type" --label "$label" --usage-sign --usage-decrypt "$@"
}

step "adopt: by label, and by id with a name"
hsm_pair a1 rsa:2048 foreign
hsm_pair a2 EC:prime256v1 'third party@7'
expect_match 'took in foreign@1, rsa-2048, id a1' "$p11_kms" adopt --label foreign
encrypt foreign 1
decrypts foreign@1.enc
expect_match 'took in third@1, p-256, id a2' "$p11_kms" adopt third --id a2

step "what is in already, or not there, or named wrongly"
expect_refusal 'already' "$p11_kms" adopt again --id a1
expect_refusal 'no private key with that id' "$p11_kms" adopt --id ffff
expect_refusal 'no private key with that label' "$p11_kms" adopt --label nobody
expect_refusal 'one of --id' "$p11_kms" adopt
expect_refusal 'one of --id' "$p11_kms" adopt --all --id a1
expect_refusal 'give no NAME' "$p11_kms" adopt name --all
expect_refusal 'does not' "$p11_kms" adopt name@1 --id a1
hsm_pair a3 rsa:2048 two
hsm_pair a4 rsa:2048 two
expect_refusal '2 private keys' "$p11_kms" adopt --label two
expect_refusal 'in use' "$p11_kms" adopt job-1 --id a3
expect_refusal 'in use|usage' "$p11_kms" adopt elliptic --id a3 --usage derive

step "a bad pair: weak, without a public half, with another's"
hsm_pair a5 rsa:1024 weak
expect_refusal 'not one to be trusted' "$p11_kms" adopt --id a5
hsm_pair a6 rsa:2048 half
hsm_pair a7 rsa:2048 other
hsm_tool() {
	quietly pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" "$@"
}
hsm_tool --read-object --type pubkey --id a7 --output-file other.der
for id in a6 a7; do hsm_tool --delete-object --type pubkey --id $id; done
expect_refusal 'no public half' "$p11_kms" adopt --id a7
hsm_tool --write-object other.der --type pubkey --id a6 --label half
expect_refusal 'did not prove itself' "$p11_kms" adopt --id a6

step "a key that wants a login before each use"
hsm_pair a8 rsa:2048 guarded --always-auth
expect_refusal 'login before each use.*CKA_ALWAYS_AUTHENTICATE' "$p11_kms" adopt --id a8
hsm_pair a9 EC:prime256v1 guarded-too --always-auth
expect_refusal 'CKA_ALWAYS_AUTHENTICATE' "$p11_kms" adopt --id a9
expect_refusal 'CKA_ALWAYS_AUTHENTICATE' "$p11_kms" adopt --id a9 --usage sign

step "all the others: what is good, and a count of what is not"
expect_fail "$p11_kms" adopt --all
grep -q 'took in two@1' refused.out || fail "no key two"
grep -q '1 taken in, [0-9]* known already, 6 failed' refused.out || fail "the count: $(cat refused.out)"
quietly "$p11_kms" verify

step "rebuild where the newest version is no good: the one before it is the current one"
for version in 1 2 3; do hsm_pair "b$version" rsa:2048 "late@$version"; done
hsm_tool --delete-object --type pubkey --id b3
expect_fail "$p11_kms" rebuild
grep -q 'late@3, id b3, is not taken in: the KMS has no public half' refused.out ||
	fail "late@3: $(cat refused.out)"
encrypt late 2
decrypts late@2.enc
expect_match 'deactivated' "$p11_kms" show late@1

step "what somebody hides in the index is not taken in again as if it were new"
quietly "$p11_kms" compromise late@2 --reason stolen
hidden=$(sqlite3 "$registry" "SELECT lower(hex(id)) FROM versions WHERE name = 'late' AND number = 2")
sqlite3 "$registry" "DELETE FROM versions WHERE name = 'late' AND number = 2"
expect_refusal 'late@2, id b2, is not taken in: it is in the registry.s log' "$p11_kms" rebuild
expect_refusal 'again@1, id b2, is not taken in: it is in the registry.s log' "$p11_kms" adopt again --id "$hidden"
expect_refusal 'no version 2' "$p11_kms" show late@2
expect_refusal 'late@2.*hidden from its index' "$p11_kms" verify --json
