#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 at each call to the file system that create, rotate (at once, and for later), refresh and
# authority rotate make for p11-kms's own files: the registry, its side files, configuration,
# authority, PIN. SoftHSM2 writes its token in place and may lose it when it is killed there, so
# these points are not among them.
#
# After each kill every version that is shown has its private half; what was answered OK is
# there; and the next refresh finishes or removes what was left. P11_KMS_KILL_POINTS: every how
# many calls (1: each of them, make check-kill-points).
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need strace sqlite3 jq pkcs11-tool
need_pykcs11
every=${P11_KMS_KILL_POINTS:-12}
make_token
registry=$hsm_folder/registry.db
cd "$work"

# Two keys that a refresh always finds due, one to rotate, and one to rotate for later.
quietly "$p11_kms" create due-1 --algorithm p-256 --rotate-every 1s
quietly "$p11_kms" create due-2 --algorithm p-256 --rotate-every 1s
quietly "$p11_kms" create turned --algorithm p-256 --rotate-every never
quietly "$p11_kms" create later --algorithm p-256 --rotate-every never

points=0
answered=0
dead=0
left=0
: >promised

# killed_at NTH COMMAND...: true when the command died at its NTH call; false when it went
# through, and what it answered is then kept in promised.
killed_at() {
	nth=$1
	shift
	status=0
	strace -f -qq -o trace -e trace=%file,%desc -e "inject=%file,%desc:signal=KILL:when=$nth" \
		-P "$registry" -P "$registry-wal" -P "$registry-shm" -P "$registry-journal" \
		-P "$P11_KMS_CONFIG" -P "$hsm_folder/authority.pem" -P "$hsm_folder/pin" \
		"$p11_kms" "$@" >answer 2>complaint || status=$?
	if [ "$status" -ge 128 ]; then
		points=$((points + 1))
		return 0
	fi
	[ "$status" -eq 0 ] || {
		cat answer complaint
		fail "neither done nor killed, status $status: $*"
	}
	answered=$((answered + 1))
	sed -n 's/^made \([^,]*\),.*/\1/p' answer >>promised
	return 1
}

# What a kill left: how many versions are shown whose private half is missing, and how many
# pairs wait in the KMS.
look() {
	"$p11_kms" verify --json >verified.json 2>verify.log || [ $? -eq 7 ] || {
		cat verified.json verify.log
		fail "verify itself, after a kill at $*"
	}
	dead=$((dead + $(jq '[.[] | select(.check == "private-halves" and .result == "FAIL")] | length' verified.json)))
	left=$((left + $(jq '[.[] | select(.check == "strays" and .result != "ok")] | length' verified.json)))
	jq -e 'all(.[]; .result != "FAIL")' verified.json >/dev/null || {
		cat verified.json
		fail "verify found something, after a kill at $*"
	}
}

# What is left is nobody's work after a while: the next refresh finishes or removes it.
tidy() {
	sqlite3 "$registry" "UPDATE intents SET since = since - 3600"
	quietly "$p11_kms" refresh
}

# try COMMAND...: killed at each call; a NAME of @ is another one each time. Now and then what is
# left is cleared away: a command that finds ever more of it makes ever more calls.
try() {
	nth=1
	while :; do
		name=new-$points-$nth
		# shellcheck disable=SC2046 # words that the substitution makes are arguments
		killed_at "$nth" $(echo "$*" | sed "s/@/$name/") || break
		look "call $nth of $*"
		nth=$((nth + every))
		[ "$nth" -lt 2000 ] || fail "a command with 2000 calls?"
		[ $((points % 20)) -ne 0 ] || tidy
	done
	step "$1: killed at calls up to $nth, then it went through"
	last=$nth
}

try create @ --algorithm p-256
[ "$last" -gt $((every * 2)) ] || fail "killed too few times: does the trace see the calls?"
try rotate turned
try rotate later --activate-at 2100-01-01T00:00:00Z
try refresh

# Each hand-over makes the log longer, so that each try begins with the same files and the same HSM.
keep() {
	rm -rf "$2"
	cp -a "$1" "$2"
}

# Former authorities stay in the HSM; one that never signed must be gone.
authorities_held() {
	pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" \
		--list-objects --type privkey 2>/dev/null | grep -c 'label: *p11-kms authority'
}

