#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# p11-kms certificate: self-signed ones and requests are what OpenSSL accepts, for each
# algorithm; the one that is kept follows its version; and "certificates = self-signed".
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need openssl pkcs11-tool
make_token
cd "$work"

# Labels of the certificates that an application sees, sorted, in one line.
labels() {
	tool --list-objects --type cert 2>/dev/null | sed -n 's/^  label:  *//p' | sort | tr '\n' ' '
}

expect_labels() {
	seen=$(labels)
	[ "$seen" = "$1" ] || fail "the certificates are '$seen', not '$1'"
}

step "self-signed certificates and requests, of each algorithm"
for algorithm in rsa-2048 p-256 p-384 p-521 ed25519; do
	quietly "$p11_kms" create "$algorithm" --algorithm "$algorithm"
	quietly "$p11_kms" certificate "$algorithm" --dns web.example --dns '*.web.example' \
		--ip 192.0.2.1 --ip 2001:db8::1 --days 10 --out "$algorithm.pem"
	quietly openssl verify -CAfile "$algorithm.pem" -check_ss_sig -verify_hostname a.web.example \
		-verify_ip 2001:db8::1 "$algorithm.pem"
	openssl x509 -in "$algorithm.pem" -noout -pubkey >public.pem
	"$p11_kms" export "$algorithm" | cmp - public.pem || fail "another public key is in $algorithm.pem"
	quietly "$p11_kms" certificate "$algorithm" --csr --dns web.example \
		--subject '/C=DE/O=Acme\/Sons/CN=web' --out request.pem
	expect_match 'verify OK' openssl req -in request.pem -noout -verify
	openssl req -in request.pem -noout -subject -nameopt RFC2253 >out
	grep -qx 'subject=CN=web,O=Acme/Sons,C=DE' out || fail "another subject: $(cat out)"
	expect_match 'DNS:web.example' openssl req -in request.pem -noout -text
done

step "what is in one"
openssl x509 -in rsa-2048.pem -noout -text >out
for line in 'Version: 3 ' 'Issuer: CN = rsa-2048$' 'Subject: CN = rsa-2048$' 'CA:FALSE' \
	'Digital Signature, Key Encipherment$' 'Subject Key Identifier' 'sha256WithRSAEncryption' \
	'DNS:web.example, DNS:\*.web.example, IP Address:192.0.2.1, IP Address:2001:DB8:0'; do
	grep -q -- "$line" out || fail "no '$line' in $(cat out)"
done
openssl x509 -in rsa-2048.pem -noout -checkend $((9 * 86400)) >/dev/null || fail "ends too early"
if openssl x509 -in rsa-2048.pem -noout -checkend $((11 * 86400)) >/dev/null; then
	fail "ends too late"
fi
openssl x509 -in p-384.pem -noout -text | grep -q ecdsa-with-SHA384 || fail "not SHA-384 for p-384"

step "RSASSA-PSS, and DER"
quietly "$p11_kms" certificate rsa-2048 --pss --format der --out pss.der
openssl x509 -inform der -in pss.der -out pss.pem
quietly openssl verify -CAfile pss.pem -check_ss_sig pss.pem
openssl x509 -in pss.pem -noout -text | grep -q 'Signature Algorithm: rsassaPss' || fail "not PSS"
expect_refusal "p-256 can't sign so" "$p11_kms" certificate p-256 --pss

step "a certificate authority's is kept, and follows its version"
expect_labels ''
expect_refusal 'has no certificate' "$p11_kms" certificate rsa-2048 --export
quietly openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30
quietly "$p11_kms" certificate rsa-2048 --csr --out rsa.csr
quietly openssl x509 -req -in rsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -out rsa.pem
expect_match 'kept with rsa-2048@1' "$p11_kms" certificate rsa-2048 --import rsa.pem
expect_labels 'rsa-2048 '
"$p11_kms" certificate rsa-2048 --export | quietly openssl verify -CAfile ca.pem
id=$("$p11_kms" show rsa-2048 --json | sed -n 's/^ *"id": "\(.*\)",$/\1/p')
tool --read-object --type cert --id "$id" --output-file read.der >/dev/null 2>&1 ||
	fail "not found by its CKA_ID"
openssl x509 -in rsa.pem -outform der | cmp - read.der || fail "another certificate is found"
quietly "$p11_kms" rotate rsa-2048
expect_labels 'rsa-2048@1 '
tool --read-object --type cert --label rsa-2048@1 --output-file read.der >/dev/null 2>&1 ||
	fail "not found by the label of the older version"
if tool --read-object --type cert --label rsa-2048 --output-file other.der >/dev/null 2>&1; then
	fail "found by the label that is the new version's"
