#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PyKCS11: generates, finds, encrypts, decrypts, signs; OpenSSL checks.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need_pykcs11
need openssl
make_token --no-pin-source
cd "$work"

step "a session of PyKCS11"
"$python" - "$module" "$token" "$pin" <<'END'
import subprocess, sys
import PyKCS11 as P
from client import Token, OAEP_SHA256, PSS_SHA256

token = Token(*sys.argv[1:])
session = token.session

def openssl(*arguments, data=None):
    run = subprocess.run(["openssl", *arguments], input=data, capture_output=True)
    assert run.returncode == 0, (arguments, run.stderr)
    return run.stdout

def write(name, data):
    with open(name, "wb") as file:
        file.write(bytes(data))

print("# generates a pair with the templates of PyKCS11's own examples")
identifier = (0x01, 0x42)
public_template = [
    (P.CKA_CLASS, P.CKO_PUBLIC_KEY), (P.CKA_TOKEN, P.CK_TRUE), (P.CKA_PRIVATE, P.CK_FALSE),
    (P.CKA_MODULUS_BITS, 0x0800), (P.CKA_PUBLIC_EXPONENT, (0x01, 0x00, 0x01)),
    (P.CKA_ENCRYPT, P.CK_TRUE), (P.CKA_VERIFY, P.CK_TRUE), (P.CKA_VERIFY_RECOVER, P.CK_TRUE),
    (P.CKA_WRAP, P.CK_TRUE), (P.CKA_LABEL, "python"), (P.CKA_ID, identifier),
]
private_template = [
    (P.CKA_CLASS, P.CKO_PRIVATE_KEY), (P.CKA_TOKEN, P.CK_TRUE), (P.CKA_PRIVATE, P.CK_TRUE),
    (P.CKA_DECRYPT, P.CK_TRUE), (P.CKA_SIGN, P.CK_TRUE), (P.CKA_SIGN_RECOVER, P.CK_TRUE),
    (P.CKA_UNWRAP, P.CK_TRUE), (P.CKA_LABEL, "python"), (P.CKA_ID, identifier),
]
made = session.generateKeyPair(public_template, private_template)

print("# finds it by label, and by id")
public = token.find(P.CKO_PUBLIC_KEY, label="python")[0]
private = token.find(P.CKO_PRIVATE_KEY, label="python")[0]
assert [public.value(), private.value()] == [made[0].value(), made[1].value()]
assert len(session.findObjects([(P.CKA_ID, identifier)])) == 2
write("public.der", token.spki(public))

print("# encrypts, and decrypts")
ciphertext = session.encrypt(public, b"a data key", OAEP_SHA256)
assert bytes(session.decrypt(private, ciphertext, OAEP_SHA256)) == b"a data key"

print("# decrypts what OpenSSL encrypted")
write("plaintext", b"another data key")
openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "public.der", "-in",
        "plaintext", "-out", "ciphertext", "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt",
        "rsa_oaep_md:sha256")
with open("ciphertext", "rb") as file:
    ciphertext = file.read()
assert bytes(session.decrypt(private, ciphertext, OAEP_SHA256)) == b"another data key"

print("# signs what OpenSSL verifies")
write("message", b"what is signed")
signature = session.sign(private, b"what is signed", P.Mechanism(P.CKM_SHA256_RSA_PKCS))
write("signature", signature)
openssl("dgst", "-sha256", "-verify", "public.der", "-keyform", "DER", "-signature",
        "signature", "message")
assert session.verify(public, b"what is signed", signature, P.Mechanism(P.CKM_SHA256_RSA_PKCS))
assert not session.verify(public, b"what is not", signature, P.Mechanism(P.CKM_SHA256_RSA_PKCS))
signature = session.sign(private, b"what is signed", PSS_SHA256)
write("signature", signature)
openssl("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32",
        "-verify", "public.der", "-keyform", "DER", "-signature", "signature", "message")

print("# a changed ciphertext, a secret attribute, a destroyed key")
changed = bytearray(ciphertext)
changed[99] ^= 1
token.refuses("CKR_ENCRYPTED_DATA_INVALID", session.decrypt, private, bytes(changed), OAEP_SHA256)
assert session.getAttributeValue(private, [P.CKA_PRIVATE_EXPONENT]) == [None]
session.destroyObject(private)
assert token.find(P.CKO_PUBLIC_KEY, label="python") == []
assert token.find(P.CKO_PRIVATE_KEY, label="python") == []

print("# digests and random numbers")
assert bytes(session.digest(b"abc", P.Mechanism(P.CKM_SHA256))).hex().startswith("ba7816bf")
assert bytes(session.generateRandom(32)) != bytes(session.generateRandom(32))
token.close()
END
