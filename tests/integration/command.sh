#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The p11-kms command over a SoftHSM2 token: every subcommand, and what it exits with.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need openssl python3 ssh-keygen
need_build "$module" "$p11_kms"
make_hsm
make_configuration
cd "$work"

# sql TEXT: changes the registry's file as no program of ours would.
sql() {
	python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as file:
    print(file.execute(sys.argv[2]).rowcount)' "$hsm_folder/registry.db" "$1"
}

step "before init"
expect 3 "$p11_kms" list
says 'authority.pem'
expect 0 "$p11_kms" --version
prints '^p11-kms [0-9]'

step "the command line"
expect 2 "$p11_kms"
expect 2 "$p11_kms" no-such-command
says 'no such command'
expect 2 "$p11_kms" list --no-such-option
says 'no such option.*p11-kms list --help'
expect 2 "$p11_kms" list --format pem
says 'takes no --format'
expect 2 "$p11_kms" list operand
says 'one too many'
expect 2 "$p11_kms" create
says 'needs NAME'
expect 2 "$p11_kms" create job --algorithm rsa-1024
says 'no such algorithm'
expect 2 "$p11_kms" create job --rotate-every often
says 'duration'
for command in "create job" "adopt --all" "rebuild"; do
	# shellcheck disable=SC2086 # words
	expect 2 "$p11_kms" $command --rotate-every 0d
	says '^p11-kms: 0d: a duration is a whole number from 1 .*, or never$'
done
expect 2 "$p11_kms" create job --set rotate-every=0d
says 'rotate-every is a whole number from 1 .*; or never$'
expect 2 "$p11_kms" create job --usage encrypt
says 'usages are'
expect 2 "$p11_kms" create job --id 123
says 'hexadecimal'
expect 2 "$p11_kms" create 'job@1'
says 'a name is'
expect 2 "$p11_kms" show
expect 2 "$p11_kms" list --config
says 'needs a value; see .p11-kms list --help'
expect 0 env POSIXLY_CORRECT=1 "$p11_kms" list --help
prints '^usage: p11-kms list'

step "init, and once more"
expect 0 "$p11_kms" init
prints 'set up token backup'
expect 0 "$p11_kms" init --json
json 'x["made"] is False and x["token"] == "backup" and x["fingerprint"].startswith("SHA256:")'

step "create, list, show"
expect 0 "$p11_kms" create job-42 --algorithm rsa-2048 --rotate-every 30d
expect 1 "$p11_kms" create job-42
says 'there is such a key already'
expect 0 "$p11_kms" create ec --json --algorithm p-384 --usage sign --id 00ff10
json 'x["id"] == "00ff10" and x["usage"] == ["sign"] and x["version"] == 1 and x["state"] == "active"'
expect 1 "$p11_kms" create other --id 00ff10
says 'id is in use'
expect 1 "$p11_kms" create ec --id 00ff10
says '^p11-kms: ec: there is such a key already'
if grep -q 'id' "$work/err"; then fail "the id was complained about before the name"; fi
expect 1 "$p11_kms" create other --algorithm p-256 --usage decrypt
says 'p-256 keys can sign, derive only'
expect 0 "$p11_kms" create ed --algorithm ed25519 --rotate-every never
expect 0 "$p11_kms" create ex --algorithm x25519 --rotate-every never
expect 1 "$p11_kms" create other --algorithm x25519 --usage sign
says 'x25519 keys can derive only'
expect 0 "$p11_kms" export ex
expect 1 "$p11_kms" export ex --format ssh
says 'ex is x25519, for which SSH has no type of key'
expect 0 "$p11_kms" create 'ein schlüssel mit einem überlangen namen, der nicht in die tabelle passt' \
	--algorithm p-256
