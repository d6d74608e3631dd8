#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# refresh --dry-run says what is due, and writes nothing: neither the registry nor what lies
# beside it, and not what was seen of it. A user who may write none of that can run it.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need sqlite3 strace pkcs11-tool
make_token
cd "$work"
mkdir shared
sed "s|^registry = .*|registry = $work/shared/registry.db|" "$P11_KMS_CONFIG" >shared.conf
mv "$hsm_folder"/registry.db* shared
export P11_KMS_CONFIG="$work/shared.conf"
chmod 600 shared.conf
registry=$work/shared/registry.db

# snapshot FILE: each file in the registry's folder and the user's, its content, when that changed.
snapshot() {
	find "$work/shared" "$work/home" -printf '%p %s %T@ %u %m\n' | sort >"$1"
	find "$work/shared" "$work/home" -type f -exec sha256sum {} + | sort >>"$1"
}

# writes_nothing WHAT: refresh --dry-run, looked at from outside.
writes_nothing() {
	snapshot before
	quietly strace -f -e trace=%file,%desc -o traced "$p11_kms" refresh --dry-run --json
	cp quiet.out summary.json
	snapshot after
	cmp before after || fail "refresh --dry-run, $1, changed: $(diff before after)"
	# SQLite opens its log (-wal) as it always does, and leaves it alone.
	if grep -E '"'"$work/(shared|home)"'[^"]*".*O_(WRONLY|RDWR|CREAT)' traced | grep -v -e '-wal"'; then
		fail "refresh --dry-run, $1, opens to write"
	fi
}

# would EXPRESSION: of the summary, which is in x.
would() {
	python3 -c 'import json, sys
x = json.load(open("summary.json"))
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1" || fail "not so: $1: $(cat summary.json)"
}

step "a key that is due, one past its grace, an interrupted creation"
quietly "$p11_kms" create due --rotate-every 1s --algorithm p-256
quietly "$p11_kms" create old --set destroy-after=1s --algorithm p-256
quietly "$p11_kms" destroy old@1 --yes
quietly pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" \
	--keypairgen --key-type EC:prime256v1 --id 77 --label nobody@1 --usage-sign
sqlite3 "$registry" "INSERT INTO intents (id, name, number, since)
	VALUES (x'77', 'nobody', 1, strftime('%s') - 3600)"
sleep 2
rm -rf "$XDG_STATE_HOME"
writes_nothing "of a registry that was never seen here"
would 'x["dry_run"] and x["rotated"] == 1 and x["purged"] == 1 and x["undone"] == 1'
would 'x["failed"] == 0'

step "again, where it was seen, and after a writer has gone"
quietly "$p11_kms" list
quietly "$p11_kms" create more --algorithm p-256
writes_nothing "of one that was"
would 'x["rotated"] == 1 and x["purged"] == 1 and x["undone"] == 1'

step "of a copy without side files"
sqlite3 "$registry" ".backup '$work/copy.db'"
rm -f "$registry"-wal "$registry"-shm
mv copy.db "$registry"
writes_nothing "of a copy"
would 'x["rotated"] == 1'
for side in wal shm; do
	[ ! -e "$registry-$side" ] || fail "it has made side files"
done

step "while somebody is writing, who is not kept from it"
python3 - "$registry" "$p11_kms" <<'END' || fail "see above"
import sqlite3, subprocess, sys

with sqlite3.connect(sys.argv[1], isolation_level=None) as writer:
    writer.execute("BEGIN IMMEDIATE")
    subprocess.run([sys.argv[2], "refresh", "--dry-run"], check=True, timeout=30)
    writer.execute("UPDATE intents SET since = since - 1")
    writer.execute("COMMIT")
END

step "of a registry in a folder with odd characters"
mkdir 'shared/50% #1?'
cp "$registry" 'shared/50% #1?/registry.db'
sed "s|^registry = .*|registry = $work/shared/50% #1?/registry.db|" shared.conf >odd.conf
chmod 600 odd.conf
export P11_KMS_CONFIG="$work/odd.conf"
writes_nothing "of odd folders"
quietly "$p11_kms" list
writes_nothing "of odd folders with side files"
would 'x["rotated"] == 1'
export P11_KMS_CONFIG="$work/shared.conf"

step "by a user who may write nothing of it"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null 2>&1; then
	give_to_nobody
	# SoftHSM2 writes to its own folder.
	cp -r "$hsm_folder" nobodys-hsm
	sed "s|$hsm_folder|$work/nobodys-hsm|" "$SOFTHSM2_CONF" >nobodys-hsm/softhsm2.conf
	chown -R 65534:65534 nobodys-hsm
	sed "s|^pin-source = .*|pin-source = $work/nobodys-hsm/pin|; s|$hsm_folder|$work/nobodys-hsm|" \
		shared.conf >nobodys.conf
	chmod 644 nobodys.conf
	snapshot before
	SOFTHSM2_CONF=$work/nobodys-hsm/softhsm2.conf P11_KMS_CONFIG=$work/nobodys.conf \
		as_nobody "$nobodys_command" refresh --dry-run --json >summary.json 2>said ||
		fail "nobody's refresh --dry-run: $(cat said)"
	grep -q 'stays in the KMS: this host can.t keep what it has seen' said ||
		fail "it does not tell that it would undo nothing: $(cat said)"
	snapshot after
	cmp before after || fail "nobody's refresh --dry-run changed: $(diff before after)"
	would 'x["rotated"] == 1 and x["purged"] == 1 and x["undone"] == 0 and x["failed"] == 0'
fi

step "what it said is what refresh does"
quietly "$p11_kms" refresh --json
cp quiet.out summary.json
would 'x["rotated"] == 1 and x["purged"] == 1 and x["undone"] == 1'
