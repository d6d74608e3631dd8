#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# KMIP servers of different kinds: what PyKMIP lacks, and what others leave out.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"
# shellcheck source=tests/kmip/lib.sh
. "$source_folder/tests/kmip/lib.sh"
kmip_need
need pkcs11-tool
echo secret >"$work/plain"

# server NAME [OPTION...]: starts one, with a token of its own.
server() {
	rm -rf "$work/host"
	scripted_start "$@"
	kmip_configuration "localhost:$kmip_port" "deadline = 10s"
	quietly "$p11_kms" init
	cp "$work/quiet.out" "$work/init.out"
}

# decrypts KEY: what is encrypted here is decrypted there.
decrypts() {
	quietly "$p11_kms" encrypt "$1" --in "$work/plain" --out "$work/cipher"
	"$p11_kms" decrypt "$1" --in "$work/cipher" | cmp - "$work/plain" || fail "$1 does not decrypt"
}

# signs KEY ID MECHANISM: and openssl verifies.
signs() {
	"$p11_kms" export "$1" >"$work/key.pem"
	quietly tool --sign --id "$2" --mechanism "$3" --signature-format openssl \
		--input-file "$work/plain" --output-file "$work/signature"
	quietly openssl dgst -sha256 -verify "$work/key.pem" -signature "$work/signature" "$work/plain"
}

# sha1_decrypts PUBLIC_KEY ID: what another program encrypted with OAEP and SHA-1.
sha1_decrypts() {
	openssl pkeyutl -encrypt -pubin -inkey "$1" -pkeyopt rsa_padding_mode:oaep \
		-pkeyopt rsa_oaep_md:sha1 -in "$work/plain" -out "$work/sha1"
	quietly tool --decrypt --id "$2" --mechanism RSA-PKCS-OAEP --hash-algorithm SHA-1 \
		--input-file "$work/sha1" --output-file "$work/decrypted"
	cmp "$work/decrypted" "$work/plain" || fail "$2 does not decrypt OAEP with SHA-1"
}

# lives: keys are made, used and rotated, and all is well.
lives() {
	quietly "$p11_kms" create job-42 --id 2a --algorithm rsa-2048
	decrypts job-42
	signs job-42 2a SHA256-RSA-PKCS
	quietly "$p11_kms" rotate job-42
	"$p11_kms" decrypt job-42@1 --in "$work/cipher" | cmp - "$work/plain" || fail "version 1 is lost"
	quietly "$p11_kms" destroy job-42@1 --yes
	expect_match ', 0 failed' "$p11_kms" refresh
	quietly "$p11_kms" verify
}

# tells PATTERN: verify does, in JSON, whose lines are not folded.
tells() {
	expect_match "$1" "$p11_kms" verify --json
}

step "KMIP 1.4, TLS 1.3, SubjectPublicKeyInfo, Links, digests signed, EC"
server whole
lives
quietly "$p11_kms" create ec --id 0e --algorithm p-256
signs ec 0e ECDSA-SHA256
tells 'localhost:[0-9]+ is .*Scripted KMIP server'
tells 'has the operations Create Key Pair, Locate, Get, .*Sign"'
tells 'speaks KMIP 1.4, 1.3, 1.2, 1.1, 1.0; 1.4 is used, over TLSv1.3"'

step "the server re-keys by a policy of its own: refresh takes the new pair up"
server rekeys
quietly "$p11_kms" create job-7 --id 07 --algorithm rsa-2048
quietly "$p11_kms" encrypt job-7 --in "$work/plain" --out "$work/before"
echo job-7 >"$work/rekeys/rekey"
expect_match '1 taken up' "$p11_kms" refresh
decrypts job-7
"$p11_kms" decrypt job-7@1 --in "$work/before" | cmp - "$work/plain" || fail "version 1 is lost"
"$p11_kms" decrypt job-7@2 --in "$work/cipher" | cmp - "$work/plain" || fail "version 2 is lost"
expect_match '0 taken up|0 rotated, .*0 failed' "$p11_kms" refresh
tells 'the KMS holds all 2'
tells 'the KMS holds no pair without a version'
echo job-7 >"$work/rekeys/rekey"
expect_match '1 taken up' "$p11_kms" refresh
"$p11_kms" decrypt job-7@1 --in "$work/before" | cmp - "$work/plain" || fail "version 1 is lost"
tells 'the KMS holds all 3'
tells 'the KMS holds no pair without a version'