expect 0 "$p11_kms" list
prints '^NAME +VER +ALGORITHM +STATE +UNTIL +ROTATES +ID$'
prints '^job-42 +1 +rsa-2048 +active +[0-9-]{10} +[0-9-]{10} +[0-9a-f]{8}$'
prints '^ed +1 +ed25519 +active +- +- '
LC_ALL=C.UTF-8 "$p11_kms" list >"$work/out"
prints '^ein schlüssel .*… +1 '
python3 -c 'import sys
for line in open(sys.argv[1], encoding="utf-8"):
    assert len(line.rstrip("\n")) <= 80, line' "$work/out" || fail "lines longer than 80 columns"
expect 0 "$p11_kms" list --json
json '[k["name"] for k in x][1:3] == ["ed", "ein schlüssel mit einem überlangen namen, der nicht in die tabelle passt"]'
expect 0 "$p11_kms" show job-42 --json
json 'x["token"] == "backup" and x["label"] == "job-42" and x["local"] is True and x["next_rotation"] > x["created"] and x["protect_until"] > x["next_rotation"] and x["restorable_until"] is None'
expect 0 "$p11_kms" show --id 00ff10
prints '^name +ec$'
expect 6 "$p11_kms" show job-43
says 'job-43: there is no such key in token backup'
expect 6 "$p11_kms" show job-42@9
says 'has no version 9'
expect 6 "$p11_kms" show --id abcd
short=$("$p11_kms" list | sed -n 's/^job-42 .* //p')
expect 0 "$p11_kms" show --id "$short"
prints '^name +job-42$'
expect 0 "$p11_kms" export --id "$(printf %.7s "$short")"
expect 2 "$p11_kms" show --id 00f
expect 6 "$p11_kms" destroy --id "$short" --yes
says 'no version with this id'
expect 0 "$p11_kms" create twin-1 --algorithm p-256 --id abcdef01
expect 0 "$p11_kms" create twin-2 --algorithm p-256 --id ABCDEF02
expect 6 "$p11_kms" show --id abcdef
says 'several ids begin like this'
expect 0 "$p11_kms" show --id ABCDEF02
prints '^name +twin-2$'
for key in twin-1 twin-2; do expect 0 "$p11_kms" destroy $key@1 --yes; done

step "what a user types can't act on the terminal"
escape=$(printf '\033')
expect 6 "$p11_kms" show "$(printf 'job\033[2J\nforged')"
says 'job\\x1b\[2J\\x0aforged'
expect 2 "$p11_kms" "$(printf 'no\033such')"
says 'no\\x1bsuch'
expect 2 "$p11_kms" "--$(printf 'no\033such')"
if grep -q "$escape" "$work/err"; then fail "an escape went to stderr"; fi

step "export: pem, der and ssh are the same key"
for key in job-42 ec ed; do
	expect 0 "$p11_kms" export "$key" --out "$key.pem"
	expect 0 "$p11_kms" export "$key" --format der --out "$key.der"
	openssl pkey -pubin -inform DER -in "$key.der" | cmp - "$key.pem" || fail "$key: pem and der differ"
	expect 0 "$p11_kms" export "$key" --format ssh --out "$key.pub"
	ssh-keygen -l -f "$key.pub" >/dev/null || fail "$key: ssh-keygen can't read it"
	if [ "$key" != ed ]; then # ssh-keygen writes no other form of Ed25519 keys
		ssh-keygen -e -m PKCS8 -f "$key.pub" | cmp - "$key.pem" || fail "$key: ssh and pem differ"
	fi
done
expect 2 "$p11_kms" export ec --format p12

