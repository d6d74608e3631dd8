#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Java's SunPKCS11: with "certificates = self-signed" its KeyStore lists every version, signs
# with the private halves, and jarsigner signs with them; it follows a rotation.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need java keytool jarsigner jar openssl
make_token --no-pin-source
cd "$work"
program=$source_folder/tests/interop/PrivateKeys.java
# The folder of Java's performance data is the user's otherwise.
export JAVA_TOOL_OPTIONS=-XX:-UsePerfData
printf 'what is signed\n' >message
printf 'name = p11kms\nlibrary = %s\nslotListIndex = 0\n' "$module" >java.conf

command() {
	subcommand=$1
	shift
	quietly "$p11_kms" "$subcommand" "$@" --pin-source "$hsm_folder/pin"
}

store() {
	java_tool=$1
	shift
	"$java_tool" -keystore NONE -storetype PKCS11 -addprovider SunPKCS11 -providerArg java.conf \
		-storepass "$pin" "$@"
}

listed() {
	store keytool -list 2>/dev/null | sed -n 's/^\(.*\), PrivateKeyEntry,.*$/\1/p' | sort |
		tr '\n' ' '
}

step "keys without a certificate are not seen"
command create early --algorithm rsa-2048
[ -z "$(listed)" ] || fail "keytool lists what has no certificate: $(listed)"

step "with self-signed ones they are"
echo 'certificates = self-signed' >>"$P11_KMS_CONFIG"
command refresh
command create rsa --algorithm rsa-2048
command create p256 --algorithm p-256
[ "$(listed)" = 'early p256 rsa ' ] || fail "keytool lists '$(listed)'"

# sign ALIAS ALGORITHM [OPENSSL OPTION...]
sign() {
	alias=$1 algorithm=$2
	shift 2
	quietly java "$program" java.conf "$pin" "$alias" "$algorithm" message signature certificate
	quietly openssl x509 -inform der -in certificate -noout -pubkey -out public.pem
	"$p11_kms" export "$alias" | cmp - public.pem || fail "the certificate is another key's"
	quietly openssl dgst -sha256 -verify public.pem -signature signature "$@" message
}

step "a program signs; OpenSSL verifies"
sign rsa SHA256withRSA
sign p256 SHA256withECDSA

step "a rotation: the alias is the new version's, the old one's has its number"
command rotate rsa
[ "$(listed)" = 'early p256 rsa rsa@1 ' ] || fail "keytool lists '$(listed)'"
sign rsa SHA256withRSA
if java "$program" java.conf "$pin" rsa@1 SHA256withRSA message signature certificate \
	>out 2>&1; then
	fail "an older version signs"
fi
grep -q CKR_KEY_FUNCTION_NOT_PERMITTED out || fail "refused for another reason: $(cat out)"

step "jarsigner signs"
mkdir content
echo hello >content/hello
for alias in rsa p256; do
	quietly jar cf "$alias.jar" -C content hello
	quietly store jarsigner "$alias.jar" "$alias"
	expect_match 'jar verified' jarsigner -verify "$alias.jar"
done

step "a certificate authority's takes the place of the self-signed one"
quietly openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca
command certificate p256 --csr --out p256.csr
quietly openssl x509 -req -in p256.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out p256.pem
command certificate p256 --import p256.pem
sign p256 SHA256withECDSA
openssl x509 -in p256.pem -outform der | cmp - certificate || fail "Java sees another certificate"
