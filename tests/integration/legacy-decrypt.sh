#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# legacy-decrypt: PKCS#1 v1.5 decrypts and unwraps, raw RSA decrypts, and a bad padding is not
# told from a good one, by one process or by several.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need_pykcs11
need openssl
make_token
cd "$work"
quietly "$p11_kms" create job-42 --algorithm rsa-2048
quietly "$p11_kms" export job-42 --out key.pem
head -c 32 /dev/urandom >data
openssl pkeyutl -encrypt -pubin -inkey key.pem -pkeyopt rsa_padding_mode:pkcs1 -in data -out data.enc
# Below any modulus of 2048 bits; their padding is good once in some 100,000 times.
for i in 1 2 3 4 5 6 7 8; do
	{ printf '\0'; head -c 255 /dev/urandom; } >"bad-$i.enc"
done

# What unwraps does not decrypt: it takes a pair of its own.
cat >make-wrapper.py <<'END'
import sys
import PyKCS11 as P
from client import Token

token = Token(*sys.argv[1:])
token.session.generateKeyPair([
    (P.CKA_TOKEN, P.CK_TRUE), (P.CKA_MODULUS_BITS, 2048), (P.CKA_PUBLIC_EXPONENT, (1, 0, 1)),
    (P.CKA_LABEL, "wrapper"), (P.CKA_ENCRYPT, P.CK_FALSE), (P.CKA_WRAP, P.CK_TRUE),
    (P.CKA_VERIFY, P.CK_FALSE),
], [
    (P.CKA_TOKEN, P.CK_TRUE), (P.CKA_PRIVATE, P.CK_TRUE), (P.CKA_LABEL, "wrapper"),
    (P.CKA_SENSITIVE, P.CK_TRUE), (P.CKA_DECRYPT, P.CK_FALSE), (P.CKA_UNWRAP, P.CK_TRUE),
    (P.CKA_SIGN, P.CK_FALSE),
])
END
"$python" make-wrapper.py "$module" "$token" "$pin"
quietly "$p11_kms" export wrapper --out wrapper.pem
openssl pkeyutl -encrypt -pubin -inkey wrapper.pem -pkeyopt rsa_padding_mode:pkcs1 -in data \
	-out wrapped

step "without the option it is not offered"
cat >client-without.py <<'END'
import sys
import PyKCS11 as P
from client import Token

token = Token(*sys.argv[1:])
slot = token.library.getSlotList(tokenPresent=True)[0]
for type in ("CKM_RSA_PKCS", "CKM_RSA_X_509"):
    flags = token.library.getMechanismInfo(slot, type).flags
    assert not flags & (P.CKF_DECRYPT | P.CKF_UNWRAP), (type, flags)
private = token.find(P.CKO_PRIVATE_KEY, "job-42")[0]
data = open("data.enc", "rb").read()
token.refuses("CKR_MECHANISM_INVALID", token.session.decrypt, private, data,
              P.Mechanism(P.CKM_RSA_PKCS, None))
token.refuses("CKR_MECHANISM_INVALID", token.session.decrypt, private, data,
              P.Mechanism(P.CKM_RSA_X_509, None))
END
"$python" client-without.py "$module" "$token" "$pin"

sed 's/^registry = /legacy-decrypt = yes\n&/' "$P11_KMS_CONFIG" >legacy.conf
grep -q legacy-decrypt legacy.conf || fail "the configuration has no line to put the option before"
chmod 600 legacy.conf
export P11_KMS_CONFIG="$work/legacy.conf"

step "with it, good ciphertexts are decrypted, and bad ones look good"
cat >client-with.py <<'END'
import sys
import PyKCS11 as P
from client import Token

token = Token(*sys.argv[1:4])
session, slot = token.session, token.library.getSlotList(tokenPresent=True)[0]
flags = token.library.getMechanismInfo(slot, "CKM_RSA_PKCS").flags
assert flags & P.CKF_DECRYPT and flags & P.CKF_UNWRAP, flags
private = token.find(P.CKO_PRIVATE_KEY, "job-42")[0]
wrapper = token.find(P.CKO_PRIVATE_KEY, "wrapper")[0]
pkcs, raw = P.Mechanism(P.CKM_RSA_PKCS, None), P.Mechanism(P.CKM_RSA_X_509, None)

def decrypt(name, mechanism=pkcs):
    return bytes(session.decrypt(private, open(name, "rb").read(), mechanism))

