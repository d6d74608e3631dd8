#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# refresh with many keys: nothing due; some due, with a bar on the terminal, interrupted, gone on
# with, and by two at once. Memory is judged, time is printed.
# $P11_KMS_MANY_KEYS, $P11_KMS_MANY_DUE: how many (100,000 and 1,000 take some minutes).
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

make_registry=$build_folder/tests/bench/make-registry
need_build "$make_registry"
need_pykcs11
many=${P11_KMS_MANY_KEYS:-5000}
due=${P11_KMS_MANY_DUE:-40}

# with_registry DUE: a registry of $many keys, whose authority is in the HSM.
with_registry() {
	rm -f "$hsm_folder"/registry.db* "$hsm_folder/authority.pem"
	"$make_registry" "$hsm_folder/registry.db" "$hsm_folder/authority.pem" "$many" P-256 "$1" \
		"$work/private-$1.pem"
	quietly softhsm2-util --import "$work/private-$1.pem" --token "$hsm_token" --pin "$pin" \
		--label "p11-kms authority $token" --id 617574686f72697479
}

# rotated: how many versions there are that are not the first of their key.
rotated() {
	sqlite3 "$hsm_folder/registry.db" "SELECT count(*) FROM versions WHERE number > 1"
}

need sqlite3 softhsm2-util
make_hsm
make_configuration
cd "$work"

step "$many keys, nothing due"
with_registry 0
"$python" - "$p11_kms" <<'END' || fail "refresh takes too much"
import resource, subprocess, sys, time

for name in ("the first time", "again"):
    began = time.monotonic()
    result = subprocess.run([sys.argv[1], "refresh"], capture_output=True, text=True)
    took = time.monotonic() - began
    # The HSM has none of their pairs, which is told, of some by name, and fails.
    assert result.returncode == 1 and "missing in the KMS" in result.stdout, result
    assert " 0 failed" in result.stdout and result.stderr.count("no private half") == 20, result
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"  {name}: {took:.2f} s, {used} MiB at most")
assert used < 64, f"{used} MiB"
END
[ "$(rotated)" -eq 0 ] || fail "something was rotated"

step "$due due: the terminal shows how far it is, and an interrupt ends it"
quietly softhsm2-util --delete-token --token "$hsm_token"
rm -rf "$hsm_folder"
make_hsm
make_configuration
with_registry "$due"
"$python" - "$p11_kms" "$due" <<'END' || fail "refresh on a terminal"
import os, pty, re, signal, sys

command, due = sys.argv[1], int(sys.argv[2])
process, terminal = pty.fork()
if process == 0:
    os.execv(command, [command, "refresh"])
shown, interrupted = b"", False
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:
        break
    if not read:
        break
    shown += read
    if not interrupted and re.search(rb"\] [1-9]\d*/%d\r" % due, shown):
        os.kill(process, signal.SIGINT)
        interrupted = True
status = os.waitpid(process, 0)[1]
print("  " + shown.decode().strip().split("\n")[-1].strip())
assert interrupted, shown
assert b"run `p11-kms refresh` again" in shown, shown
assert os.waitstatus_to_exitcode(status) == 1, status
END
first=$(rotated)
echo "  rotated before the interrupt: $first"
[ "$first" -lt "$due" ] || fail "the interrupt came too late to show anything"

# SoftHSM2 writes its token's file in place: one who starts just then does not see the token.
# Keys that are not due have no pair in it.
refresh_at_last() {
	"$p11_kms" refresh >"$1" 2>&1 || grep -q ' 0 failed' "$1" || {
		sleep 1
		"$p11_kms" refresh >"$1" 2>&1 || grep -q ' 0 failed' "$1"
	}
}

step "two go on at once, and nothing is rotated twice"
refresh_at_last first.out &
other=$!
refresh_at_last second.out || fail "the second: $(cat second.out)"
wait $other || fail "the first: $(cat first.out)"
# Whoever comes second to a key leaves it alone, and the number that it had put by unused.
[ "$(rotated)" -eq "$due" ] || fail "$(rotated) new versions of $due: $(cat first.out second.out)"
twice=$(sqlite3 "$hsm_folder/registry.db" \
	"SELECT name FROM versions GROUP BY name HAVING count(*) > 2")
[ -z "$twice" ] || fail "rotated twice: $twice"
expect_refusal ' 0 rotated, .* 0 failed' "$p11_kms" refresh --dry-run
[ "$(rotated)" -eq "$due" ] || fail "something was due still"
