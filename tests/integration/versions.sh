#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Versions of a key, as a running program sees them: by label the current one, by NAME@VERSION
# or CKA_ID any; old ones protect nothing any more and decrypt all they ever did.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need_pykcs11
make_token
quietly "$p11_kms" create job-42 --algorithm rsa-2048

"$python" - "$module" "$token" "$p11_kms" <<'END' || fail "see above"
import subprocess, sys
import PyKCS11 as P
from client import Token, OAEP_SHA256

module, label, p11_kms = sys.argv[1:]
token = Token(module, label)
session = token.session


def rotate():
    subprocess.run([p11_kms, "rotate", "job-42"], check=True, capture_output=True)


def public(name):
    found = token.find(P.CKO_PUBLIC_KEY, label=name)
    assert len(found) == 1, (name, len(found))
    return found[0]


def labels(kind):
    return [token.value(found, P.CKA_LABEL) for found in token.find(kind)]


print("# a program that is running encrypts with the first version")
ciphertexts, identifiers = [], []
for number in range(1, 5):
    key = public("job-42")
    identifiers.append(token.identifier(key))
    ciphertexts.append(bytes(session.encrypt(key, b"backup %d" % number, OAEP_SHA256)))
    old = key
    print(f"# rotation {number}, while it runs; no restart")
    rotate()
    new = public("job-42")
    assert token.identifier(new) != identifiers[-1]
    # The handle that the program still holds is the old version's, which encrypts no more.
    token.refuses("CKR_KEY_FUNCTION_NOT_PERMITTED", session.encrypt, old, b"too late", OAEP_SHA256)
    assert token.value(old, P.CKA_LABEL) == f"job-42@{number}"
assert len(set(identifiers)) == 4

print("# one object each for the label, the others are NAME@VERSION, newest first")
expected = ["job-42", "job-42@4", "job-42@3", "job-42@2", "job-42@1"]
assert labels(P.CKO_PUBLIC_KEY) == expected, labels(P.CKO_PUBLIC_KEY)
assert labels(P.CKO_PRIVATE_KEY) == expected, labels(P.CKO_PRIVATE_KEY)
assert token.find(P.CKO_PUBLIC_KEY, label="job-42@5") == []
assert token.find(P.CKO_PUBLIC_KEY, label="job-42@99") == []

print("# every old version says what it may, and is refused what it may not")
for number in range(1, 5):
    name = f"job-42@{number}"
    key, private = public(name), token.find(P.CKO_PRIVATE_KEY, label=name)[0]
    assert token.identifier(key) == token.identifier(private) == identifiers[number - 1]
    assert not token.value(key, P.CKA_ENCRYPT)
    assert not token.value(key, P.CKA_WRAP)
    assert token.value(key, P.CKA_VERIFY)
    assert not token.value(private, P.CKA_SIGN)
    assert token.value(private, P.CKA_DECRYPT)
    token.refuses("CKR_KEY_FUNCTION_NOT_PERMITTED", session.encrypt, key, b"late", OAEP_SHA256)
    token.refuses("CKR_KEY_FUNCTION_NOT_PERMITTED", session.sign, private, b"late",
                  P.Mechanism(P.CKM_SHA256_RSA_PKCS))

print("# each decrypts what it once encrypted, found by NAME@VERSION and by CKA_ID")
for number, (identifier, ciphertext) in enumerate(zip(identifiers, ciphertexts), 1):
    for found in (token.find(P.CKO_PRIVATE_KEY, label=f"job-42@{number}"),
                  token.find(P.CKO_PRIVATE_KEY, identifier=identifier)):
        assert len(found) == 1
        plaintext = bytes(session.decrypt(found[0], ciphertext, OAEP_SHA256))
        assert plaintext == b"backup %d" % number

print("# C_GenerateKeyPair with the label in use makes the next version")
template = [(P.CKA_TOKEN, True), (P.CKA_LABEL, "job-42")]
session.generateKeyPair(template + [(P.CKA_MODULUS_BITS, 2048)], template)
assert labels(P.CKO_PUBLIC_KEY)[:2] == ["job-42", "job-42@5"], labels(P.CKO_PUBLIC_KEY)

print("# a version that is destroyed is gone, and the others stay; restored, it is back")
first = identifiers[0].hex()
subprocess.run([p11_kms, "destroy", "job-42@1", "--yes"], check=True, capture_output=True)
assert token.find(P.CKO_PRIVATE_KEY, identifier=identifiers[0]) == []
assert token.find(P.CKO_PUBLIC_KEY, label="job-42@1") == []
assert len(token.find(P.CKO_PRIVATE_KEY)) == 5
subprocess.run([p11_kms, "restore", "--id", first], check=True, capture_output=True)
found = token.find(P.CKO_PRIVATE_KEY, identifier=identifiers[0])
assert bytes(session.decrypt(found[0], ciphertexts[0], OAEP_SHA256)) == b"backup 1"

print("# C_DestroyObject on the current version: no current one, until the next rotation")
session.destroyObject(token.find(P.CKO_PRIVATE_KEY, label="job-42")[0])
assert token.find(P.CKO_PUBLIC_KEY, label="job-42") == []
rotate()
assert len(token.find(P.CKO_PUBLIC_KEY, label="job-42")) == 1
token.close()
END