assert decrypt("data.enc") == open("data", "rb").read()
block = decrypt("data.enc", raw)
assert len(block) == 256 and block[:2] == b"\0\2" and block.endswith(open("data", "rb").read())
token.refuses("CKR_ENCRYPTED_DATA_LEN_RANGE", session.decrypt, private, bytes(255), pkcs)

def unwrap(unwrapper, wrapped, type, size=None):
    """The value, or the code that it is refused with."""
    template = [(P.CKA_CLASS, P.CKO_SECRET_KEY), (P.CKA_KEY_TYPE, type),
                (P.CKA_TOKEN, P.CK_FALSE), (P.CKA_SENSITIVE, P.CK_FALSE),
                (P.CKA_EXTRACTABLE, P.CK_TRUE)]
    if size is not None:
        template.append((P.CKA_VALUE_LEN, size))
    try:
        key = session.unwrapKey(unwrapper, wrapped, template, pkcs)
    except P.PyKCS11Error as error:
        return P.CKR.get(error.value, hex(error.value))
    value = bytes(session.getAttributeValue(key, [P.CKA_VALUE])[0])
    session.destroyObject(key)
    return value

def answers(unwrapper, wrapped):
    """
    A ciphertext has one message, whether or not its padding is good: what the template asks for
    decides whether it is taken, never what it is.
    """
    whole = unwrap(unwrapper, wrapped, P.CKK_GENERIC_SECRET)
    assert whole == unwrap(unwrapper, wrapped, P.CKK_GENERIC_SECRET)
    size = 0 if whole == "CKR_WRAPPED_KEY_LEN_RANGE" else len(whole)
    for length in (1, 16, 32, 100, 245, 246, 300):
        right = whole if length == size else "CKR_TEMPLATE_INCONSISTENT"
        assert unwrap(unwrapper, wrapped, P.CKK_GENERIC_SECRET, length) == right, (size, length)
    fits = size in (16, 24, 32)
    assert unwrap(unwrapper, wrapped, P.CKK_AES) == (whole if fits else
                                                     "CKR_WRAPPED_KEY_LEN_RANGE")
    for length in (16, 24, 32):
        right = whole if length == size else "CKR_TEMPLATE_INCONSISTENT"
        assert unwrap(unwrapper, wrapped, P.CKK_AES, length) == right, (size, length)
    return whole

assert answers(wrapper, open("wrapped", "rb").read()) == open("data", "rb").read()

with open(sys.argv[4], "w") as out:
    for i in range(1, 9):
        name = f"bad-{i}.enc"
        first = decrypt(name)
        assert first == decrypt(name)
        print(i, first.hex(), file=out)
        whole = answers(wrapper, open(name, "rb").read())
        print(i, whole if isinstance(whole, str) else whole.hex(), file=out)

# The same with pairs of a session: each has a secret of its own.
def session_pair(public_verb, verb):
    return session.generateKeyPair(
        [(P.CKA_TOKEN, P.CK_FALSE), (P.CKA_MODULUS_BITS, 2048), (public_verb, P.CK_TRUE)],
        [(P.CKA_TOKEN, P.CK_FALSE), (verb, P.CK_TRUE)])

def changed(sealed):
    return bytes(1) + sealed[1:-1] + bytes([sealed[-1] ^ 1])

public, private = session_pair(P.CKA_ENCRYPT, P.CKA_DECRYPT)
sealed = bytes(session.encrypt(public, b"data", pkcs))
assert bytes(session.decrypt(private, sealed, pkcs)) == b"data"
first, second = (bytes(session.decrypt(private, changed(sealed), pkcs)) for _ in range(2))
assert first == second != b"data"

public, private = session_pair(P.CKA_WRAP, P.CKA_UNWRAP)
key = session.createObject([
    (P.CKA_CLASS, P.CKO_SECRET_KEY), (P.CKA_KEY_TYPE, P.CKK_GENERIC_SECRET),
    (P.CKA_TOKEN, P.CK_FALSE), (P.CKA_EXTRACTABLE, P.CK_TRUE), (P.CKA_VALUE, b"twenty bytes of text"),
])
wrapped = bytes(session.wrapKey(public, key, pkcs))
assert answers(private, wrapped) == b"twenty bytes of text"
answers(private, changed(wrapped))
END
"$python" client-with.py "$module" "$token" "$pin" first

step "the same in another process, and with another bad ciphertext another"
"$python" client-with.py "$module" "$token" "$pin" second
cmp first second || fail "two processes reject differently"
[ "$(cut -d' ' -f2 first | sort -u | wc -l)" -eq 16 ] || fail "rejected messages repeat"
