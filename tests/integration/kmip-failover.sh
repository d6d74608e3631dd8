#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two KMIP servers with the same keys: the first dies, stalls and comes back under a program
# that keeps running.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"
# shellcheck source=tests/kmip/lib.sh
. "$source_folder/tests/kmip/lib.sh"
kmip_need
need_pykcs11

step "two servers, a key"
kmip_database=$work/keys.db
kmip_start first double
first=$kmip_port
kmip_start second double
second=$kmip_port
kmip_configuration "127.0.0.1:$first,127.0.0.1:$second" "deadline = 8s"
quietly "$p11_kms" init
quietly "$p11_kms" create job-42
echo secret >"$work/plain"
quietly "$p11_kms" encrypt job-42 --in "$work/plain" --out "$work/cipher"

# The program decrypts all the time, says how it goes, and ends when it is told to.
cat >"$work/running.py" <<'END'
import os, sys, time
import PyKCS11
module, token, work = sys.argv[1:]
lib = PyKCS11.PyKCS11Lib()
lib.load(module)
slot = next(s for s in lib.getSlotList(tokenPresent=True)
            if lib.getTokenInfo(s).label.strip("\0 ") == token)
session = lib.openSession(slot)
key = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY),
                           (PyKCS11.CKA_LABEL, "job-42")])[0]
data = open(os.path.join(work, "cipher"), "rb").read()
oaep = PyKCS11.RSAOAEPMechanism(PyKCS11.CKM_SHA256, PyKCS11.CKG_MGF1_SHA256)
done = failed = 0
longest = 0
while not os.path.exists(os.path.join(work, "end")):
    began = time.monotonic()
    try:
        assert bytes(session.decrypt(key, data, oaep)) == b"secret\n"
        done += 1
    except PyKCS11.PyKCS11Error as error:
        print(error)
        failed += 1
    longest = max(longest, time.monotonic() - began)
    with open(os.path.join(work, "done.new"), "w") as file:
        file.write("%d\n" % done)
    os.rename(os.path.join(work, "done.new"), os.path.join(work, "done"))
    time.sleep(0.01)
print("  %d decrypted, %d failed, the longest took %.1f s" % (done, failed, longest))
END

decrypted() {
	[ "$(cat "$work/done" 2>/dev/null || echo 0)" -ge "$1" ]
}

# ten_more: it goes on.
ten_more() {
	wait_for 60 decrypted $(($(cat "$work/done") + 10)) || fail "it does not go on"
}

# asked NAME: how often a server has decrypted.
asked() {
	grep -c 'by the test double' "$work/$1.log" || true
}

more_than() {
	[ "$(asked "$1")" -gt "$2" ]
}

"$python" "$work/running.py" "$module" "$token" "$work" >"$work/running.out" 2>&1 &
program=$!
at_end="kill $program 2>/dev/null; $at_end"
wait_for 60 decrypted 10 || fail "it does not decrypt"

step "the first is killed: the second takes over, and no call fails"
[ "$(asked second)" -eq 0 ] || fail "the second was asked without need"
kmip_kill_hard first
ten_more
[ "$(asked second)" -ge 10 ] || fail "the second was not asked"

step "the first is back, and is asked again"
before=$(asked first)
kmip_start first double "$first"
# It is passed over for at most 8 s; for as long again when the machine is too busy to shake hands
# within half a second, which is more than enough for the next try.
began=$(now_ms)
wait_for 18 more_than first "$before" || fail "the first is not asked again"
echo "  after $(($(now_ms) - began)) ms"
ten_more

step "the first stalls: it costs a part of the deadline, once in a while"
kill -STOP "$(cat "$work/first.pid")"
ten_more
kill -CONT "$(cat "$work/first.pid")"

step "no call has failed"
: >"$work/end"
wait "$program" || true
cat "$work/running.out"
grep -q ', 0 failed' "$work/running.out" || fail "calls failed"

step "p11-kms verify tells which of them is away"
kmip_kill_hard first
expect_match "127.0.0.1:$first does not answer: no connection: " "$p11_kms" verify --json
grep -q "127.0.0.1:$second speaks KMIP .*1\.4 is used, over TLSv1.2" "$work/match.out" ||
	fail "nothing of the second"
grep -q "127.0.0.1:$second has the operations Create, .*Sign" "$work/match.out" ||
	fail "no operations"
quietly "$p11_kms" rotate job-42

step "no private key was ever asked for"
cat "$work/first.log" "$work/second.log" >"$work/log"
grep -q 'Getting a PublicKey' "$work/log" || fail "the logs do not tell of Get"
! grep 'Getting a PrivateKey' "$work/log" || fail "a private key was fetched"
