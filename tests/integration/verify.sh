#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# p11-kms verify: each check has its line, also where it can't be made, for people and in JSON;
# owners and modes; private halves of what can be restored.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need pkcs11-tool sqlite3
make_token
cd "$work"
registry=$hsm_folder/registry.db
all="configuration pin-source pinned modes registry seen head keys interrupted kms login kms-servers
	authority private-halves strays"

# verified STATUS OPTION...: runs it both ways; each check has a line, in this order.
verified() {
	wanted=$1
	shift
	for how in '' --json; do
		got=0
		# shellcheck disable=SC2086 # none, or one option
		"$p11_kms" verify $how "$@" >"verified$how" 2>said </dev/null || got=$?
		[ "$got" -eq "$wanted" ] || { cat "verified$how" said; fail "status $got, not $wanted: $how $*"; }
	done
	python3 - "$all" <<'END' || { cat verified--json; fail "not each check has its line"; }
import json, sys

checks = []
for entry in json.load(open("verified--json")):
    assert entry["result"] in ("ok", "warn", "FAIL", "skipped"), entry
    assert (entry["result"] == "skipped") == entry["text"].startswith("not checked: "), entry
    if entry["check"] not in checks:
        checks.append(entry["check"])
assert checks == sys.argv[1].split(), checks
lines = [line.split() for line in open("verified") if line[:1] != " " and line.split()[1:2]]
told = list(dict.fromkeys(line[1] for line in lines if line[0] in ("ok", "warn", "FAIL", "skip")))
assert told == checks, told
END
}

# result RESULT CHECK...: of each of these, the only one.
result() {
	python3 - "$@" <<'END' || { cat verified--json; fail "not all $1: $*"; }
import json, sys

for check in sys.argv[2:]:
    found = {entry["result"] for entry in json.load(open("verified--json")) if entry["check"] == check}
    assert found == {sys.argv[1]}, (check, found)
END
}

# tells PATTERN: in JSON, whose lines are not folded.
tells() {
	grep -Eq -- "$1" verified--json || { cat verified--json; fail "does not tell '$1'"; }
}

# other LINE SED: a configuration that is like ours but for that.
other() {
	sed "$1" "$P11_KMS_CONFIG" >other.conf
}

step "nothing is wrong"
quietly "$p11_kms" create job --algorithm p-256
verified 0
# shellcheck disable=SC2086 # the words of it
result ok $all

step "the KMS can't be reached"
sed 's|^directories.tokendir.*|directories.tokendir = /nonexistent|' "$SOFTHSM2_CONF" >lost.conf
SOFTHSM2_CONF=$work/lost.conf verified 7
result FAIL kms
result skipped login kms-servers authority private-halves strays
result ok registry seen head keys interrupted
tells 'not checked: the KMS can.t be reached'
grep -Eq '^skip +login +not checked: the KMS' verified || fail "no line for people"

step "the login is refused, and none is tried"
echo 000000 >wrong-pin
chmod 600 wrong-pin
other "s|^pin-source = .*|pin-source = $work/wrong-pin|"
verified 7 --config other.conf
result FAIL login
result skipped kms-servers authority private-halves strays
other '/^pin-source/d'
verified 0 --config other.conf
result skipped pin-source kms-servers authority private-halves strays
result warn login
verified 0 --config other.conf --pin-source "$hsm_folder/pin"
result ok login private-halves strays

step "there is no KMS here"
other '/^kms/d; /^pin-source/d'
verified 0 --config other.conf
result ok kms
result skipped pin-source login kms-servers authority private-halves strays

step "the pinned authority is missing, or is not to be trusted"
other "s|^authority = .*|authority = $work/missing.pem|"
verified 7 --config other.conf
result FAIL pinned
result skipped registry seen head keys interrupted authority private-halves strays
result ok modes kms login kms-servers
chmod 666 "$hsm_folder/authority.pem"
verified 7
result FAIL pinned
tells 'authority.pem is writable by others'
chmod 644 "$hsm_folder/authority.pem"

step "the registry is missing"
other "s|^registry = .*|registry = $work/missing.db|"
verified 7 --config other.conf
result FAIL registry
result skipped seen head keys interrupted authority private-halves strays
result ok modes kms login kms-servers