step "a private half that is lost is missed, though its public half is there"
echo job-7 >"$work/rekeys/lose"
expect_refusal 'job-7@1: the KMS has no such private key' "$p11_kms" verify --json
grep -q 'job-7@2: the KMS has no such private key' "$work/refused.out" || fail "2 is not missed"
! grep 'job-7@3: the KMS has no' "$work/refused.out" || fail "3 is missed"
decrypts job-7

# A server that keeps what is known of destroyed objects, and one that does not.
for forget in '' --forget; do
	step "what replaced a pair is destroyed after it${forget:+ (a server that forgets)}"
	rm -rf "$work/host"
	# shellcheck disable=SC2086 # an option or nothing
	scripted_start "replaces$forget" $forget
	kmip_configuration "localhost:$kmip_port" "deadline = 10s" "destroy-after = 1s"
	quietly "$p11_kms" init
	quietly "$p11_kms" create job-7 --id 07 --algorithm rsa-2048
	quietly "$p11_kms" encrypt job-7 --in "$work/plain" --out "$work/before"
	echo job-7 >"$work/replaces$forget/rekey"
	expect_match '1 taken up' "$p11_kms" refresh
	quietly "$p11_kms" rotate job-7
	quietly "$p11_kms" destroy job-7@2 --yes
	sleep 1.1
	expect_match 'job-7@2 stays in the KMIP server' "$p11_kms" refresh
	grep -q ', 0 failed' "$work/match.out" || fail "it is taken for a failure"
	expect_refusal 'job-7@2 stays in the KMIP server' "$p11_kms" purge job-7@2 --yes
	grep -q 'could not purge' "$work/refused.out" || fail "it is not said that it failed"
	"$p11_kms" decrypt job-7@1 --in "$work/before" | cmp - "$work/plain" || fail "version 1 is lost"
	expect_match ', 0 failed' "$p11_kms" refresh
	tells 'the KMS holds all 2'
	quietly "$p11_kms" destroy job-7@1 --yes
	sleep 1.1
	quietly "$p11_kms" refresh
	quietly "$p11_kms" refresh
	tells 'the KMS holds all 1'
	tells 'the KMS holds no pair without a version'
	decrypts job-7
done

step "keys in transparent form, EC signatures as r and s, pages of three keys"
server transparent --form transparent --raw-ecdsa --page 3
lives
quietly "$p11_kms" create ec --id 0e --algorithm p-384
signs ec 0e ECDSA-SHA256

step "KMIP 1.2 over TLS 1.2, keys in PKCS#1: the server hashes; SHA-1 is all that OAEP has"
server old --minor 2 --tls 1.2 --form pkcs1
grep -q 'OAEP with other hashes than SHA-1' "$work/init.out" || fail "it is not said"
quietly "$p11_kms" create job-42 --id 2a --algorithm rsa-2048
signs job-42 2a SHA256-RSA-PKCS
expect_refusal 'OAEP with SHA-1 only' "$p11_kms" encrypt job-42 --in "$work/plain" \
	--out "$work/never"
sha1_decrypts "$work/key.pem" 2a
quietly "$p11_kms" verify

step "no Links, no filters, no Digested Data, no Sensitive, no Object Groups, no EC"
server poor --no-link --no-filters --no-digested --no-sealing --no-groups \
	--no-ec
grep -q 'does not make EC keys' "$work/init.out" || fail "it is not said that EC is missing"
lives
expect_refusal 'CKR_|can not|not offered|algorithm' "$p11_kms" create ec --algorithm p-256
tells 'it does not make EC keys that can be used'

step "a server without Query and Discover Versions"
server silent --without Query --without DiscoverVersions
lives
tells 'does not tell its vendor, nor its operations .Operation Not Supported'
tells 'speaks KMIP of versions that it does not tell; 1.4 is used'

step "a server without Decrypt: it is said, and nothing is encrypted"
server mute --without Decrypt
grep -q 'does not decrypt with RSA OAEP (Operation Not Supported: no such operation)' \
	"$work/init.out" || fail "it is not said"
quietly "$p11_kms" create job-42 --id 2a --algorithm rsa-2048
signs job-42 2a SHA256-RSA-PKCS
expect_fail "$p11_kms" encrypt job-42 --in "$work/plain" --out "$work/never"

