#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The offline recovery key: what was encrypted opens with it when the KMS, the registry and the
# configuration are gone for good, and without p11-kms.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need_pykcs11
need openssl
make_token
cd "$work"
quietly "$p11_kms" create job-42 --algorithm rsa-2048
quietly openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out recovery.pem
quietly openssl pkey -in recovery.pem -pubout -out recovery.pub
head -c 32 /dev/urandom >data-key
fingerprint=$(openssl pkey -pubin -in recovery.pub -outform DER | sha256sum | cut -d' ' -f1)

step "the policy names it, and show and --json tell"
quietly "$p11_kms" policy job-42 --set "recovery=$work/recovery.pub"
for command in policy show; do
	expect 0 "$p11_kms" $command job-42
	prints '^recovery.*  rsa-3072$'
	prints "^  SHA-256  *$fingerprint$"
	if grep -E '^.{80}' "$work/out"; then fail "lines longer than 79 columns"; fi
done
expect 0 "$p11_kms" policy job-42 --json
json "x['recovery'] == {'algorithm': 'rsa-3072', 'sha256': '$fingerprint'}"
quietly "$p11_kms" verify

step "nothing else is taken for a recovery key"
expect_refusal 'BEGIN PUBLIC KEY' "$p11_kms" policy job-42 --set "recovery=$work/recovery.pem"
expect_refusal 'no-such-file' "$p11_kms" policy job-42 --set "recovery=$work/no-such-file"
quietly openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.pem
quietly openssl pkey -in small.pem -pubout -out small.pub
expect_refusal 'at least 2048 bits' "$p11_kms" policy job-42 --set "recovery=$work/small.pub"
quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out curve.pem
quietly openssl pkey -in curve.pem -pubout -out curve.pub
expect_refusal 'RSA key' "$p11_kms" policy job-42 --set "recovery=$work/curve.pub"

step "the command encrypts for both, or not at all"
expect_refusal 'recovery key' "$p11_kms" encrypt job-42 --in data-key
quietly "$p11_kms" encrypt job-42 --in data-key --out sealed
if [ ! -s sealed ] || [ ! -s sealed.recovery ]; then fail "one of the two ciphertexts is missing"; fi
expect_fail "$p11_kms" encrypt job-42 --in data-key --out no-such-folder/sealed
head -c 191 /dev/zero >long
expect_refusal '190' "$p11_kms" encrypt job-42 --in long --out never
"$p11_kms" decrypt job-42 --in sealed --out opened
cmp data-key opened || fail "decrypted wrongly"

step "a program wraps its data key for both"
"$python" - "$module" "$token" wrapped.recovery <<'END'
import sys
import PyKCS11 as P
from client import Token, OAEP_SHA256

module, label, out = sys.argv[1:]
RECOVERY = 0x80000000 | 0x504b4d00 | 0x05  # CKA_P11_KMS_RECOVERY
token = Token(module, label)
[key] = token.find(P.CKO_PUBLIC_KEY, label="job-42")
spki = bytes(token.value(key, RECOVERY))
recovery = token.session.createObject([
    (P.CKA_CLASS, P.CKO_PUBLIC_KEY), (P.CKA_KEY_TYPE, P.CKK_RSA), (P.CKA_TOKEN, P.CK_FALSE),
    (P.CKA_ENCRYPT, P.CK_TRUE), (P.CKA_PUBLIC_KEY_INFO, spki)])
open(out, "wb").write(bytes(token.session.encrypt(recovery, open("data-key", "rb").read(),
                                                  OAEP_SHA256)))
END

step "rotation keeps it; older programs' ciphertexts stay what they are"
quietly "$p11_kms" rotate job-42
"$p11_kms" policy job-42 | grep -q "$fingerprint" || fail "the rotation has lost the recovery key"

step "a policy that was replaced, put back in the index, is refused"
quietly "$p11_kms" create turned --algorithm rsa-2048
quietly openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out stolen.pem
quietly openssl pkey -in stolen.pem -pubout -out stolen.pub.pem
quietly "$p11_kms" policy turned --set "recovery=$work/stolen.pub.pem"
old=$(sqlite3 "$hsm_folder/registry.db" "SELECT sequence FROM keys WHERE name = 'turned'")
quietly "$p11_kms" policy turned --set recovery=none
quietly "$p11_kms" policy job-42 --set keep-versions=9
"$p11_kms" encrypt turned --in data-key >sealed-turned || fail "the newest policy is refused"
new=$(sqlite3 "$hsm_folder/registry.db" "UPDATE keys SET sequence = $old WHERE name = 'turned';
	SELECT max(sequence) FROM entries")
"$p11_kms" encrypt turned --in data-key --out turned.sealed 2>log && fail "encrypted by an old policy"
grep -q "newest policy of the key turned" log || fail "$(cat log)"
[ ! -e turned.sealed.recovery ] || fail "encrypted to a replaced recovery key"
"$p11_kms" policy turned --set keep-versions=3 2>log && fail "signed an old policy again"
grep -q "newest policy" log || fail "$(cat log)"
[ "$(sqlite3 "$hsm_folder/registry.db" "SELECT max(sequence) FROM entries")" = "$new" ] || fail "signed something"
"$p11_kms" decrypt turned --in sealed-turned --out opened || fail "decrypting is refused, too"

step "nor is a recovery key guessed at when the log is not whole; other keys go on"
quietly "$p11_kms" create plain --algorithm rsa-2048
cp "$hsm_folder/registry.db" kept.db
sqlite3 "$hsm_folder/registry.db" "DELETE FROM entries WHERE sequence = $old"
"$p11_kms" encrypt job-42 --in data-key --out guessed 2>log && fail "encrypted by a policy of a broken log"
grep -q "newest policy of the key job-42" log || fail "$(cat log)"
"$p11_kms" encrypt plain --in data-key --out plainly || fail "a key without a recovery key is refused"
cp kept.db "$hsm_folder/registry.db"

step "everything is gone but the recovery key: OpenSSL alone opens both"
mv "$hsm_folder" gone
for file in sealed wrapped; do
	openssl pkeyutl -decrypt -inkey recovery.pem -pkeyopt rsa_padding_mode:oaep \
		-pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 \
		-in "$file.recovery" -out opened 2>openssl.log || fail "$(cat openssl.log)"
	cmp data-key opened || fail "$file.recovery opens to something else"
done
mv gone "$hsm_folder"

step "a pipe has no place beside it"
expect_refusal 'give --out FILE' "$p11_kms" encrypt job-42 --in data-key --out -
[ ! -e ./-.recovery ] || fail "a file named -.recovery"

step "none takes it away"
quietly "$p11_kms" policy job-42 --set recovery=none
expect 0 "$p11_kms" policy job-42 --json
json 'x["recovery"] is None'
"$p11_kms" encrypt job-42 --in data-key >sealed 2>/dev/null || fail "stdout is refused still"
