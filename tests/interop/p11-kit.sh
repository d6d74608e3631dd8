#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# p11-kit: the module registered, seen by everyone, through the proxy, and from afar.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

suite=$build_folder/tests/integration/blackbox/blackbox
need_build "$suite"
need p11-kit pkcs11-tool openssl
need_file "p11-kit's proxy" /usr/lib/*/p11-kit-proxy.so /usr/lib64/p11-kit-proxy.so \
	/usr/lib/p11-kit-proxy.so
proxy=$found
need_file "p11-kit's client" /usr/lib/*/pkcs11/p11-kit-client.so \
	/usr/lib64/pkcs11/p11-kit-client.so /usr/lib/pkcs11/p11-kit-client.so
client=$found
make_token --no-pin-source
quietly "$p11_kms" create job-42 --algorithm p-256 --id 42 --pin-source "$hsm_folder/pin"
cd "$work"
printf 'what is signed\n' >message
openssl dgst -sha256 -binary message >digest
quietly "$p11_kms" export job-42 --out public

# p11-kit does not read a user's configuration where the user is root.
user() {
	"$@"
}
if [ "$(id -u)" -eq 0 ]; then
	give_to_nobody
	module=$nobodys_module
	cp "$suite" "$work/nobodys"
	suite=$work/nobodys/blackbox
	user() {
		as_nobody "$@"
	}
fi

# Registered for the user alone, with the file that make install would put in place.
mkdir -p "$HOME/.config/pkcs11/modules"
sed "s|^module:.*|module: $module|" "$build_folder/provider/p11-kms.module" \
	>"$HOME/.config/pkcs11/modules/p11-kms.module"
grep -q "^module: $module\$" "$HOME/.config/pkcs11/modules/p11-kms.module" ||
	fail "p11-kms.module has no line for the module"
if [ "$(id -u)" -eq 0 ]; then chown -R 65534 "$work"; fi

step "p11-kit lists the module and the token"
expect_match '^p11-kms:' user p11-kit list-modules
expect_match "token: $token\$" user p11-kit list-modules

# signs_through MODULE: pkcs11-tool signs through another module, OpenSSL verifies.
signs_through() {
	quietly user pkcs11-tool --module "$1" --token-label "$token" --login --pin "$pin" --sign \
		--mechanism ECDSA --id 42 --input-file digest --output-file signature \
		--signature-format openssl
	quietly openssl pkeyutl -verify -pubin -inkey public -in digest -sigfile signature
}

# works_through MODULE CASE...: chapters of the black-box suite (all their cases, or those of this
# name) through another module: operations in parts, sizes that are asked first, wrapping and
# unwrapping, searches, what attributes are.
export BLACKBOX_TOKEN="$token" BLACKBOX_PIN="$pin"
works_through() {
	through=$1
	shift
	for chapter in "$@"; do
		quietly user env BLACKBOX_MODULE="$through" CK_RUN_SUITE="${chapter%%:*}" \
			CK_RUN_CASE="${chapter#*:}" "$suite"
		# None of them is there, so none has failed.
		if grep -q '0%: Checks: 0' "$work/quiet.out"; then fail "no test in $chapter"; fi
	done
}

# offers MODULE: what those chapters need, which they would pass over if it were not offered.
offers() {
	user pkcs11-tool --module "$1" --token-label "$token" --list-mechanisms >mechanisms
	grep -q 'AES-ECB,.* encrypt, decrypt' mechanisms || fail "no AES-ECB"
	grep -q 'AES-KEY-GEN,.* generate' mechanisms || fail "no AES-KEY-GEN"
	grep -q 'RSA-PKCS-OAEP,.* wrap, unwrap' mechanisms || fail "no wrapping with OAEP"
}

step "through the proxy"
signs_through "$proxy"
offers "$proxy"
works_through "$proxy" crypt-parts:started wrap:started find:started encrypt-decrypt:'each mechanism' \
	object:started message:started

step "through the proxy, with SoftHSM2 itself beside it"
printf 'module: %s\n' "$hsm_module" >"$HOME/.config/pkcs11/modules/softhsm2.module"
user p11-kit list-modules >modules
grep -q "token: $token\$" modules || fail "our token is gone"
grep -q "token: $hsm_token\$" modules || fail "SoftHSM2's token is gone"
signs_through "$proxy"
# Our module has used SoftHSM2, and left it as it found it.
expect_match 'job-42@1' user pkcs11-tool --module "$proxy" --token-label "$hsm_token" --login \
	--pin "$pin" --list-objects

step "from afar: p11-kit server and client"
mkdir -m 700 run
if [ "$(id -u)" -eq 0 ]; then chown 65534 run; fi
export XDG_RUNTIME_DIR="$work/run"
user p11-kit server --provider "$module" "pkcs11:token=$token" >server.env
# shellcheck disable=SC1091 # made by the line above
. ./server.env
at_end="kill $P11_KIT_SERVER_PID 2>/dev/null"
wait_for 10 user pkcs11-tool --module "$client" --token-label "$token" --list-mechanisms
signs_through "$client"
offers "$client"
# What has a parameter other than those of RSA, and pointers that are not given, p11-kit keeps back.
works_through "$client" crypt-parts:started wrap:started find:started encrypt-decrypt:'each mechanism' \
	object:started
