#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Certificates and data objects on the token: OpenSC writes, reads and deletes them, GnuTLS
# lists them, a reader without rights sees them.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need pkcs11-tool p11tool openssl sqlite3
make_token --no-pin-source
cd "$work"

user() {
	tool --login --pin "$pin" "$@"
}

step "a certificate beside a key"
quietly user --keypairgen --key-type rsa:2048 --label job --id 0a
quietly openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem \
	-subj /CN=job
quietly openssl x509 -in certificate.pem -outform der -out certificate.der
quietly user --write-object certificate.der --type cert --label job --id 0a
tool --read-object --type cert --id 0a --output-file read.der >/dev/null 2>&1 ||
	fail "the certificate is not found by its CKA_ID, without a login"
cmp certificate.der read.der || fail "another certificate is read than was written"
tool --list-objects --type cert >listed
grep -q 'subject: *DN: CN=job$' listed || fail "the certificate is not listed with its subject"
p11tool --provider "$module" --list-all-certs >listed 2>&1 || fail "p11tool --list-all-certs"
grep -q 'Label: job$' listed || fail "GnuTLS does not see the certificate"

step "a data object"
printf 'a note\n' >note
quietly user --write-object note --type data --label note --application-label tests
tool --read-object --type data --label note --output-file read >/dev/null 2>&1 ||
	fail "the data object is not found"
cmp note read || fail "other data are read than were written"

step "not without a login, nothing private, nothing that is no certificate"
if tool --write-object note --type data --label other >out 2>&1; then
	fail "a data object was written without a login"
fi
grep -q CKR_USER_NOT_LOGGED_IN out || fail "not refused for the missing login: $(cat out)"
if user --write-object note --type data --label other --private >out 2>&1; then
	fail "a private data object was written into a file that everybody may read"
fi
if user --write-object note --type cert --label other --id 0b >out 2>&1; then
	fail "something that is no certificate was written as one"
fi

step "signed as all else in the registry"
quietly "$p11_kms" verify
sqlite3 "$hsm_folder/registry.db" "UPDATE entries SET payload = replace(payload, \
	'\"created\":\"20', '\"created\":\"21') WHERE sequence = \
	(SELECT sequence FROM objects ORDER BY object LIMIT 1)"
if "$p11_kms" verify >out 2>&1; then
	fail "verify does not see that the certificate's entry was changed"
fi
tool --list-objects --type cert >listed 2>/dev/null
if grep -q 'CN=job' listed; then fail "a certificate that was changed is still shown"; fi

step "deletes"
quietly user --delete-object --type data --label note
tool --list-objects --type data >listed 2>/dev/null
if grep -q "'note'" listed; then fail "a deleted data object is still shown"; fi