step "encrypt without the KMS, rotate, decrypt"
head -c 32 /dev/urandom >data
mv "$hsm_folder/tokens" "$hsm_folder/away"
expect 0 "$p11_kms" encrypt job-42 --in data --out data.enc
says '^encrypted under job-42@1, id [0-9a-f]{32}$'
expect 0 "$p11_kms" list
expect 0 "$p11_kms" show job-42
expect 0 "$p11_kms" export job-42
expect 4 "$p11_kms" status
prints 'not reachable'
expect 4 "$p11_kms" decrypt job-42 --in data.enc
expect 4 "$p11_kms" rotate job-42
expect 4 "$p11_kms" refresh
expect 7 "$p11_kms" verify
prints '^FAIL +kms '
mv "$hsm_folder/away" "$hsm_folder/tokens"
expect 0 "$p11_kms" rotate job-42 ec --json
json '[(k["name"], k["version"]) for k in x] == [("job-42", 2), ("ec", 2)]'
expect 0 "$p11_kms" rotate ec
prints '^made ec@3, p-384, id [0-9a-f]{32}$'
expect 6 "$p11_kms" rotate job-43
expect 0 "$p11_kms" show ec --json
cp "$work/out" before.json
expect 6 "$p11_kms" rotate ec job-43
expect 0 "$p11_kms" show ec --json
cmp "$work/out" before.json || fail "ec was rotated, and job-43 is none"
for how in "job-42" "job-42@1"; do
	expect 0 "$p11_kms" decrypt "$how" --in data.enc --out data.dec
	cmp data data.dec || fail "decrypted to something else"
	[ "$(stat -c %a data.dec)" = 600 ] || fail "others can read what was decrypted"
done
"$p11_kms" show job-42@1 --json >"$work/out"
id=$(python3 -c 'import json; print(json.load(open("out"))["id"])')
"$p11_kms" decrypt --id "$id" <data.enc | cmp - data || fail "not decrypted by its id"
expect 1 "$p11_kms" decrypt job-42@2 --in data.enc
says 'job-42@2 does not decrypt this: it was encrypted to another key'
head -c 256 /dev/urandom >nonsense
expect 1 "$p11_kms" decrypt job-42 --in nonsense
says 'it was encrypted to another key, or was changed'
expect 1 "$p11_kms" decrypt job-42 --in data
says 'with 32 bytes it is not of the size'
for how in ed ed@1; do
	expect 1 "$p11_kms" decrypt "$how" --in data.enc
	says "$how is ed25519, which can't decrypt: RSA keys can"
done
expect 6 "$p11_kms" decrypt job-43 --in data.enc
expect 1 "$p11_kms" encrypt job-42@1 --in data
says 'does not encrypt'
expect 1 "$p11_kms" encrypt ec --in data
says "can't encrypt"
head -c 191 /dev/zero >long
expect 1 "$p11_kms" encrypt job-42 --in long
says '190 bytes at most; encrypt the file with a data key'
head -c 190 /dev/zero >long
"$p11_kms" encrypt job-42 --json --in long --out long.enc 2>"$work/out"
json 'x["name"] == "job-42" and x["version"] == 2 and x["token"] == "backup"'
: >empty
expect 0 "$p11_kms" encrypt job-42 --in empty --out empty.enc
expect 0 "$p11_kms" decrypt job-42 --in empty.enc --out empty.dec
[ ! -s empty.dec ] || fail "an empty plaintext came back longer"

step "what encrypt made, OpenSSL's own encryption equals"
"$p11_kms" export job-42 --out job.pem
openssl pkeyutl -encrypt -pubin -inkey job.pem -in data -out by-openssl -pkeyopt rsa_padding_mode:oaep \
	-pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256
"$p11_kms" decrypt job-42 --in by-openssl | cmp - data || fail "what OpenSSL encrypted does not decrypt"

step "destroy and restore"
expect 2 "$p11_kms" destroy job-42@1
says 'give --yes'
expect 2 "$p11_kms" destroy job-42 --yes
says 'which version'
expect 0 "$p11_kms" destroy job-42@1 --yes
prints 'until [0-9TZ:-]{20}, .p11-kms restore. brings it back'
expect 1 "$p11_kms" destroy job-42@1 --yes
expect 0 "$p11_kms" show job-42@1 --json
json 'x["state"] == "destroy-pending" and x["restorable_until"] is not None'
expect 6 "$p11_kms" decrypt job-42@1 --in data.enc
says 'is to be destroyed .*p11-kms restore job-42@1. brings it back'
expect 1 "$p11_kms" decrypt job-42 --in data.enc
says 'p11-kms restore job-42@1. brings it back'
expect 6 "$p11_kms" encrypt job-42@1 --in data
says 'p11-kms restore job-42@1. brings it back'
expect 0 "$p11_kms" restore job-42@1
prints 'deactivated again'
expect 1 "$p11_kms" restore job-42@1
"$p11_kms" decrypt job-42@1 --in data.enc | cmp - data || fail "restored, but does not decrypt"
expect 0 "$p11_kms" destroy ed@1 --yes
expect 6 "$p11_kms" export ed
says 'no current version: bring one back with .p11-kms restore ed@1'
expect 0 "$p11_kms" restore ed@1
prints 'active again'

