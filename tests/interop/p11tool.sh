#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# GnuTLS's p11tool: lists, generates, tests, exports; OpenSSL checks.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need p11tool certtool openssl
make_token --no-pin-source
cd "$work"
url="pkcs11:token=$token"
export GNUTLS_PIN="$pin"

gnutls() {
	p11tool --batch --provider "$module" "$@"
}

step "lists the token"
expect_match "Label: $token\$" gnutls --list-tokens
expect_match 'Flags:.*Requires login' gnutls --list-tokens

step "generates pairs"
quietly gnutls --login --generate-privkey rsa --bits 2048 --label rsa --id 01 \
	--outfile rsa.pem "$url"
quietly gnutls --login --generate-privkey ecdsa --curve secp256r1 --label p256 --id 02 \
	--outfile p256.pem "$url"
grep -q 'BEGIN PUBLIC KEY' rsa.pem || fail "no public key came back"

step "lists both halves"
gnutls --login --list-all "$url" >all
for object in rsa p256; do
	[ "$(grep -c "Label: $object\$" all)" -eq 2 ] || fail "$object is not there twice"
done
gnutls --login --list-privkeys "$url" >privkeys
grep -q 'CKA_NEVER_EXTRACTABLE' privkeys || fail "private keys are not called never extractable"
if grep -q 'CKA_EXTRACTABLE' privkeys; then fail "a private key is called extractable"; fi
gnutls --list-all "$url" >without
if grep 'type=private' without; then fail "private keys without login"; fi

step "its own test of both halves"
quietly gnutls --login --test-sign "$url;object=rsa;type=private"
quietly gnutls --login --test-sign "$url;object=p256;type=private"
quietly gnutls --login --test-sign --sign-params rsa-pss --hash sha256 \
	"$url;object=rsa;type=private"

step "exports what OpenSSL and the registry know"
for object in rsa p256; do
	quietly gnutls --login --export-pubkey "$url;object=$object;type=private" \
		--outfile "exported-$object"
	quietly openssl pkey -pubin -in "exported-$object" -out normal
	quietly "$p11_kms" export "$object" --out registered
	cmp normal registered || fail "$object is exported differently"
done

step "a certificate, signed by the token, that OpenSSL and certtool verify"
cat >template <<'END'
cn = "p11-kms test"
serial = 7
expiration_days = 1
ca
cert_signing_key
END
for object in rsa p256; do
	quietly certtool --provider "$module" --generate-self-signed --template template \
		--load-privkey "$url;object=$object;type=private" \
		--load-pubkey "$url;object=$object;type=public" --outfile "$object.crt"
	quietly openssl verify -CAfile "$object.crt" "$object.crt"
	quietly certtool --verify --load-ca-certificate "$object.crt" --infile "$object.crt"
done

step "destroys"
quietly gnutls --login --delete "$url;object=p256;type=private"
gnutls --login --list-all "$url" >all
if grep -q 'Label: p256$' all; then fail "p256 is still listed"; fi