step "several KMS, each a token: a program finds its key by its identifier on any of them"
# The backup server's shape: RSA-2048, OAEP with SHA-1, one identifier, slots searched in turn.
rm -rf "$work/host"
scripted_start one
one=$kmip_port
scripted_start two
two=$kmip_port
kmip_configuration "localhost:$one"
sed -n '/^\[token/,$p' "$P11_KMS_CONFIG" |
	sed -e "s/^\[token .*/[token second]/" -e "s/localhost:$one/localhost:$two/" \
		-e 's/registry\.db/second.db/' -e 's/authority\.pem/second.pem/' >"$work/second"
cat "$work/second" >>"$P11_KMS_CONFIG"
quietly "$p11_kms" init --token "$token"
quietly "$p11_kms" init --token second
quietly "$p11_kms" create veeam --token second --algorithm rsa-2048 --id 5645454d01
"$p11_kms" export veeam --token second >"$work/veeam.pem"
openssl pkeyutl -encrypt -pubin -inkey "$work/veeam.pem" -pkeyopt rsa_padding_mode:oaep \
	-pkeyopt rsa_oaep_md:sha1 -in "$work/plain" -out "$work/veeam"
cat >"$work/search.py" <<'END'
import sys
import PyKCS11
module, ciphertext = sys.argv[1:]
lib = PyKCS11.PyKCS11Lib()
lib.load(module)
found = []
for slot in lib.getSlotList(tokenPresent=True):
    session = lib.openSession(slot)
    found += [(session, key) for key in session.findObjects([
        (PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY),
        (PyKCS11.CKA_ID, bytes.fromhex("5645454d01"))])]
[(session, key)] = found
oaep = PyKCS11.RSAOAEPMechanism(PyKCS11.CKM_SHA_1, PyKCS11.CKG_MGF1_SHA1)
assert bytes(session.decrypt(key, open(ciphertext, "rb").read(), oaep)) == b"secret\n"
END
need_pykcs11
quietly "$python" "$work/search.py" "$module" "$work/veeam"

step "the authority rotates on a KMIP token"
server hands-over
quietly "$p11_kms" create job-42 --id 2a --algorithm rsa-2048
quietly "$p11_kms" encrypt job-42 --in "$work/plain" --out "$work/before"
expect_match 'the registry is now signed by SHA256:' "$p11_kms" authority rotate
decrypts job-42
"$p11_kms" decrypt job-42 --in "$work/before" | cmp - "$work/plain" || fail "what was before is lost"
quietly "$p11_kms" rotate job-42
tells 'the pinned one handed over to'

step "a TLS session is resumed when the server has ended the connection"
need_pykcs11
cat >"$work/again.py" <<'END'
import sys
import PyKCS11
module, ciphertext = sys.argv[1:]
lib = PyKCS11.PyKCS11Lib()
lib.load(module)
session = lib.openSession(lib.getSlotList(tokenPresent=True)[0])
[key] = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY),
                             (PyKCS11.CKA_ID, (0x2A,))])
oaep = PyKCS11.RSAOAEPMechanism(PyKCS11.CKM_SHA_1, PyKCS11.CKG_MGF1_SHA1)
for _ in range(4):
    assert bytes(session.decrypt(key, open(ciphertext, "rb").read(), oaep)) == b"secret\n"
END
for version in 1.2 1.3; do
	server "resumes-$version" --tls "$version"
	quietly "$p11_kms" create job-42 --id 2a --algorithm rsa-2048
	"$p11_kms" export job-42 >"$work/key.pem"
	sha1_decrypts "$work/key.pem" 2a
	scripted_fault "resumes-$version" last Decrypt
	: >"$work/resumes-$version/requests"
	quietly "$python" "$work/again.py" "$module" "$work/sha1"
	resumed=$(grep -c "^resumed TLSv$version" "$work/resumes-$version/requests" || true)
	echo "  TLS $version: $resumed handshakes resumed"
	[ "$resumed" -ge 3 ] || fail "TLS $version: $resumed handshakes resumed, not 3 or more"
done

step "no server was ever asked for a private key"
! grep -E '^Get 1\.[0-9] private' "$work"/*/requests || fail "a private key was asked for"
