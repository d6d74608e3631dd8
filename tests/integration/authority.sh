#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The authority is replaced: hosts that pin the old one follow, running programs too; what an
# interrupted rotation leaves is removed; a rebuilt registry hands over again.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need sqlite3 pkcs11-tool openssl
make_token
cd "$work"
registry=$hsm_folder/registry.db
authority=$hsm_folder/authority.pem

fingerprint() { # pinned | current
	"$p11_kms" authority show | sed -n "s/^$1 *//p"
}

# decrypts FILE VERSION
decrypts() {
	quietly "$p11_kms" decrypt "$2" --in "$1" --out decrypted
	[ "$(cat decrypted)" = "secret" ] || fail "$1 decrypts wrongly"
}

hsm_tool() {
	pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" "$@" 2>/dev/null
}

authorities_in_hsm() {
	hsm_tool --list-objects --type privkey | grep -c 'label: *p11-kms authority' || true
}

printf secret >plaintext
cp "$authority" first.pem

step "one authority: the pinned one is the current one"
quietly "$p11_kms" create job-1 --algorithm rsa-2048
quietly "$p11_kms" encrypt job-1 --in plaintext --out before.enc
first=$(fingerprint pinned)
[ "$first" = "$(fingerprint current)" ] || fail "two authorities"
expect_refusal 'show, rotate, pin or purge' "$p11_kms" authority look
expect_match 'nothing to do' "$p11_kms" authority pin
expect_match '0 removed' "$p11_kms" authority purge
sqlite3 "$registry" ".backup older.db"

step "rotate, twice: this host still pins the first, and goes on"
for number in 2 3; do
	expect_match 'now signed by SHA256:' "$p11_kms" authority rotate
	grep -q 'Next: .p11-kms authority pin. on each host' match.out || fail "not said what comes next"
	quietly "$p11_kms" verify
	quietly "$p11_kms" rotate job-1
	quietly "$p11_kms" refresh
	quietly "$p11_kms" encrypt job-1 --in plaintext --out "after-$number.enc"
	decrypts before.enc job-1@1
	decrypts "after-$number.enc" "job-1@$number"
done
[ "$(fingerprint pinned)" = "$first" ] || fail "the pinned file has changed"
[ "$(fingerprint current)" != "$first" ] || fail "the authority has not changed"
cmp "$authority" first.pem || fail "the pinned file has changed"
[ "$(authorities_in_hsm)" = 3 ] || fail "the HSM does not hold three authorities"
"$p11_kms" authority show --json >show.json
grep -q '"handovers": 2' show.json || fail "not two hand-overs"
[ "$(grep -c '"fingerprint"' show.json)" = 3 ] || fail "not three authorities"
expect_match '^current +SHA256:' "$p11_kms" authority show
expect_match 'nothing to do' "$p11_kms" init
expect_match 'no pair without a version' "$p11_kms" verify
expect_match '0 taken in, 3 known already' "$p11_kms" rebuild
expect_match '0 taken in' "$p11_kms" adopt --all

step "an older registry, of before, is refused and can't be accepted"
sqlite3 "$registry" ".backup newest.db"
cp older.db replacement.db && mv replacement.db "$registry" && rm -f "$registry"-wal "$registry"-shm
expect_refusal 'turned back' "$p11_kms" encrypt job-1 --in plaintext --out no.enc
expect_refusal 'authority was replaced' "$p11_kms" verify --accept-restored
cp newest.db replacement.db && mv replacement.db "$registry" && rm -f "$registry"-wal "$registry"-shm
quietly "$p11_kms" verify

step "another one than the expected is not pinned"
expect_refusal 'nothing was changed' "$p11_kms" authority pin "$(fingerprint pinned)"
expect_refusal 'goes with pin only' "$p11_kms" authority show "$(fingerprint pinned)"
cmp "$authority" first.pem || fail "the pinned file has changed"

