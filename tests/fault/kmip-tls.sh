#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# KMIP servers and clients that must not trust one another, and the PIN that opens a key.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"
# shellcheck source=tests/kmip/lib.sh
. "$source_folder/tests/kmip/lib.sh"
kmip_need
need pkcs11-tool

# refuses PATTERN SERVERS [LINE...]: init fails within the deadline (2 s), and says why.
refuses() {
	pattern=$1
	shift
	kmip_configuration "$@" "deadline = 2s"
	began=$(now_ms)
	expect_refusal "$pattern" "$p11_kms" init
	took=$(($(now_ms) - began))
	[ "$took" -lt 2500 ] || fail "it took $took ms to fail"
	[ ! -e "$work/host/registry.db" ] || fail "a registry was made"
}

step "servers with a good certificate, by name and by address"
for version in 1.2 1.3; do
	scripted_start "good-$version" --tls "$version"
	for host in localhost 127.0.0.1; do
		kmip_configuration "$host:$kmip_port"
		quietly "$p11_kms" init
		rm -rf "$work/host" "$work/home/state" # also what was seen of it
	done
	ports="${ports:-} $kmip_port"
done
port_13=$kmip_port

step "a server of another CA"
for port in $ports; do
	refuses 'certificate is refused: (self-signed|unable to get local issuer)' \
		"localhost:$port" "tls-ca = $certificates/other-ca.pem"
done

step "a server with another host's certificate"
scripted_start elsewhere --certificate elsewhere
refuses 'certificate is refused: hostname mismatch' "localhost:$kmip_port"
refuses 'certificate is refused: IP address mismatch' "127.0.0.1:$kmip_port"

step "a server whose certificate is revoked: refused with the list, accepted without one"
scripted_start revoked --certificate revoked
refuses 'certificate is refused: certificate revoked' "localhost:$kmip_port" \
	"tls-crl = $certificates/revoked.crl"
kmip_configuration "localhost:$kmip_port"
quietly "$p11_kms" init
rm -rf "$work/host" "$work/home/state" # also what was seen of it
kmip_configuration "localhost:$port_13" "tls-crl = $certificates/ca.crl"
quietly "$p11_kms" init
rm -rf "$work/host" "$work/home/state" # also what was seen of it

step "a revocation list that is out of date"
refuses 'certificate is refused: CRL has expired' "localhost:$port_13" \
	"tls-crl = $certificates/old.crl"

step "a CA in the middle: the lists of both are needed"
scripted_start below --certificate below
for list in ca middle; do
	refuses 'certificate is refused: unable to get certificate CRL' "localhost:$kmip_port" \
		"tls-crl = $certificates/$list.crl"
done
kmip_configuration "localhost:$kmip_port" "tls-crl = $certificates/chain.crl"
quietly "$p11_kms" init
rm -rf "$work/host" "$work/home/state" # also what was seen of it

step "a client whose certificate has expired, or is of another CA"
for port in $ports; do
	refuses 'expired.pem has expired' "localhost:$port" \
		"tls-certificate = $certificates/expired.pem" "tls-key = $certificates/expired.key"
	refuses 'TLS failed: .*unknown ca' "localhost:$port" \
		"tls-certificate = $certificates/stranger.pem" "tls-key = $certificates/stranger.key"
done

step "files that can't be used"
cp "$certificates/client.key" "$work/open.key"
chmod 644 "$work/open.key"
refuses 'open.key' "localhost:$port_13" "tls-key = $work/open.key"
refuses 'is not the private key of tls-certificate' "localhost:$port_13" \
	"tls-key = $certificates/client-2.key"
refuses 'no-such-file' "localhost:$port_13" "tls-ca = $work/no-such-file"
echo nothing >"$work/empty.pem"
refuses 'empty.pem has no certificate' "localhost:$port_13" "tls-ca = $work/empty.pem"
refuses 'empty.pem has no certificate' "localhost:$port_13" \
	"tls-certificate = $work/empty.pem"
refuses 'empty.pem has no revocation list' "localhost:$port_13" "tls-crl = $work/empty.pem"

step "that is the configuration's fault, and not the server's"
for line in "tls-ca = $work/no-such-file" "tls-ca = $work/empty.pem" "tls-key = $work/open.key"; do
	kmip_configuration "localhost:$port_13" "$line"
	expect 3 "$p11_kms" init
	says "^p11-kms: could not .*${line#*= }"
	if grep -q "can't be reached" "$work/err"; then fail "the KMS is blamed"; fi
	expect 7 "$p11_kms" verify
	prints "^FAIL +kms +not asked: ${line#*= }"
done