step "the registry is not signed by the pinned authority"
sqlite3 "$registry" ".backup '$work/good.db'"
cp good.db bad.db
sqlite3 bad.db "UPDATE head SET signature = zeroblob(64)"
other "s|^registry = .*|registry = $work/bad.db|"
verified 7 --config other.conf
result FAIL registry head
result skipped seen
tells 'not checked: the head is broken'

step "the registry was turned back"
quietly "$p11_kms" create job-2 --algorithm p-256
cp "$registry" newer.db
rm -f "$registry"-*
cp good.db "$registry"
verified 7
result FAIL seen
result skipped head
tells 'not checked: the registry was turned back'
rm -f "$registry"-*
cp newer.db "$registry"
verified 0

step "the configuration"
chmod 666 "$P11_KMS_CONFIG"
verified 3
result FAIL configuration
tells 'p11-kms.conf is writable by others'
tells 'not checked: the configuration is not used'
chmod 600 "$P11_KMS_CONFIG"
verified 3 --config missing.conf
result FAIL configuration
P11_KMS_CONFIG=missing.conf verified 3
result FAIL configuration
verified 3 --token nothing
tells 'nothing: there is no such token'

step "modes, of the registry, its folder and what lies beside it"
quietly "$p11_kms" create job-3 --algorithm p-256 # SQLite mends the mode of an empty log by itself
for spoiled in "$registry" "$registry-wal" "$registry-shm" "$hsm_folder"; do
	mode=$(stat -c %a "$spoiled")
	# What anybody may write to, the configuration is not read from at all.
	for wrong in g+w o+w; do
		[ "$spoiled$wrong" != "${hsm_folder}o+w" ] || continue
		chmod "$wrong" "$spoiled"
		verified 0
		result warn modes
		tells "$spoiled may be written to by others.*chmod go-w $spoiled"
		chmod "$mode" "$spoiled"
	done
done
verified 0
result ok modes
mkdir -m 777 open
cp "$hsm_folder/pin" open
chmod 1777 open
other "s|^pin-source = .*|pin-source = $work/open/pin|"
verified 0 --config other.conf
tells "$work/open may be written to by others"
if [ "$(id -u)" -eq 0 ]; then
	# SQLite, when root runs it, gives the side files to the owner of the registry.
	chown 65533 "$registry"*
	verified 0
	result warn modes
	tells "$registry belongs to uid 65533"
	tells "$registry-wal belongs to uid 65533"
	tells "$registry-shm belongs to uid 65533"
	chown 0 "$registry"*
	chown 65533 "$hsm_folder"
	verified 0
	tells "$hsm_folder belongs to uid 65533"
	chown -h 65533 "$registry"*
	verified 0
	if grep -q "registry.db[-a-z]* belongs" verified--json; then
		cat verified--json
		fail "it is the folder's owner's, who is told"
	fi
	chown 0 "$hsm_folder" "$registry"*
	verified 0
	result ok modes
fi

step "creations that go on, and intents that nobody has made"
at() {
	sqlite3 "$registry" "DELETE FROM intents;
		INSERT INTO intents (id, name, number, since) VALUES (x'99', 'job', 9, strftime('%s') + $1)"
}
at -5
verified 0
result ok interrupted
tells '1 creation is going on'
for seconds in -3600 315360000; do
	at "$seconds"
	verified 0
	result warn interrupted
	tells '1 interrupted creation waits'
done
sqlite3 "$registry" "DELETE FROM intents"

step "private halves of what may be restored"
quietly "$p11_kms" create gone --algorithm p-256 --id 90
quietly "$p11_kms" create past --algorithm p-256 --id 91 --set destroy-after=1s
quietly "$p11_kms" destroy gone@1 --yes
quietly "$p11_kms" destroy past@1 --yes
verified 0
result ok private-halves
for id in 90 91; do
	quietly pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" \
		--delete-object --type privkey --id "$id"
done
sleep 2
verified 7
result FAIL private-halves
tells 'gone@1: the KMS has no such private key: it can.t be restored'
if grep -q 'past@1' verified--json; then
	fail "what can't be restored any more is missed"
fi