fi
expect_refusal 'deactivated, and signs nothing' "$p11_kms" certificate rsa-2048@1
"$p11_kms" certificate rsa-2048 | quietly "$p11_kms" certificate rsa-2048 --import -
expect_labels 'rsa-2048 rsa-2048@1 '
quietly "$p11_kms" destroy rsa-2048@1 --yes
expect_labels 'rsa-2048 '
expect_refusal 'restore' "$p11_kms" certificate rsa-2048@1 --export
quietly "$p11_kms" restore rsa-2048@1
expect_labels 'rsa-2048 rsa-2048@1 '

step "one takes the place of the former one"
quietly "$p11_kms" certificate p-256 --import p-256.pem
quietly "$p11_kms" certificate p-256 --subject 'A common name' --out second.pem
quietly "$p11_kms" certificate p-256 --json --import second.pem
"$p11_kms" certificate p-256 --export | cmp - second.pem || fail "the former one is still there"
expect_labels 'p-256 rsa-2048 rsa-2048@1 '

step "what is refused, and why"
expect_refusal 'another key than p-256@1' "$p11_kms" certificate p-256 --import ed25519.pem
cat p-256.pem second.pem >both.pem
expect_refusal 'several certificates' "$p11_kms" certificate p-256 --import both.pem
expect_refusal 'is no X.509 certificate' "$p11_kms" certificate p-256 --import ca.key
head -c 100 read.der >cut.der
expect_refusal 'is no X.509 certificate' "$p11_kms" certificate p-256 --import cut.der
expect_refusal 'No such file' "$p11_kms" certificate p-256 --import absent.pem
expect_refusal 'not for one call' "$p11_kms" certificate p-256 --export --csr
expect_refusal 'says nothing with --import' "$p11_kms" certificate p-256 --import p-256.pem --days 1
expect_refusal 'says nothing with --csr' "$p11_kms" certificate p-256 --csr --days 1
for days in 0 x 36501 1x; do
	expect_refusal 'days are a whole number' "$p11_kms" certificate p-256 --days $days
done
for name in '' 'a b' 'a,DNS:b' '-a' 'a..b' '*' 'x*.y'; do
	expect_refusal 'is no DNS name' "$p11_kms" certificate p-256 --dns "$name"
done
expect_refusal 'is no IP address' "$p11_kms" certificate p-256 --ip 192.0.2
for subject in / /x /CN= /C=Germany /nonsense=x /CN=a/b; do
	expect_refusal 'subject' "$p11_kms" certificate p-256 --subject $subject
done
expect_refusal 'the formats of certificates' "$p11_kms" certificate p-256 --format ssh
expect_refusal 'no such key' "$p11_kms" certificate absent
quietly "$p11_kms" create decrypts --algorithm rsa-2048 --usage decrypt
expect_refusal 'does not sign' "$p11_kms" certificate decrypts --csr
quietly "$p11_kms" create only-pss --algorithm rsa-2048 --set mechanisms=SHA256-RSA-PKCS-PSS
"$p11_kms" certificate only-pss >out
openssl x509 -in out -noout -text | grep -q rsassaPss || fail "the key's policy is not looked at"

step "a name that is too long for a certificate is cut off"
long=$(printf '%0200d' 0)
quietly "$p11_kms" create "$long" --algorithm p-256
expect_match "CN = 0{64}\$" sh -c "\"$p11_kms\" certificate $long | openssl x509 -noout -subject"

step "certificates = self-signed: one for each version that has none"
echo 'certificates = self-signed' >>"$P11_KMS_CONFIG"
expect_match '5 certificates made' "$p11_kms" refresh
expect_labels "$(printf '%s\n' "$long" ed25519 only-pss p-256 p-384 p-521 rsa-2048 rsa-2048@1 |
	sort | tr '\n' ' ')"
"$p11_kms" certificate p-256 --export | cmp - second.pem || fail "one that was kept is replaced"
"$p11_kms" refresh | grep -q 'certificate' && fail "a second refresh makes certificates again"
quietly "$p11_kms" create job --algorithm p-256
quietly "$p11_kms" rotate job
quietly tool --keypairgen --key-type EC:prime256v1 --label app --id 0a
for label in job job@1 app; do
	quietly tool --read-object --type cert --label $label --output-file $label.der
	openssl x509 -inform der -in $label.der -out $label.pem
	quietly openssl verify -CAfile $label.pem -check_ss_sig $label.pem
	openssl x509 -in $label.pem -noout -enddate | grep -q 'Dec 31 23:59:59 9999' ||
		fail "the certificate of $label expires"
done
if tool --read-object --type cert --label decrypts --output-file x.der >/dev/null 2>&1; then
	fail "a key that does not sign has a certificate"
fi

step "an application deletes one; refresh makes it anew"
quietly tool --delete-object --type cert --label app
if tool --read-object --type cert --label app --output-file x.der >/dev/null 2>&1; then
	fail "a deleted certificate is still there"
fi
expect_match '1 certificate made' "$p11_kms" refresh
quietly "$p11_kms" verify