step "not TLS at all"
scripted_start plain
scripted_fault plain garbage accept
refuses 'TLS failed' "localhost:$kmip_port"
scripted_fault plain reset accept
refuses 'TLS failed|no connection|receive|ended' "localhost:$kmip_port"
refuses 'no connection: Connection refused' "localhost:$(free_port)"
refuses 'no address' "no-such-host.invalid:5696"

step "an encrypted key: the PIN opens it"
scripted_start keyed
encrypted="tls-key = $certificates/client-encrypted.key"
printf 'open sesame' >"$work/pin"
chmod 600 "$work/pin"
kmip_configuration "localhost:$kmip_port" "$encrypted" "pin-source = $work/pin"
quietly "$p11_kms" init
quietly "$p11_kms" create job-42 --id 2a
kmip_configuration "localhost:$kmip_port" "$encrypted"
echo message >"$work/message"
sign() {
	pkcs11-tool --module "$module" --token-label "$token" --login --pin "$1" --sign --id 2a \
		--mechanism SHA256-RSA-PKCS --input-file "$work/message" --output-file "$work/signature"
}
quietly sign 'open sesame'
expect_refusal CKR_PIN_INCORRECT sign 'open barley'

step "verify logs in before it asks a server; status tells of a PIN that nobody gave"
quietly "$p11_kms" verify --pin-source "$work/pin"
grep -q "^ok  *kms-servers  *localhost:$kmip_port speaks KMIP" "$work/quiet.out" ||
	fail "the server is not told of"
printf 'open barley' >"$work/wrong-pin"
chmod 600 "$work/wrong-pin"
expect_refusal '^FAIL +login +' "$p11_kms" verify --pin-source "$work/wrong-pin"
! grep 'reached' "$work/refused.out" || fail "the server is blamed"
quietly "$p11_kms" verify </dev/null
grep -q '^warn  *login  *not tried: give --pin-source' "$work/quiet.out" || fail "no word of the PIN"
! grep '^FAIL' "$work/quiet.out" || fail "something is blamed"
quietly "$p11_kms" status
grep -q '^kms  *needs a PIN' "$work/quiet.out" || fail "status does not tell of the PIN"
expect_match '"kms_reachable": null' "$p11_kms" status --json
kmip_stop keyed
expect_refusal CKR_DEVICE_ERROR sign 'open sesame'
expect_refusal '^FAIL +login +it failed' "$p11_kms" verify --pin-source "$work/pin"

step "a wrong pin-source is not tried again, and never logged"
scripted_start keyed-2
rm -rf "$work/host" "$work/home/state" # also what was seen of it
printf 'open barley' >"$work/pin"
kmip_log=debug
kmip_configuration "localhost:$kmip_port" "$encrypted" "pin-source = $work/pin"
expect_refusal 'rejects the PIN' "$p11_kms" init
! grep -q 'open barley' "$work/refused.out" || fail "the PIN is in the log"
printf 'open sesame' >"$work/pin"
quietly "$p11_kms" init
! grep -q 'open sesame' "$work/quiet.out" || fail "the PIN is in the log"
kmip_log=info

step "a user and a password besides the certificate"
scripted_start user --password 'job:secret'
printf 'secret' >"$work/password"
printf 'wrong' >"$work/wrong"
chmod 600 "$work/password" "$work/wrong"
rm -rf "$work/host" "$work/home/state" # also what was seen of it
refuses 'does not accept the user' "localhost:$kmip_port" "kmip-username = job" \
	"kmip-password-source = $work/wrong"
refuses "does not accept the client's certificate" "localhost:$kmip_port"
kmip_configuration "localhost:$kmip_port" "kmip-username = job" \
	"kmip-password-source = $work/password"
quietly "$p11_kms" init
quietly "$p11_kms" create job-42 --id 2a
kmip_configuration "localhost:$kmip_port" "kmip-username = job"
quietly sign secret
expect_refusal CKR_PIN_INCORRECT sign wrong
kmip_configuration "localhost:$kmip_port" "kmip-username = job" "pin-source = $work/password"
quietly "$p11_kms" verify
kmip_configuration "localhost:$kmip_port" "kmip-username = job" "pin-source = $work/wrong"
expect_refusal 'rejects the PIN' "$p11_kms" rotate job-42

step "without a PIN nobody needs to log in, and any PIN will do"
kmip_stop user
scripted_start open
rm -rf "$work/host" "$work/home/state" # also what was seen of it
kmip_configuration "localhost:$kmip_port"
quietly "$p11_kms" init
quietly "$p11_kms" create job-42 --id 2a
quietly sign whatever
quietly pkcs11-tool --module "$module" --token-label "$token" --sign --id 2a \
	--mechanism SHA256-RSA-PKCS --input-file "$work/message" --output-file "$work/signature"