step "destroy asks on a terminal: yes and y will do, nothing else"
cat >answer.py <<'END'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "destroy", "ed@1"])
seen, typed = b"", False
while True:
    try:
        data = os.read(terminal, 1000)
    except OSError:
        break
    if not data:
        break
    seen += data
    if b"(yes/no)" in seen and not typed:
        os.write(terminal, sys.argv[2].encode() + b"\n")
        typed = True
sys.stdout.buffer.write(seen)
assert typed
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
for answer in y Yes; do
	expect 0 python3 answer.py "$p11_kms" "$answer"
	expect 0 "$p11_kms" restore ed@1
done
for answer in no '' yesterday; do
	expect 1 python3 answer.py "$p11_kms" "$answer"
	prints 'stays as it is'
done

step "refresh rotates what is due, once"
expect 0 "$p11_kms" create soon --algorithm p-256 --rotate-every 1s
sleep 1.1
expect 0 "$p11_kms" status --json
json 'x["keys_due"] == 1 and x["kms_reachable"] is True and x["expired"] is False and x["keys"] == 8'
expect 0 "$p11_kms" verify
prints '^warn +keys +soon is due'
expect 0 "$p11_kms" refresh --dry-run --json
json 'x["dry_run"] is True and x["rotated"] == 1'
expect 0 "$p11_kms" refresh
prints '1 rotated, 0 purged, 0 finished, 0 undone, 0 failed'
expect 0 "$p11_kms" list --all
prints '^soon +2 .*active'
prints '^soon +1 .*deactivated'

step "refresh purges what was destroyed long enough ago"
sed -i 's/^registry/destroy-after = 0s\n&/' "$P11_KMS_CONFIG"
expect 0 "$p11_kms" create brief --algorithm p-256
expect 0 "$p11_kms" destroy brief@1 --yes
expect 1 "$p11_kms" restore brief@1
says 'grace period .* is over'
expect 0 "$p11_kms" refresh
prints '1 purged'
expect 0 "$p11_kms" show brief@1
prints '^state +destroyed$'

step "a creation that was killed before the KMS had made the pair is undone"
sql "INSERT INTO intents (id, name, number, since) VALUES (x'0badc0de', 'killed', 1, 0)" >/dev/null
expect 0 "$p11_kms" verify
prints '1 interrupted creation waits'
expect 0 "$p11_kms" refresh
prints ' 1 undone'
expect 0 "$p11_kms" verify --json
json 'not [y for y in x if y["check"] == "interrupted" and y["result"] != "ok"]'
expect 0 "$p11_kms" verify
prints '^ok +private-halves'

step "a creation that may still be going on is left alone, and everything says so"
sql "INSERT INTO intents (id, name, number, since) VALUES (x'0badc0de', 'young', 1, $(date +%s))" >/dev/null
expect 0 "$p11_kms" verify
prints '1 creation is going on, or failed less than a minute ago'
for how in --dry-run --json; do
	expect 0 "$p11_kms" refresh $how
	prints '(0 undone|"undone": 0)'
done
sql "DELETE FROM intents" >/dev/null

step "verify finds what is wrong, in lines that fit"
expect 0 "$p11_kms" verify
python3 -c 'import sys
for line in open(sys.argv[1]):
    assert len(line.rstrip("\n")) < 80 or "/" in line, line' "$work/out" || fail "lines longer than 80 columns"
