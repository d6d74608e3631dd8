#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The story of the quickstart, with two KMIP servers (test doubles, one database) in the HSM's place.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"
# shellcheck source=tests/kmip/lib.sh
. "$source_folder/tests/kmip/lib.sh"
kmip_need
need pkcs11-tool

deadline_ms=5000
slack_ms=1000 # a slow machine's

servers_start() {
	kmip_start first double "$first"
	kmip_start second double "$second"
}

servers_stop() {
	kmip_stop first
	kmip_stop second
}

# fails_in_time: decrypting does, and nothing comes of it.
fails_in_time() {
	began=$(now_ms)
	expect_fail "$p11_kms" decrypt job-42@1 --in "$work/monday.key" --out "$work/never"
	took=$(($(now_ms) - began))
	echo "  it fails after $took ms"
	[ "$took" -lt $((deadline_ms + slack_ms)) ] || fail "it took $took ms to fail"
	[ ! -s "$work/never" ] || fail "something was decrypted"
}

step "two KMIP servers with the same keys, and a token with them"
kmip_database=$work/keys.db
first=$(free_port)
second=$(free_port)
servers_start
kmip_configuration "127.0.0.1:$first,127.0.0.1:$second" "deadline = ${deadline_ms}ms"
quietly "$p11_kms" init
quietly "$p11_kms" create job-42

step "data keys are encrypted without the server"
echo monday >"$work/monday"
servers_stop
quietly "$p11_kms" encrypt job-42 --in "$work/monday" --out "$work/monday.key"
servers_start
"$p11_kms" decrypt job-42@1 --in "$work/monday.key" | cmp - "$work/monday" || fail "monday is lost"

step "the key rotates, older versions still decrypt"
quietly "$p11_kms" rotate job-42
echo tuesday >"$work/tuesday"
quietly "$p11_kms" encrypt job-42 --in "$work/tuesday" --out "$work/tuesday.key"
expect_fail "$p11_kms" decrypt job-42@1 --in "$work/tuesday.key"
"$p11_kms" decrypt job-42@2 --in "$work/tuesday.key" | cmp - "$work/tuesday" ||
	fail "tuesday is lost"
"$p11_kms" decrypt job-42@1 --in "$work/monday.key" | cmp - "$work/monday" || fail "monday is lost"

step "what others encrypted with the public key: OAEP with SHA-1, and a 2048-bit key by its id"
quietly "$p11_kms" create veeam --algorithm rsa-2048 --id 5645454d01
public_key 5645454d01 "$work/veeam.pem"
openssl pkeyutl -encrypt -pubin -inkey "$work/veeam.pem" -pkeyopt rsa_padding_mode:oaep \
	-pkeyopt rsa_oaep_md:sha1 -in "$work/monday" -out "$work/veeam.key"
quietly pkcs11-tool --module "$module" --token-label "$token" --decrypt --id 5645454d01 \
	--mechanism RSA-PKCS-OAEP --hash-algorithm SHA-1 --input-file "$work/veeam.key" \
	--output-file "$work/veeam.out"
cmp "$work/veeam.out" "$work/monday" || fail "not decrypted by id"

step "the first server is killed: the second does it"
kmip_kill_hard first
"$p11_kms" decrypt job-42 --in "$work/tuesday.key" | cmp - "$work/tuesday" ||
	fail "not decrypted by the second"
quietly "$p11_kms" rotate job-42

step "both are gone: encrypting goes on, decrypting fails within the deadline"
kmip_stop second
quietly "$p11_kms" encrypt job-42 --in "$work/monday" --out "$work/wednesday.key"
fails_in_time

step "they are back"
servers_start
"$p11_kms" decrypt job-42 --in "$work/wednesday.key" | cmp - "$work/monday" ||
	fail "wednesday is lost"
quietly "$p11_kms" verify

step "both hang: the same, within the deadline"
kill -STOP "$(cat "$work/first.pid")" "$(cat "$work/second.pid")"
quietly "$p11_kms" encrypt job-42 --in "$work/monday" --out "$work/thursday.key"
fails_in_time
kill -CONT "$(cat "$work/first.pid")" "$(cat "$work/second.pid")"
"$p11_kms" decrypt job-42 --in "$work/thursday.key" | cmp - "$work/monday" ||
	fail "thursday is lost"

