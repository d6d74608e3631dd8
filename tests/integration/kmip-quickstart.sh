#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The story of the quickstart, with the test double of a KMIP server in the HSM's place.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"
# shellcheck source=tests/kmip/lib.sh
. "$source_folder/tests/kmip/lib.sh"
kmip_need
need pkcs11-tool

step "a KMIP server, and a token with it"
kmip_start kms double
port=$kmip_port
kmip_configuration "127.0.0.1:$port" "deadline = 5s"
quietly "$p11_kms" init
quietly "$p11_kms" create job-42

step "data keys are encrypted without the server"
echo monday >"$work/monday"
kmip_stop kms
quietly "$p11_kms" encrypt job-42 --in "$work/monday" --out "$work/monday.key"
kmip_start kms double "$port"
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

step "the server is gone: encrypting goes on, decrypting fails within the deadline"
kmip_stop kms
quietly "$p11_kms" encrypt job-42 --in "$work/monday" --out "$work/wednesday.key"
began=$(now_ms)
expect_fail "$p11_kms" decrypt job-42@1 --in "$work/monday.key" --out "$work/never"
took=$(($(now_ms) - began))
[ "$took" -lt 10000 ] || fail "it took $took ms to fail"
[ ! -s "$work/never" ] || fail "something was decrypted"

step "the server is back"
kmip_start kms double "$port"
"$p11_kms" decrypt job-42 --in "$work/wednesday.key" | cmp - "$work/monday" ||
	fail "wednesday is lost"
quietly "$p11_kms" verify

step "a program that keeps running loses the server and finds it again"
cat >"$work/running.py" <<'END'
import subprocess, sys, time
import PyKCS11
module, token, ciphertext, stop, start = sys.argv[1:]
BACK, MARGIN = 2.0, 0.5  # the margin is a slow machine's
lib = PyKCS11.PyKCS11Lib()
lib.load(module)
slot = next(s for s in lib.getSlotList(tokenPresent=True)
            if lib.getTokenInfo(s).label.strip("\0 ") == token)
session = lib.openSession(slot)
key = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY),
                           (PyKCS11.CKA_LABEL, "job-42@1")])[0]
data = open(ciphertext, "rb").read()
oaep = PyKCS11.RSAOAEPMechanism(PyKCS11.CKM_SHA256, PyKCS11.CKG_MGF1_SHA256)

def decrypt():
    began = time.monotonic()
    try:
        return bytes(session.decrypt(key, data, oaep)), time.monotonic() - began
    except PyKCS11.PyKCS11Error as error:
        return error.value, time.monotonic() - began

assert decrypt()[0] == b"monday\n"
subprocess.check_call(stop, shell=True)
for _ in range(6):
    result, took = decrypt()
    assert result == PyKCS11.CKR_DEVICE_ERROR, result
    assert took < 10, took
# The breaker is open by now.
result, took = decrypt()
assert took < 1, took
subprocess.check_call(start, shell=True)
began = time.monotonic()
while decrypt()[0] != b"monday\n":
    assert time.monotonic() - began < BACK + MARGIN, "not back within 2 s"
    time.sleep(0.02)
print("  decrypts again %.2f s after the server is reachable" % (time.monotonic() - began))
END
need_file "PyKCS11 (python3-pykcs11)" /usr/lib/python3/dist-packages/PyKCS11
# The server is stopped and started by another shell, which is given what it needs to know.
cat >"$work/control.sh" <<END
srcdir='$source_folder' P11_KMS_BUILD='$build_folder' TMPDIR='$work' P11_KMS_KEEP=yes
export srcdir P11_KMS_BUILD TMPDIR P11_KMS_KEEP
. '$source_folder/tests/lib.sh'
work='$work' certificates='$certificates'
. '$source_folder/tests/kmip/lib.sh'
certificates='$certificates'
case \$1 in
stop) kmip_stop kms ;;
start) kmip_start kms double $port; at_end='' ;;
esac
END
quietly /usr/bin/python3 "$work/running.py" "$module" "$token" "$work/monday.key" \
	"sh $work/control.sh stop" "sh $work/control.sh start"
grep 'decrypts again' "$work/quiet.out"

step "no private key was ever asked for"
grep -q 'Getting a PublicKey' "$work/kms.log" || fail "the log does not tell of Get"
! grep 'Getting a PrivateKey' "$work/kms.log" || fail "a private key was fetched"