expect 0 "$p11_kms" verify --json
json 'all(y["result"] in ("ok", "warn") for y in x) and {"registry", "kms", "login", "authority", "private-halves"} <= {y["check"] for y in x}'
chmod 644 "$hsm_folder/pin"
expect 7 "$p11_kms" verify
prints '^FAIL +pin-source '
chmod 600 "$hsm_folder/pin"
cp "$hsm_folder/pin" right-pin
: >"$hsm_folder/pin"
expect 7 "$p11_kms" verify
prints '^FAIL +pin-source '
prints 'is empty'
prints '^FAIL +login +not tried: no PIN to log in with:'
expect 3 "$p11_kms" status
prints '^kms +not asked'
says 'the KMS was not asked: no PIN to log in with: .*/pin is empty'
expect 3 "$p11_kms" rotate ed
says 'pin is empty; write the PIN'
if grep -q 'not undone' "$work/err"; then fail "what the KMS never heard of waits to be undone"; fi
echo 000000 >"$hsm_folder/pin"
expect 7 "$p11_kms" verify
prints '^FAIL +login +it was refused: check the PIN in'
expect 8 "$p11_kms" status
prints 'refuses the login'
expect 8 "$p11_kms" refresh
says 'refused the login; check the PIN in'
expect 8 "$p11_kms" rotate ed --pin-source right-pin
says '^p11-kms: --pin-source is not used: token backup has its own'
says 'This process does not try it again'
says 'check the PIN in .*/pin$'
cp right-pin "$hsm_folder/pin"
pkcs11-tool --module "$hsm_module" --token-label backup-hsm --login --pin "$pin" --delete-object \
	--type privkey --id 00ff10 >/dev/null 2>&1 || fail "can't delete a key from the HSM"
expect 7 "$p11_kms" verify
prints '^FAIL +private-halves +ec@1: '
prints '^1 failed, [0-9]+ warning'

step "the PIN: from a file, from the terminal, never without one"
make_configuration --no-pin-source
expect 8 setsid "$p11_kms" rotate ed
says 'there is no terminal'
expect 0 "$p11_kms" rotate ed --pin-source "$hsm_folder/pin"
expect 0 "$p11_kms" decrypt job-42 --in data.enc --out data.dec --pin-source "$hsm_folder/pin"
cmp data data.dec || fail "decrypted to something else"
echo 000000 >wrong-pin
chmod 600 wrong-pin
expect 8 "$p11_kms" rotate ed --pin-source wrong-pin
says 'not the PIN'
: >empty-pin
chmod 600 empty-pin
expect 3 "$p11_kms" rotate ed --pin-source empty-pin
says 'empty-pin is empty: write the PIN'
chmod 644 wrong-pin
expect 3 "$p11_kms" rotate ed --pin-source wrong-pin
cat >type-pin.py <<'END'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "rotate", "ed"])
seen, typed = b"", False
while True:
    try:
        data = os.read(terminal, 1000)
    except OSError:
        break
    if not data:
        break
    seen += data
    if b"PIN" in seen and not typed:
        os.write(terminal, sys.argv[2].encode() + b"\n")
        typed = True
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert typed and status == 0 and sys.argv[2].encode() not in seen, (status, seen)
END
python3 type-pin.py "$p11_kms" "$pin" || fail "the PIN was not taken from the terminal, or shown"
make_configuration

step "a reader: no KMS, no permission to write"
mkdir reader
sed -e '/^kms/d' -e '/^pin-source/d' "$P11_KMS_CONFIG" >reader/p11-kms.conf
for command in "list" "show job-42" "export job-42" "verify" "status"; do
	# shellcheck disable=SC2086 # a command and its operand
	expect 0 "$p11_kms" --config reader/p11-kms.conf $command