step "a program that keeps running loses the first, then both, and finds them again"
need_pykcs11
cat >"$work/running.py" <<'END'
import subprocess, sys, time
import PyKCS11
module, token, ciphertext, control, deadline, slack = sys.argv[1:]
deadline, slack = int(deadline) / 1000, int(slack) / 1000
BACK = 2.0
lib = PyKCS11.PyKCS11Lib()
lib.load(module)
slot = next(s for s in lib.getSlotList(tokenPresent=True)
            if lib.getTokenInfo(s).label.strip("\0 ") == token)
session = lib.openSession(slot)

def find(kind, label):
    return session.findObjects([(PyKCS11.CKA_CLASS, kind), (PyKCS11.CKA_LABEL, label)])[0]

public, private = find(PyKCS11.CKO_PUBLIC_KEY, "job-42"), find(PyKCS11.CKO_PRIVATE_KEY, "job-42")
old = find(PyKCS11.CKO_PRIVATE_KEY, "job-42@1")
monday = open(ciphertext, "rb").read()
oaep = PyKCS11.RSAOAEPMechanism(PyKCS11.CKM_SHA256, PyKCS11.CKG_MGF1_SHA256)

def decrypt(key=old, data=monday):
    began = time.monotonic()
    try:
        return bytes(session.decrypt(key, data, oaep)), time.monotonic() - began
    except PyKCS11.PyKCS11Error as error:
        return error.value, time.monotonic() - began

def run(*words):
    subprocess.check_call(["sh", control, *words])

assert decrypt()[0] == b"monday\n"
# Killed in the middle: no call fails.
killing = None
done = after = 0
while after < 20:
    if done == 20:
        killing = subprocess.Popen(["sh", control, "kill", "first"])
    after += killing is not None and killing.poll() is not None
    result, took = decrypt()
    assert result == b"monday\n", result
    assert took < deadline + slack, took
    done += 1
assert killing.returncode == 0
print("  %d decrypted before, while and after the first was killed" % done)

run("stop", "second")
new = bytes(session.encrypt(public, b"friday\n", oaep))
for _ in range(6):
    result, took = decrypt()
    assert result == PyKCS11.CKR_DEVICE_ERROR, result
    assert took < deadline + slack, took
# The breaker is open by now.
result, took = decrypt()
assert result == PyKCS11.CKR_DEVICE_ERROR and took < 1, took
new = [new, bytes(session.encrypt(public, b"friday\n", oaep))]

run("start", "second")
began = time.monotonic()
while decrypt()[0] != b"monday\n":
    assert time.monotonic() - began < BACK + slack, "not back within 2 s"
    time.sleep(0.02)
print("  decrypts again %.2f s after the server is reachable" % (time.monotonic() - began))
assert [decrypt(private, data)[0] for data in new] == 2 * [b"friday\n"]
run("start", "first")
assert decrypt()[0] == b"monday\n"
END
# The servers are stopped and started by another shell, which is given what it needs to know.
cat >"$work/control.sh" <<END
srcdir='$source_folder' P11_KMS_BUILD='$build_folder' TMPDIR='$work' P11_KMS_KEEP=yes
export srcdir P11_KMS_BUILD TMPDIR P11_KMS_KEEP
. '$source_folder/tests/lib.sh'
work='$work' certificates='$certificates' kmip_database='$kmip_database'
. '$source_folder/tests/kmip/lib.sh'
certificates='$certificates'
case \$1\$2 in
killfirst) kmip_kill_hard first ;;
stopsecond) kmip_stop second ;;
startfirst) kmip_start first double $first; at_end='' ;;
startsecond) kmip_start second double $second; at_end='' ;;
*) exit 2 ;;
esac
END
quietly "$python" "$work/running.py" "$module" "$token" "$work/monday.key" "$work/control.sh" \
	"$deadline_ms" "$slack_ms"
grep -E 'decrypts again|decrypted before' "$work/quiet.out"

step "no private key was ever asked for"
cat "$work/first.log" "$work/second.log" >"$work/log"
grep -q 'Getting a PublicKey' "$work/log" || fail "the logs do not tell of Get"
! grep 'Getting a PrivateKey' "$work/log" || fail "a private key was fetched"