keep "$hsm_folder" kept-hsm
keep "$XDG_STATE_HOME" kept-state
nth=1
while killed_at "$nth" authority rotate; do
	look "call $nth of authority rotate"
	tidy
	quietly "$p11_kms" verify
	signed=$("$p11_kms" authority show --json | jq '.handovers + 1')
	held=$(authorities_held)
	[ "$held" = "$signed" ] || fail "$held authorities in the HSM, of which $signed sign or have signed"
	keep kept-hsm "$hsm_folder"
	keep kept-state "$XDG_STATE_HOME"
	nth=$((nth + every))
	[ "$nth" -lt 2000 ] || fail "a command with 2000 calls?"
done
step "authority rotate: killed at calls up to $nth, then it went through"

step "refresh finishes or removes what is left, once it is old enough to be nobody's work"
tidy
"$p11_kms" verify --json >verified.json || fail "verify, after the last refresh: $(cat verified.json)"
jq -e '[.[] | select((.check == "strays" or .check == "interrupted") and .result != "ok")] == []' \
	verified.json >/dev/null || {
	cat verified.json
	fail "pairs are left that nobody knows"
}

step "what was to be active later is so, on the day that was asked for"
"$p11_kms" list --all --json >list.json
jq -e '[.[] | select(.name == "later" and .version > 1)] | length > 1 and
	all(.[]; .state == "pre-active" and .protect_from == "2100-01-01T00:00:00Z")' list.json >/dev/null ||
	fail "later: $(jq -c '.[] | select(.name == "later") | [.version, .state, .protect_from]' list.json)"

step "every version that is shown works, and what was answered OK is among them"
authorities=$("$p11_kms" authority show --json | jq '.handovers + 1')
"$python" - "$module" "$token" "$hsm_module" "$hsm_token" "$pin" list.json promised "$authorities" <<'END' ||
import hashlib, json, sys
import PyKCS11 as P

module, label, hsm_module, hsm_label, pin, listed, promised, authorities = sys.argv[1:]


def session(path, name, login):
    library = P.PyKCS11Lib()
    library.load(path)
    for slot in library.getSlotList(tokenPresent=True):
        if library.getTokenInfo(slot).label.strip() == name:
            opened = library.openSession(slot)
            if login:
                opened.login(pin)
            return library, opened
    sys.exit(f"no token {name}")


# Old versions sign no more through the module: the HSM signs, and the module verifies.
ours, ours_session = session(module, label, False)
hsm, hsm_session = session(hsm_module, hsm_label, True)
digest = hashlib.sha256(b"alive?").digest()
ecdsa = P.Mechanism(P.CKM_ECDSA)
works = set()
for public in ours_session.findObjects([(P.CKA_CLASS, P.CKO_PUBLIC_KEY)]):
    name, identifier = ours_session.getAttributeValue(public, [P.CKA_LABEL, P.CKA_ID])
    private = hsm_session.findObjects([(P.CKA_CLASS, P.CKO_PRIVATE_KEY), (P.CKA_ID, identifier)])
    assert len(private) == 1, f"{name}: {len(private)} private halves"
    signature = hsm_session.sign(private[0], digest, ecdsa)
    assert ours_session.verify(public, digest, signature, ecdsa), f"{name}: does not verify"
    works.add(bytes(identifier).hex())
# Applications don't see what is to be active later.
for version in json.load(open(listed)):
    if version["state"] == "pre-active":
        private = hsm_session.findObjects([(P.CKA_CLASS, P.CKO_PRIVATE_KEY),
                                           (P.CKA_ID, bytes.fromhex(version["id"]))])
        assert len(private) == 1, f'{version["name"]}@{version["version"]}: {len(private)} private halves'
        hsm_session.sign(private[0], digest, ecdsa)
        works.add(version["id"])
versions = {f'{v["name"]}@{v["version"]}': v["id"] for v in json.load(open(listed))}
missing = [v for v in open(promised).read().split() if versions.get(v) not in works]
assert not missing, f"answered OK, and not there: {missing}"
held = len(hsm_session.findObjects([(P.CKA_CLASS, P.CKO_PRIVATE_KEY)]))
assert held == len(works) + int(authorities), \
    f"{held} pairs in the HSM, {len(works)} versions and {authorities} authorities"
print(f"{len(works)} versions shown, all work; {held} pairs in the HSM, {authorities} authorities' among them")
END
	fail "see above"

echo "points tried: $points; answered OK: $answered, of which with a name: $(wc -l <promised), all work;" \
	"dead pairs shown: $dead; pairs listed as left over: $left, none after refresh"
[ "$dead" -eq 0 ] || fail "dead pairs were shown"
