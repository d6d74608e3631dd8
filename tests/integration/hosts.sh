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

# p11_kms_b: the command on another host, whose registry is a copy of this one's, made by make_host_b.
make_host_b() {
	mkdir b
	sqlite3 "$registry" ".backup b/registry.db"
	sed "s#^registry = .*#registry = $work/b/registry.db#" "$P11_KMS_CONFIG" >b/p11-kms.conf
	cat >b/p11-kms <<END
#!/bin/sh
XDG_STATE_HOME=$work/b/state P11_KMS_CONFIG=$work/b/p11-kms.conf exec "$p11_kms" "\$@"
END
	chmod 600 b/p11-kms.conf
	chmod 755 b/p11-kms
	p11_kms_b=$work/b/p11-kms
}

# time_passes: for pairs that wait to be taken up on the other host.
time_passes() {
	sqlite3 b/registry.db "UPDATE notes SET time = time - 3600 WHERE kind = 'waits-since'"
}

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

quietly "$p11_kms" create several --algorithm rsa-2048
quietly "$p11_kms" create later --algorithm rsa-2048
quietly "$p11_kms" create crashed --algorithm rsa-2048
quietly "$p11_kms" create purged --algorithm rsa-2048
make_host_b

step "versions of another host wait, and are then taken up in their order, several at once"
quietly "$p11_kms_b" policy several --set keep-versions=3
for _ in 1 2 3 4 5; do quietly "$p11_kms" rotate several; done
expect_match '5 wait for the next refresh' "$p11_kms_b" refresh
expect_match '5 wait for the next refresh' "$p11_kms_b" refresh
expect_match '"waiting": *5' "$p11_kms_b" refresh --json
time_passes
expect_match '5 taken up from other hosts, .* 3 no longer kept' "$p11_kms_b" refresh
expect_states "$p11_kms_b" several "6:active 5:deactivated 4:deactivated 3:destroy-pending 2:destroy-pending 1:destroy-pending"
encrypts "$p11_kms_b" several b.enc
decrypts "$p11_kms" several@6 b.enc

step "SIGTERM between two pairs: the next refresh goes on"
quietly "$p11_kms" create many --algorithm p-256
quietly "$p11_kms_b" refresh # it knows no key of that name: nothing is taken up
expect_match ' 0 failed' "$p11_kms_b" refresh
quietly "$p11_kms_b" adopt many --id "$("$p11_kms" show many --json | jq -r .id)"
# shellcheck disable=SC2046 # a name for each rotation
quietly "$p11_kms" rotate $(yes many | head -n 40)
quietly "$p11_kms_b" refresh
time_passes
P11_KMS_LOG=info "$p11_kms_b" refresh >stopped.out 2>stopped.err &
other=$!
wait_for 20 grep -q 'took up many@' stopped.err || fail "nothing is taken up: $(cat stopped.err)"
kill -TERM $other
status=0
wait $other || status=$?
[ $status -eq 1 ] || fail "status $status: $(cat stopped.out stopped.err)"
grep -q 'things are left to do; run .p11-kms refresh. again' stopped.err || fail "$(cat stopped.err)"
before=$(grep -c 'took up' stopped.err)
[ "$before" -lt 40 ] || fail "the signal came too late to show anything"
expect_match "$((40 - before)) taken up" "$p11_kms_b" refresh
expect_match 'many@41|version *41' "$p11_kms_b" show many

step "one that is to be active later is so on the other host too"
quietly "$p11_kms" rotate later --activate-at 2100-06-01T00:00:00Z
quietly "$p11_kms_b" refresh
time_passes
expect_match '1 taken up' "$p11_kms_b" refresh
expect_states "$p11_kms_b" later "2:pre-active 1:active"

step "one whose creation was interrupted is finished, not undone: the other host has it by now"
quietly pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" \
	--keypairgen --id c2 --key-type rsa:2048 --label crashed@2 --usage-sign --usage-decrypt
sqlite3 "$registry" "INSERT INTO intents VALUES (x'c2', 'crashed', 2, unixepoch() - 3600 + (1 << 40));
	INSERT INTO notes VALUES ('protect-from', x'c2', unixepoch('2100-06-01'))"
quietly "$p11_kms_b" refresh
time_passes
expect_match '1 taken up' "$p11_kms_b" refresh
encrypts "$p11_kms_b" crashed b.enc
expect_match '1 finished, 0 undone' "$p11_kms" refresh
expect_states "$p11_kms" crashed "2:pre-active 1:active"
decrypts "$p11_kms_b" crashed@2 b.enc

step "one that was destroyed for good elsewhere is missed, and nothing is done to it"
quietly "$p11_kms" destroy purged@1 --yes
quietly "$p11_kms" purge purged@1 --yes
expect_refusal '1 version that protects is missing in the KMS' "$p11_kms_b" refresh
grep -q 'no private half of purged@1' refused.out || fail "it is not named: $(cat refused.out)"
expect_refusal '"missing": *1' "$p11_kms_b" refresh --json
expect_states "$p11_kms_b" purged "1:active"
quietly "$p11_kms_b" rotate purged
expect_match ' 0 failed' "$p11_kms_b" refresh

step "who makes a version passes over numbers that the HSM has from another host"
quietly "$p11_kms" rotate several
expect_match 'several@8' "$p11_kms_b" rotate several
encrypts "$p11_kms_b" several b.enc
quietly "$p11_kms_b" refresh
time_passes
expect_match '1 taken up' "$p11_kms_b" refresh
expect_match 'deactivated' "$p11_kms_b" show several@7
decrypts "$p11_kms_b" several@8 b.enc

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
sqlite3 "$registry" "UPDATE notes SET time = time - 3600"
expect_refusal '"held": *[5-9]' "$p11_kms" refresh --json
expect_match 'policies of keys are those of the backup' "$p11_kms" rebuild
quietly "$p11_kms" policy kept --set keep-versions=all
expect_match ' 0 failed' "$p11_kms" refresh
for version in 1 2 3 4 5 6; do decrypts "$p11_kms" "kept@$version" "kept@$version.enc"; done
