#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PyKMIP's server as it is: it signs, and hashes itself; it does not decrypt with RSA.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"
# shellcheck source=tests/kmip/lib.sh
. "$source_folder/tests/kmip/lib.sh"
kmip_need
need pkcs11-tool

step "init says what the server can't do, and in its words"
kmip_start kms stock
port=$kmip_port
kmip_configuration "127.0.0.1:$port"
expect_match 'does not decrypt with RSA OAEP .*Only symmetric decryption is currently supported' \
	"$p11_kms" init
quietly "$p11_kms" init

# id_of VERSION: its CKA_ID.
id_of() {
	"$p11_kms" show "$1" --json | /usr/bin/python3 -c 'import json, sys
def find(x):
    if isinstance(x, dict):
        for k, v in x.items():
            if k == "id": yield v
            yield from find(v)
    elif isinstance(x, list):
        for v in x: yield from find(v)
print(next(find(json.load(sys.stdin))))'
}

step "keys for signing are made, and rotate"
quietly "$p11_kms" create job-42
quietly "$p11_kms" rotate job-42
expect_match '0 failed' "$p11_kms" refresh
quietly "$p11_kms" verify

step "both halves of all its versions are one Object Group at the server"
grouped=$(/usr/bin/python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("""select count(*) from object_group_map
    join object_groups on object_groups.id = object_group_id
    where object_group = "p11-kms:job-42" """).fetchone()[0])' "$work/kms.db")
[ "$grouped" -eq 4 ] || fail "$grouped objects are in the group, not 4"

step "signatures with PKCS#1 v1.5, which openssl verifies"
id=$(id_of job-42@2)
public_key "$id" "$work/job-42.pem"
head -c 100000 /dev/urandom >"$work/message"
for hash in 256 384 512; do
	quietly pkcs11-tool --module "$module" --token-label "$token" --sign --id "$id" \
		--mechanism "SHA$hash-RSA-PKCS" --input-file "$work/message" --output-file "$work/signature"
	quietly openssl dgst "-sha$hash" -verify "$work/job-42.pem" -signature "$work/signature" \
		"$work/message"
done

step "a message that is too long for the server is refused, and the session goes on"
# shows C_SignUpdate: CKR_DATA_LEN_RANGE
head -c 300000 /dev/zero >"$work/long"
expect_refusal CKR_DATA_LEN_RANGE pkcs11-tool --module "$module" --token-label "$token" --sign \
	--id "$id" --mechanism SHA256-RSA-PKCS --input-file "$work/long" --output-file "$work/never"

step "what the server can't do is not in the list of mechanisms"
quietly pkcs11-tool --module "$module" --token-label "$token" --list-mechanisms
cp "$work/quiet.out" "$work/mechanisms"
grep -q '^  SHA256-RSA-PKCS,.*sign' "$work/mechanisms" || fail "SHA256-RSA-PKCS does not sign"
! grep -E '^  (RSA-PKCS|RSA-PKCS-PSS|SHA256-RSA-PKCS-PSS|ECDSA|RSA-X-509),.* sign' \
	"$work/mechanisms" || fail "more is offered than the server can do"
! grep -E '^  RSA-PKCS-OAEP,.*decrypt' "$work/mechanisms" || fail "decryption is offered"
! grep -q 'EC.*KEY-PAIR-GEN' "$work/mechanisms" || fail "EC pairs are offered"
expect_refusal 'CKR_MECHANISM_INVALID|not supported' pkcs11-tool --module "$module" \
	--token-label "$token" --decrypt --id "$id" --mechanism RSA-PKCS-OAEP \
	--hash-algorithm SHA-1 --input-file "$work/signature" --output-file "$work/never"

step "nothing is encrypted that could not be decrypted"
expect_fail "$p11_kms" encrypt job-42 --in "$work/message" --out "$work/never"

step "pairs of applications, and destroying them"
quietly pkcs11-tool --module "$module" --token-label "$token" --keypairgen --key-type rsa:2048 \
	--label app --id 0a0b0c --usage-sign
quietly "$p11_kms" destroy app@1 --yes || quietly "$p11_kms" destroy app@1
quietly "$p11_kms" list

step "the server restarts in the middle"
kmip_stop kms
expect_fail "$p11_kms" rotate job-42
kmip_start kms stock "$port"
quietly "$p11_kms" rotate job-42
expect_match '0 failed' "$p11_kms" refresh
quietly "$p11_kms" verify

