#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Several hosts with a registry each and one HSM, and a host whose registry was put back from a
# backup: nothing that any of them encrypts is lost.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need sqlite3 jq pkcs11-tool
make_token
cd "$work"
registry=$hsm_folder/registry.db
printf 'a data key' >plaintext

# encrypts COMMAND NAME FILE
encrypts() {
	quietly "$1" encrypt "$2" --in plaintext --out "$3"
}

# decrypts COMMAND NAME FILE
decrypts() {
	quietly "$1" decrypt "$2" --in "$3" --out decrypted
	cmp plaintext decrypted || fail "$3 decrypts wrongly"
}

# states COMMAND NAME: "3:active 2:deactivated ...", the highest number first.
states() {
	"$1" list --all --json | jq -r --arg name "$2" \
		'[.[] | select(.name == $name) | "\(.version):\(.state)"] | join(" ")'
}

# expect_states COMMAND NAME STATES
expect_states() {
	found_states=$(states "$1" "$2")
	[ "$found_states" = "$3" ] || fail "$2 is '$found_states', not '$3'"
}

step "a backup is put back: refresh destroys nothing, and rebuild brings all back"
quietly "$p11_kms" create kept --algorithm rsa-2048 --set keep-versions=3 --set destroy-after=1s
sqlite3 "$registry" ".backup backup.db"
quietly "$p11_kms" policy kept --set keep-versions=all
for version in 1 2 3 4 5 6; do
	encrypts "$p11_kms" kept "kept@$version.enc"
	[ "$version" = 6 ] || quietly "$p11_kms" rotate kept
done
rm -f "$registry" "$registry"-*
cp backup.db "$registry"
quietly "$p11_kms" verify --accept-restored
for _ in 1 2; do
	expect_refusal 'held back until .p11-kms rebuild. has run' "$p11_kms" refresh
	sleep 2
done
expect_refusal '"held": *5' "$p11_kms" refresh --json
expect_match 'policies of keys are those of the backup' "$p11_kms" rebuild
quietly "$p11_kms" policy kept --set keep-versions=all
expect_match ' 0 failed' "$p11_kms" refresh
for version in 1 2 3 4 5 6; do decrypts "$p11_kms" "kept@$version" "kept@$version.enc"; done
