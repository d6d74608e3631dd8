#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# OpenSSL's command with libp11's engine (engine_pkcs11): signs, decrypts, makes a certificate.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need openssl
need_file "libp11's engine" /usr/lib/*/engines-3/pkcs11.so /usr/lib64/engines-3/pkcs11.so \
	/usr/lib/engines-3/pkcs11.so
engine=$found
make_token --no-pin-source
cd "$work"
printf 'what is signed\n' >message
openssl dgst -sha256 -binary message >digest

step "makes keys"
quietly "$p11_kms" create rsa --algorithm rsa-2048 --pin-source "$hsm_folder/pin"
quietly "$p11_kms" create p256 --algorithm p-256 --pin-source "$hsm_folder/pin"
for key in rsa p256; do quietly "$p11_kms" export "$key" --out "$key.pub"; done

make_engine_configuration "$engine"
# On its own, for req would load the engine a second time.
cat >req.cnf <<END
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = p11-kms test
[extensions]
basicConstraints = critical, CA:true
END

# A configuration that loads the engine, and it the module, for every program that uses
# OpenSSL: the module itself uses OpenSSL too, and must not load itself for ever.
export OPENSSL_CONF="$work/openssl.cnf"
# The engine writes to stderr even where all is well.
with_engine() {
	openssl "$@" 2>engine.log || {
		cat engine.log
		return 1
	}
}

private() {
	echo "pkcs11:token=$token;object=$1;type=private"
}

step "signs with RSA and ECDSA; OpenSSL itself verifies"
for key in rsa p256; do
	quietly with_engine pkeyutl -engine pkcs11 -keyform engine -inkey "$(private $key)" \
		-sign -in digest -pkeyopt digest:sha256 -out signature
	quietly openssl pkeyutl -verify -pubin -inkey "$key.pub" -in digest -sigfile signature \
		-pkeyopt digest:sha256
	quietly with_engine dgst -engine pkcs11 -keyform engine -sign "$(private $key)" -sha256 \
		-out signature message
	quietly openssl dgst -sha256 -verify "$key.pub" -signature signature message
done

step "signs with RSA-PSS"
quietly with_engine pkeyutl -engine pkcs11 -keyform engine -inkey "$(private rsa)" \
	-sign -in digest -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss \
	-pkeyopt rsa_pss_saltlen:digest -out signature
quietly openssl pkeyutl -verify -pubin -inkey rsa.pub -in digest -sigfile signature \
	-pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest

step "decrypts (OAEP)"
printf 'a data key' >plaintext
for hash in sha1 sha256; do
	quietly openssl pkeyutl -encrypt -pubin -inkey rsa.pub -in plaintext -out ciphertext \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$hash" \
		-pkeyopt "rsa_mgf1_md:$hash"
	quietly with_engine pkeyutl -engine pkcs11 -keyform engine -inkey "$(private rsa)" \
		-decrypt -in ciphertext -out decrypted -pkeyopt rsa_padding_mode:oaep \
		-pkeyopt "rsa_oaep_md:$hash" -pkeyopt "rsa_mgf1_md:$hash"
	cmp plaintext decrypted || fail "decrypted wrongly, $hash"
done

step "makes a self-signed certificate and a request"
for key in rsa p256; do
	quietly with_engine req -new -x509 -config req.cnf -engine pkcs11 -keyform engine \
		-key "$(private $key)" -sha256 -days 1 -out certificate
	quietly openssl verify -CAfile certificate certificate
	quietly openssl x509 -in certificate -noout -pubkey -out certified
	quietly cmp certified "$key.pub"
	quietly with_engine req -new -config req.cnf -engine pkcs11 -keyform engine \
		-key "$(private $key)" -sha256 -out request
	quietly openssl req -config req.cnf -in request -verify -noout
done

step "the wrong PIN is refused"
sed 's/^PIN = .*/PIN = wrong-pin/' openssl.cnf >wrong.cnf
OPENSSL_CONF=$work/wrong.cnf
expect_fail openssl pkeyutl -engine pkcs11 -keyform engine -inkey "$(private rsa)" -sign \
	-in digest -pkeyopt digest:sha256 -out refused