step "a second identity, with keys of its own under the same names"
first_id=$(id_of job-42@3)
mv "$work/host" "$work/host-1"
second_identity() {
	kmip_configuration "127.0.0.1:$port" "tls-certificate = $certificates/client-2.pem" \
		"tls-key = $certificates/client-2.key"
}
second_identity
quietly "$p11_kms" init
expect_match 'no pair without a version' "$p11_kms" verify --json
quietly "$p11_kms" create job-42 --id 2b2b
cp -a "$work/host" "$work/host-2"

# signs_with ID: the token's key does, and $work/message is what it signs.
signs_with() {
	pkcs11-tool --module "$module" --token-label "$token" --sign --id "$1" \
		--mechanism SHA256-RSA-PKCS --input-file "$work/message" --output-file "$work/signature"
}

# all_is_well ID: the keys of the identity that is configured.
all_is_well() {
	quietly signs_with "$1"
	quietly "$p11_kms" verify
}

# can_not_use FOLDER ID: the identity that is configured has the other's registry and pinned
# authority, all that it could copy but the certificate: nothing of the other's is to be had.
can_not_use() {
	rm -rf "$work/host/registry.db"* "$work/host/authority.pem" "$work/home/state"
	cp "$1/registry.db" "$1/authority.pem" "$work/host/"
	rm -f "$work/signature"
	expect_refusal 'C_SignFinal failed: rv = CKR_KEY_HANDLE_INVALID' \
		signs_with "$2"
	[ ! -s "$work/signature" ] || fail "it has signed"
	expect_refusal 'CKR_|does not hold|no such' "$p11_kms" rotate job-42
	expect_fail "$p11_kms" create other
	expect_refusal 'job-42@1: the KMS has no such private key' "$p11_kms" verify --json
	# PyKMIP shows public keys to everybody.
	grep -q 'the KMS holds its public half only' "$work/refused.out" ||
		fail "the other's authority is held"
}

step "the second identity can't use the first's keys"
can_not_use "$work/host-1" "$first_id"

step "the first identity can't use the second's keys"
rm -rf "$work/host"
kmip_configuration "127.0.0.1:$port"
can_not_use "$work/host-2" 2b2b

step "by its unique identifier, which it could guess, neither can use one of the other"
cat >"$work/identifiers.py" <<'END'
import sys
from kmip.core import enums
from kmip.core.factories.attributes import AttributeFactory
from kmip.pie import client, exceptions
port, folder = sys.argv[1:]

def connect(name):
    return client.ProxyKmipClient("127.0.0.1", int(port), cert=f"{folder}/{name}.pem",
                                  key=f"{folder}/{name}.key", ca=f"{folder}/ca.pem",
                                  ssl_version="PROTOCOL_TLSv1_2")

parameters = {"padding_method": enums.PaddingMethod.PKCS1v15,
              "hashing_algorithm": enums.HashingAlgorithm.SHA_256,
              "digital_signature_algorithm":
                  enums.DigitalSignatureAlgorithm.SHA256_WITH_RSA_ENCRYPTION,
              "cryptographic_algorithm": enums.CryptographicAlgorithm.RSA}
private = [AttributeFactory().create_attribute(enums.AttributeType.OBJECT_TYPE,
                                               enums.ObjectType.PRIVATE_KEY)]
with connect("client") as first, connect("client-2") as second:
    for mine, others in (first, second), (second, first):
        own, other = mine.locate(attributes=private), others.locate(attributes=private)
        assert own and other and not set(own) & set(other), (own, other)
        for identifier in other:
            for use in (lambda: mine.sign(b"data", identifier, parameters),
                        lambda: mine.destroy(identifier)):
                try:
                    use()
                except exceptions.KmipOperationFailure as refusal:
                    assert refusal.reason == enums.ResultReason.PERMISSION_DENIED, refusal
                else:
                    sys.exit("%s was used" % identifier)
END
quietly /usr/bin/python3 "$work/identifiers.py" "$port" "$certificates"

step "each still uses its own"
rm -rf "$work/host" "$work/home/state"
cp -a "$work/host-1" "$work/host"
kmip_configuration "127.0.0.1:$port"
all_is_well "$first_id"
rm -rf "$work/host" "$work/home/state"
cp -a "$work/host-2" "$work/host"
second_identity
all_is_well 2b2b

step "no private key was ever asked for"
grep -q 'Getting a PublicKey' "$work/kms.log" || fail "the log does not tell of Get"
! grep 'Getting a PrivateKey' "$work/kms.log" || fail "a private key was fetched"
