#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A user who may read the registry, the configuration and the authority, and nothing else:
# encrypts and verifies, without the HSM's module or token ever being opened.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need strace pkcs11-tool openssl
make_token
quietly "$p11_kms" create job-42 --algorithm rsa-2048
quietly "$p11_kms" create signer --algorithm p-256 --id 51
give_to_nobody
cd "$work"
printf 'what is signed\n' >message
openssl dgst -sha256 -binary message >digest
printf 'a data key' >plaintext
quietly tool --sign --mechanism ECDSA --id 51 --input-file digest \
	--output-file signature --signature-format openssl

# A folder with what a reader gets; no writing there, for file or folder.
mkdir reader
cp "$hsm_folder"/registry.db* "$hsm_folder/authority.pem" reader
cat >reader/p11-kms.conf <<END
[token $token]
kms = pkcs11:token=$hsm_token?module-path=$hsm_module
registry = $work/reader/registry.db
authority = $work/reader/authority.pem
END
sha256sum reader/* >before
chmod 644 reader/* message digest plaintext signature
chmod 755 reader
export P11_KMS_CONFIG="$work/reader/p11-kms.conf"

# traced COMMAND...: as nobody; every file it opened goes to trace.
traced() {
	strace -f -qq -e trace=open,openat,openat2,connect -o trace \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

no_hsm_opened() {
	if grep -E "libsofthsm2|$hsm_folder" trace; then
		fail "the above was opened by a reader"
	fi
	grep -q 'reader/registry.db' trace || fail "the trace does not even have the registry"
}

step "lists public keys"
traced pkcs11-tool --module "$nobodys_module" --list-objects >objects || fail "the listing"
no_hsm_opened
[ "$(grep -c '^Public Key Object' objects)" -eq 2 ] || fail "not 2 public keys"

step "encrypts"
traced "$nobodys_command" encrypt job-42 --in plaintext >ciphertext 2>encrypt.log ||
	fail "encrypt: $(cat encrypt.log)"
no_hsm_opened

step "verifies"
traced pkcs11-tool --module "$nobodys_module" --verify --mechanism ECDSA --id 51 \
	--input-file digest --signature-file signature --signature-format openssl >verified 2>&1 ||
	fail "verify: $(cat verified)"
no_hsm_opened
grep -q 'Signature is valid' verified || fail "the signature is not called valid"

step "does not decrypt: it has neither PIN nor token"
expect_fail as_nobody "$nobodys_command" decrypt --in ciphertext job-42 </dev/null

step "changes nothing"
expect_refusal 'reader/registry.db: may not be written by this user' \
	as_nobody "$nobodys_command" create mine </dev/null
expect_fail as_nobody "$nobodys_command" destroy job-42@1 --yes </dev/null
sha256sum reader/* >after
cmp before after || fail "the reader's files are not what they were"

step "the authority host decrypts what the reader encrypted"
export P11_KMS_CONFIG="$hsm_folder/p11-kms.conf"
"$p11_kms" decrypt job-42 --in ciphertext >decrypted 2>/dev/null
cmp plaintext decrypted || fail "decrypted wrongly"

step "with the HSM at hand it signs, and still makes no keys"
# shows C_GenerateKeyPair: CKR_TOKEN_WRITE_PROTECTED
cp -r "$hsm_folder/tokens" "$work/reader/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\n' "$work/reader/tokens" >softhsm2.conf
chown -R 65534:65534 "$work/reader/tokens"
chmod 644 softhsm2.conf
export SOFTHSM2_CONF="$work/softhsm2.conf" P11_KMS_CONFIG="$work/reader/p11-kms.conf"
expect_refusal CKR_TOKEN_WRITE_PROTECTED as_nobody pkcs11-tool --module "$nobodys_module" \
	--login --pin "$pin" --keypairgen --key-type rsa:2048 --label mine
as_nobody pkcs11-tool --module "$nobodys_module" --login --pin "$pin" --sign --mechanism ECDSA \
	--id 51 --input-file digest >out 2>&1 || fail "no private key works: $(cat out)"

step "without a KMS in its configuration the reader still encrypts and verifies"
sed -i '/^kms/d' reader/p11-kms.conf
export P11_KMS_CONFIG="$work/reader/p11-kms.conf"
traced "$nobodys_command" encrypt job-42 --in plaintext >ciphertext 2>encrypt.log ||
	fail "encrypt: $(cat encrypt.log)"
no_hsm_opened
as_nobody pkcs11-tool --module "$nobodys_module" --list-objects >objects
if grep '^Private Key Object' objects; then fail "private keys without a KMS"; fi

step "a copy of the registry's file alone, without what SQLite keeps beside it"
rm -f reader/registry.db-*
traced "$nobodys_command" encrypt job-42 --in plaintext >ciphertext 2>encrypt.log ||
	fail "encrypt: $(cat encrypt.log)"
no_hsm_opened
[ ! -e reader/registry.db-wal ] || fail "the reader has made files"