step "a host that pins the newest reads all, and what it has seen counts on"
expect_match '^pinned SHA256:' "$p11_kms" authority pin "$(fingerprint current)"
cmp -s "$authority" first.pem && fail "the pinned file has not changed"
[ "$(fingerprint pinned)" = "$(fingerprint current)" ] || fail "the newest is not pinned"
quietly "$p11_kms" verify
decrypts before.enc job-1@1
decrypts after-2.enc job-1@2
cp older.db replacement.db && mv replacement.db "$registry" && rm -f "$registry"-wal "$registry"-shm
expect_fail "$p11_kms" encrypt job-1 --in plaintext --out no.enc
cp newest.db replacement.db && mv replacement.db "$registry" && rm -f "$registry"-wal "$registry"-shm
quietly "$p11_kms" refresh
newest=$(fingerprint current)
cp "$authority" newest.pem

step "what an interrupted rotation leaves is removed by refresh, and only that"
hsm_tool --keypairgen --id c0ffee --key-type EC:prime256v1 --label "p11-kms authority $token@4" \
	--usage-sign >/dev/null || fail "no pair made"
current_id=$("$p11_kms" authority show | sed -n 's/^  id *//p' | tail -1)
sqlite3 "$registry" "INSERT INTO intents VALUES (x'c0ffee', '', 4, 1000), (x'$current_id', '', 3, 1000),
	(x'dead', '', 5, 1000)"
expect_match 'interrupted creations wait' "$p11_kms" verify
quietly "$p11_kms" refresh --dry-run
[ "$(authorities_in_hsm)" = 4 ] || fail "a dry run removed something"
quietly "$p11_kms" refresh
[ "$(authorities_in_hsm)" = 3 ] || fail "not the one pair that was left was removed"
[ "$(sqlite3 "$registry" 'SELECT count(*) FROM intents')" = 0 ] || fail "intents are left"
quietly "$p11_kms" rotate job-1
quietly "$p11_kms" verify

step "the registry is lost: rebuilt with the first pinned, it hands over again"
cp first.pem "$authority"
rm -f "$registry" "$registry"-wal "$registry"-shm
expect_match '4 taken in' "$p11_kms" rebuild
[ "$(fingerprint current)" = "$newest" ] || fail "not handed over to the newest"
quietly "$p11_kms" verify
decrypts before.enc job-1@1
cp newest.pem "$authority"
quietly "$p11_kms" verify
decrypts after-3.enc job-1@3

step "the pinned file is lost as well"
rm -f "$registry" "$registry"-wal "$registry"-shm "$authority"
quietly "$p11_kms" rebuild
cmp "$authority" first.pem || fail "another one than the first is pinned"
[ "$(fingerprint current)" = "$newest" ] || fail "not handed over to the newest"
quietly "$p11_kms" verify

step "purge leaves what is pinned here: without it a lost registry can't be rebuilt"
expect_refusal 'authority.pem still pins a former authority.*authority pin. first' \
	"$p11_kms" authority purge --yes
[ "$(authorities_in_hsm)" = 3 ] || fail "an authority is gone that is pinned here"

step "purge removes the former ones, and all goes on"
quietly "$p11_kms" authority pin
expect_refusal 'give --yes' "$p11_kms" authority purge </dev/null
[ "$(authorities_in_hsm)" = 3 ] || fail "purge did not ask"
expect_match '2 removed' "$p11_kms" authority purge --yes
[ "$(authorities_in_hsm)" = 1 ] || fail "the former authorities are still there"
quietly "$p11_kms" verify
quietly "$p11_kms" rotate job-1
expect_match 'nothing to do' "$p11_kms" init
expect_match '0 removed' "$p11_kms" authority purge --yes
quietly "$p11_kms" authority rotate
quietly "$p11_kms" verify
decrypts before.enc job-1@1

step "the registry is lost, and a purged authority is pinned: rebuild says what to do"
quietly "$p11_kms" authority pin
quietly "$p11_kms" authority purge --yes
cp "$authority" last.pem
cp first.pem "$authority"
rm -f "$registry" "$registry"-wal "$registry"-shm
for how in --dry-run ''; do
	# shellcheck disable=SC2086 # an option or none
	expect_refusal 'move this file away and run p11-kms rebuild' "$p11_kms" rebuild $how
done
rm "$authority"
quietly "$p11_kms" rebuild --dry-run
for file in "$authority" "$registry"; do
	[ ! -e "$file" ] || fail "the dry run wrote $file"
done
quietly "$p11_kms" rebuild
cmp "$authority" last.pem || fail "another authority is pinned"
decrypts before.enc job-1@1
