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

step "keys for signing are made, and rotate"
quietly "$p11_kms" create job-42
quietly "$p11_kms" rotate job-42
expect_match '0 failed' "$p11_kms" refresh
quietly "$p11_kms" verify

step "signatures with PKCS#1 v1.5, which openssl verifies"
id=$("$p11_kms" show job-42@2 --json | /usr/bin/python3 -c 'import json, sys
def find(x):
    if isinstance(x, dict):
        for k, v in x.items():
            if k == "id": yield v
            yield from find(v)
    elif isinstance(x, list):
        for v in x: yield from find(v)
print(next(find(json.load(sys.stdin))))')
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

step "another identity can't use these keys"
mv "$work/host" "$work/host-1"
kmip_configuration "127.0.0.1:$port" "tls-certificate = $certificates/client-2.pem" \
	"tls-key = $certificates/client-2.key"
cp "$work/host-1/registry.db" "$work/host-1/authority.pem" "$work/host/"
expect_fail pkcs11-tool --module "$module" --token-label "$token" --sign --id "$id" \
	--mechanism SHA256-RSA-PKCS --input-file "$work/message" --output-file "$work/never"
expect_fail "$p11_kms" rotate job-42
rm "$work/host/registry.db"* "$work/host/authority.pem"
quietly "$p11_kms" init
quietly "$p11_kms" create job-42
quietly "$p11_kms" verify

step "no private key was ever asked for"
grep -q 'Getting a PublicKey' "$work/kms.log" || fail "the log does not tell of Get"
! grep 'Getting a PrivateKey' "$work/kms.log" || fail "a private key was fetched"
