#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# OpenSC's pkcs11-tool: generates, lists, signs, verifies, decrypts; OpenSSL checks.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need pkcs11-tool openssl
make_token --no-pin-source
cd "$work"
printf 'what is signed\n' >message

user() {
	tool --login --pin "$pin" "$@"
}

step "generates pairs"
quietly user --keypairgen --key-type rsa:2048 --label rsa --id 01
quietly user --keypairgen --key-type EC:prime256v1 --label p256 --id 02
quietly user --keypairgen --key-type EC:secp384r1 --label p384 --id 03
quietly user --keypairgen --key-type EC:edwards25519 --label ed25519 --id 04
quietly user --keypairgen --key-type EC:curve25519 --usage-derive --label x25519 --id 05
public_key 01 public-01
public_key 02 public-02
# OpenSC 0.23 reads no EC public key but P-256 (from SoftHSM2 neither).
quietly "$p11_kms" export p384 --out public-03
quietly "$p11_kms" export ed25519 --out public-04

step "lists them, the private ones after login only"
tool --list-objects >without
user --list-objects >with
[ "$(grep -c '^Public Key Object' without)" -eq 5 ] || fail "not 5 public keys"
if grep '^Private Key Object' without; then fail "private keys without login"; fi
[ "$(grep -c '^Private Key Object' with)" -eq 5 ] || fail "not 5 private keys"
grep -q 'label: *p256$' with || fail "no label p256"

# signed MECHANISM ID FILE OPTION...: FILE signed by pkcs11-tool, the signature in signature.
signed() {
	mechanism=$1 id=$2 file=$3
	shift 3
	quietly user --sign --mechanism "$mechanism" --id "$id" --input-file "$file" \
		--output-file signature "$@"
}

step "signs with RSA; OpenSSL and pkcs11-tool verify"
for hash in 256 384 512; do
	signed "SHA$hash-RSA-PKCS" 01 message
	quietly openssl dgst "-sha$hash" -verify public-01 -signature signature message
	expect_match 'Signature is valid' tool --verify --mechanism "SHA$hash-RSA-PKCS" --id 01 \
		--input-file message --signature-file signature
	signed "SHA$hash-RSA-PKCS-PSS" 01 message
	quietly openssl dgst "-sha$hash" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
		-verify public-01 -signature signature message
	expect_match 'Signature is valid' tool --verify --mechanism "SHA$hash-RSA-PKCS-PSS" --id 01 \
		--input-file message --signature-file signature
done
openssl dgst -sha256 -binary message >digest
signed RSA-PKCS-PSS 01 digest --hash-algorithm SHA256
quietly openssl pkeyutl -verify -pubin -inkey public-01 -in digest -sigfile signature \
	-pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest

step "signs with ECDSA; OpenSSL and pkcs11-tool verify"
for id in 02 03; do
	signed ECDSA "$id" digest --signature-format openssl
	quietly openssl pkeyutl -verify -pubin -inkey "public-$id" -in digest -sigfile signature
	expect_match 'Signature is valid' tool --verify --mechanism ECDSA --id "$id" \
		--input-file digest --signature-file signature --signature-format openssl
	signed ECDSA-SHA256 "$id" message --signature-format openssl
	quietly openssl dgst -sha256 -verify "public-$id" -signature signature message
done

step "signs with Ed25519; OpenSSL verifies"
signed EDDSA 04 message
quietly openssl pkeyutl -verify -pubin -rawin -inkey public-04 -in message -sigfile signature

step "a changed message is not verified"
signed SHA256-RSA-PKCS 01 message
printf 'what was not signed\n' >other
tool --verify --mechanism SHA256-RSA-PKCS --id 01 --input-file other \
	--signature-file signature >verified 2>&1 || :
if grep -q 'Signature is valid' verified; then fail "a changed message was verified"; fi

step "decrypts what OpenSSL encrypted (OAEP)"
printf 'a data key of 32 bytes, or so ..' >plaintext
for hash in sha1 sha256 sha384 sha512; do
	quietly openssl pkeyutl -encrypt -pubin -inkey public-01 -in plaintext -out ciphertext \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$hash" \
		-pkeyopt "rsa_mgf1_md:$hash"
	upper=$(printf '%s' "$hash" | sed 's/sha1/SHA-1/; s/sha/SHA/')
	quietly user --decrypt --mechanism RSA-PKCS-OAEP --id 01 --hash-algorithm "$upper" \
		--mgf "MGF1-$(printf '%s' "$hash" | tr s S | tr h H | tr a A)" \
		--input-file ciphertext --output-file decrypted
	cmp plaintext decrypted || fail "decrypted wrongly, $hash"
done

step "a changed ciphertext is refused"
printf '12345678' | dd of=ciphertext bs=1 seek=100 conv=notrunc 2>dd.log
expect_fail user --decrypt --mechanism RSA-PKCS-OAEP --id 01 --hash-algorithm SHA512 \
	--mgf MGF1-SHA512 --input-file ciphertext --output-file refused

step "the wrong PIN is refused"
expect_refusal CKR_PIN_INCORRECT tool --login --pin wrong-pin --list-objects

step "pkcs11-tool's own tests"
user --test >test.out 2>&1 || {
	cat test.out
	fail "pkcs11-tool --test"
}
grep -q 'No errors' test.out || fail "pkcs11-tool --test found errors"

# IL: C_Initialize with locks of the system; GI: C_GetInfo; SL: C_GetSlotList; T0: C_GetTokenInfo.
step "its threads"
pkcs11-tool --module "$module" --test-threads ILGISLT0 --test-threads ILSLGIT0 \
	--test-threads ILSLT0GI --test-threads ILSLT0 >test.out 2>&1 ||
	fail "pkcs11-tool --test-threads: $(cat test.out)"
[ "$(grep -c "token label *: $token\$" test.out)" -eq 4 ] ||
	fail "not each thread sees the token: $(cat test.out)"

step "destroys a pair"
quietly user --delete-object --type privkey --id 03
user --list-objects >with
if grep -q 'label: *p384$' with; then fail "p384 is still listed"; fi
[ "$(grep -c '^Private Key Object' with)" -eq 4 ] || fail "not 4 private keys"
