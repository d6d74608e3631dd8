#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The KMS goes away and comes back, under a program that runs and under programs that start:
# public keys go on working, private ones fail within the deadline, and work again by themselves.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need_pykcs11
make_token
sed -i '/^registry/i deadline = 2s' "$P11_KMS_CONFIG"
quietly "$p11_kms" create job-42 --algorithm rsa-2048
quietly "$p11_kms" create signer --algorithm p-256

"$python" - "$module" "$token" "$p11_kms" "$hsm_folder/tokens" <<'END' || fail "see above"
import os, subprocess, sys, time
import PyKCS11 as P
from client import Token, OAEP_SHA256

module, label, p11_kms, tokens = sys.argv[1:]
DEADLINE, BACK, MARGIN = 2.0, 2.0, 0.5
AWAY = ("CKR_DEVICE_ERROR",)  # shows C_Login, C_Sign: CKR_DEVICE_ERROR
ECDSA = P.Mechanism(P.CKM_ECDSA)
digest = bytes(range(32))
token = Token(module, label)
session = token.session


def find(kind, name):
    return token.find(kind, label=name)[0]


public, private = find(P.CKO_PUBLIC_KEY, "job-42"), find(P.CKO_PRIVATE_KEY, "job-42")
verifying, signing = find(P.CKO_PUBLIC_KEY, "signer"), find(P.CKO_PRIVATE_KEY, "signer")


def timed(limit, call, *arguments):
    began = time.monotonic()
    result = call(*arguments)
    took = time.monotonic() - began
    assert took <= limit, f"{call.__name__} took {took:.2f} s, more than {limit}"
    return result


def command(*arguments, data=None):
    return subprocess.run([p11_kms, *arguments], input=data, capture_output=True, timeout=30)


def works():
    ciphertext = bytes(session.encrypt(public, b"a data key", OAEP_SHA256))
    assert bytes(session.decrypt(private, ciphertext, OAEP_SHA256)) == b"a data key"
    signature = session.sign(signing, digest, ECDSA)
    assert session.verify(verifying, digest, signature, ECDSA)
    return ciphertext, signature


def works_in_time():
    """Private keys work again within BACK seconds, with no help."""
    end = time.monotonic() + BACK
    while True:
        try:
            return works()
        except P.PyKCS11Error as error:
            if time.monotonic() > end:
                raise AssertionError(f"still {error} {BACK} s after the KMS is back")
            time.sleep(0.05)


print("# while the KMS is there")
ciphertext, signature = works()
encrypted = command("encrypt", "job-42", data=b"by the command").stdout

for outage in range(2):
    print(f"# outage {outage + 1}: the token's files are gone")
    os.rename(tokens, tokens + ".away")

    print("#   public keys: a running program, and a new one")
    for i in range(20):
        timed(0.2, session.encrypt, public, b"during the outage %d" % i, OAEP_SHA256)
        assert timed(0.2, session.verify, verifying, digest, signature, ECDSA)
        assert token.find(P.CKO_PUBLIC_KEY, label="job-42")
    run = command("encrypt", "job-42", data=b"a new program")
    assert run.returncode == 0, run.stderr

    print("#   private keys: within the deadline, with CKR_DEVICE_ERROR")
    timed(DEADLINE + MARGIN, token.refuses, AWAY, session.decrypt, private, ciphertext, OAEP_SHA256)
    timed(DEADLINE + MARGIN, token.refuses, AWAY, session.sign, signing, digest, ECDSA)
    for i in range(5):
        timed(DEADLINE + MARGIN, token.refuses, AWAY, session.sign, signing, digest, ECDSA)
    info = session.getSessionInfo()
    assert info.state in (P.CKS_RW_USER_FUNCTIONS, P.CKS_RW_PUBLIC_SESSION)
    began = time.monotonic()
    run = command("decrypt", "job-42", data=encrypted)
    assert run.returncode != 0 and run.returncode > 0, run
    assert b"KMS" in run.stderr, run.stderr
    assert time.monotonic() - began < DEADLINE + 3, "a new program took too long to fail"

    print("#   back: by itself")
    os.rename(tokens + ".away", tokens)
    ciphertext, signature = works_in_time()
    run = command("decrypt", "job-42", data=encrypted)
    assert run.returncode == 0 and run.stdout == b"by the command", run

token.close()
END

step "where the application logs in: it stays logged in, and nobody is told a wrong PIN"
make_configuration --no-pin-source
sed -i '/^registry/i deadline = 2s' "$P11_KMS_CONFIG"
"$python" - "$module" "$token" "$pin" "$hsm_folder/tokens" <<'END' || fail "see above"
import os, subprocess, sys, time
import PyKCS11 as P
from client import Token

module, label, pin, tokens = sys.argv[1:]
ECDSA = P.Mechanism(P.CKM_ECDSA)
digest = bytes(range(32))
token = Token(module, label, pin)
signing = token.find(P.CKO_PRIVATE_KEY, label="signer")[0]
token.session.sign(signing, digest, ECDSA)

NEW_PROGRAM = """
import sys
import PyKCS11 as P
from client import Token
token = Token(*sys.argv[1:3])
token.refuses("CKR_DEVICE_ERROR", token.session.login, sys.argv[3])
assert token.find(P.CKO_PUBLIC_KEY, label="signer")
"""

os.rename(tokens, tokens + ".away")
token.refuses("CKR_DEVICE_ERROR", token.session.sign, signing, digest, ECDSA)
began = time.monotonic()
subprocess.run([sys.executable, "-c", NEW_PROGRAM, module, label, pin], check=True)
assert time.monotonic() - began < 4
os.rename(tokens + ".away", tokens)

end = time.monotonic() + 2
while True:
    try:
        signature = token.session.sign(signing, digest, ECDSA)
        break
    except P.PyKCS11Error as error:
        assert time.monotonic() < end, f"still {error} 2 s after the KMS is back"
        time.sleep(0.05)
verifying = token.find(P.CKO_PUBLIC_KEY, label="signer")[0]
assert token.session.verify(verifying, digest, signature, ECDSA)
other = Token(module, label)
other.refuses(("CKR_USER_ALREADY_LOGGED_IN", "CKR_PIN_INCORRECT"), other.session.login, "wrong-pin")
token.close()
END
