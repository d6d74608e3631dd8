#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Key pairs with CKA_TOKEN false: used through the HSM, gone with their session and at logout.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need_pykcs11
need pkcs11-tool
make_token --no-pin-source

step "pairs of a session"
"$python" - "$module" "$token" "$pin" "$hsm_module" <<'END'
import sys
from PyKCS11 import *

library = PyKCS11Lib()
library.load(sys.argv[1])
slot = library.getSlotList(True)[0]
session = library.openSession(slot, CKF_SERIAL_SESSION)
other = library.openSession(slot, CKF_SERIAL_SESSION)

def rsa(bits, **more):
    return session.generateKeyPair(
        [(CKA_TOKEN, False), (CKA_MODULUS_BITS, bits), (CKA_PUBLIC_EXPONENT, (1, 0, 1)),
         (CKA_LABEL, "s")], [(CKA_TOKEN, False), (CKA_LABEL, "s")])

def refused(code, call):
    try:
        call()
    except PyKCS11Error as error:
        assert error.value == code, error
        return
    raise AssertionError("not refused")

refused(CKR_USER_NOT_LOGGED_IN, lambda: rsa(2048))
session.login(sys.argv[3])
for bits in (1024, 1536, 2048):
    public, private = rsa(bits)
    hashed = Mechanism(CKM_SHA256_RSA_PKCS, None)
    signature = session.sign(private, b"message", hashed)
    assert len(signature) == bits // 8
    assert session.verify(public, b"message", signature, hashed)
    assert not session.verify(public, b"massage", signature, hashed)
    oaep = RSAOAEPMechanism(CKM_SHA256, CKG_MGF1_SHA256)
    assert bytes(session.decrypt(private, session.encrypt(public, b"secret", oaep), oaep)) == b"secret"
refused(CKR_KEY_SIZE_RANGE, lambda: rsa(512))

p256 = bytes.fromhex("06082a8648ce3d030107")
public, private = session.generateKeyPair(
    [(CKA_TOKEN, False), (CKA_EC_PARAMS, p256)], [(CKA_TOKEN, False), (CKA_SIGN, True)],
    mecha=Mechanism(CKM_EC_KEY_PAIR_GEN, None))
raw = Mechanism(CKM_ECDSA, None)
signature = session.sign(private, b"d" * 32, raw)
assert other.verify(public, b"d" * 32, signature, raw)
assert session.getAttributeValue(private, [CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_LOCAL,
    CKA_NEVER_EXTRACTABLE, CKA_TOKEN, CKA_PRIVATE]) == [True, False, True, True, False, True]
assert session.getAttributeValue(private, [CKA_VALUE]) == [None]
refused(CKR_TEMPLATE_INCONSISTENT, lambda: session.generateKeyPair(
    [(CKA_TOKEN, True), (CKA_EC_PARAMS, p256)], [(CKA_TOKEN, False)],
    mecha=Mechanism(CKM_EC_KEY_PAIR_GEN, None)))

print("# none of it is on the token")
assert session.findObjects([(CKA_TOKEN, True)]) == []
assert len(session.findObjects([(CKA_TOKEN, False)])) == 8

print("# a private half leaves the HSM with its object, though the public one stays")
# The HSM's module is in this process, too, and initialised and logged in to already.
hsm = PyKCS11Lib()
hsm.load(sys.argv[4])
inside = hsm.openSession(hsm.getSlotList(True)[0], CKF_SERIAL_SESSION)
in_hsm = [(CKA_TOKEN, False), (CKA_CLASS, CKO_PRIVATE_KEY)]
before = len(inside.findObjects(in_hsm))
assert before == 4, before
session.destroyObject(private)
assert other.verify(public, b"d" * 32, signature, raw)
assert len(inside.findObjects(in_hsm)) == 3

print("# private halves end at logout, the others with the session")
session.logout()
assert len(other.findObjects([(CKA_TOKEN, False)])) == 4
refused(CKR_KEY_HANDLE_INVALID, lambda: other.sign(private, b"d" * 32, raw))
session.closeSession()
assert other.findObjects([(CKA_TOKEN, False)]) == []
END

step "nothing is left in the HSM"
left=$(pkcs11-tool --module "$hsm_module" --token-label "$hsm_token" --login --pin "$pin" \
	--list-objects --type privkey 2>/dev/null | grep -c '^Private Key Object')
[ "$left" -eq 1 ] || fail "the HSM holds $left private keys, and not the authority's alone"