done
expect 0 "$p11_kms" encrypt job-42 --config reader/p11-kms.conf --in data --out data.enc
expect 3 "$p11_kms" rotate job-42 --config reader/p11-kms.conf
says 'has no "kms"'
expect 3 "$p11_kms" decrypt job-42 --config reader/p11-kms.conf --in data.enc
says 'has no "kms" .*can only encrypt and verify'
expect 0 "$p11_kms" decrypt job-42 --in data.enc
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null 2>&1; then
	chmod 755 "$work" "$hsm_folder"
	# Whoever runs it reads a configuration of root's.
	for command in "list" "verify" "status"; do
		# shellcheck disable=SC2086 # a command and its operand
		expect 0 setpriv --reuid=65534 --regid=65534 --clear-groups "$p11_kms" \
			--config "$work/reader/p11-kms.conf" $command
	done
fi

step "a PIN file that is missing, empty, or anybody's"
sed "s|^pin-source = .*|pin-source = $work/pin-file|" "$P11_KMS_CONFIG" >pin.conf
expect 3 "$p11_kms" rotate ed --config pin.conf
says "no PIN to log in with: $work/pin-file: can't be opened"
install -m 600 /dev/null pin-file
expect 3 "$p11_kms" rotate ed --config pin.conf
says 'no PIN to log in with: .*/pin-file is empty'
chmod 644 pin-file
expect 3 "$p11_kms" rotate ed --config pin.conf
says 'no PIN to log in with: .*/pin-file is readable by others'
expect 2 "$p11_kms" policy job-42 --set recovery=
says 'recovery is the FILE of a public key, or none'

step "another authority is pinned"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null |
	openssl pkey -pubout -out other.pem
sed "s|^authority = .*|authority = $work/other.pem|" "$P11_KMS_CONFIG" >other.conf
expect 7 "$p11_kms" verify --json --config other.conf
prints 'not signed by the authority that .*/other.pem pins \(SHA256:'
expect 7 "$p11_kms" verify --config other.conf
prints '^1 failed, '
prints '^skip +keys +not checked: the registry is not the pinned'
prints '^skip +private-halves +not checked: there is no registry'
rm other.pem
expect 7 "$p11_kms" verify --json --config other.conf
prints 'other.pem is not there; run .p11-kms init'

step "a registry that was changed by hand is refused"
sql "UPDATE entries SET payload = CAST(replace(CAST(payload AS TEXT), 'rsa-2048', 'rsa-4096') AS BLOB)
	WHERE sequence > 1" >/dev/null
expect 7 "$p11_kms" verify
prints '^FAIL +registry'
expect 5 "$p11_kms" show job-42

step "the configuration"
expect 3 "$p11_kms" list --config "$work/missing.conf"
expect 3 "$p11_kms" verify --config "$work/missing.conf"
expect 3 "$p11_kms" list --token other
says 'no such token in .*; it has backup$'
{
	cat "$P11_KMS_CONFIG"
	sed -e '/^\[/,$!d' -e 's/^\[token .*/[token second]/' "$P11_KMS_CONFIG"
} >several.conf
expect 2 "$p11_kms" list --config several.conf
says 'several tokens \(backup, second\): say which'
P11_KMS_CONFIG=$work/missing.conf expect 3 "$p11_kms" list
expect 3 env -u P11_KMS_CONFIG "$p11_kms" list
says 'there is no .*/home/.config/p11-kms/p11-kms.conf and no /[^ ]*/p11-kms/p11-kms.conf, and P11_KMS_CONFIG names none'
sed 's|module-path=.*|module-path=/nowhere/nolib.so|' "$P11_KMS_CONFIG" >nolib.conf
expect 4 "$p11_kms" rotate ed --config nolib.conf
says 'nolib.so can.t be loaded: cannot open'
says 'the KMS of token backup can.t be reached; see the log lines above, and whether'

step "no registry"
sed "s|^registry = .*|registry = $work/no-such.db|" "$P11_KMS_CONFIG" >no-registry.conf
expect 3 "$p11_kms" status --config no-registry.conf

step "output that does not arrive is a failure"
if "$p11_kms" help >/dev/full 2>"$work/err"; then fail "a full disk went unnoticed"; fi
says 'could not write'
