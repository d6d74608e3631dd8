# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What is set here is used by the scenarios, and they pass arguments or none.
# shellcheck disable=SC2034,SC2120
# What the scenarios share. A scenario begins with
#
#	. "${srcdir:-.}/tests/lib.sh"
#
# and then has a folder of its own, $work, with nothing of the user's in its environment.
# From outside come srcdir (automake's) and P11_KMS_BUILD, where the build is.
# Exit status: 0 passed, 77 skipped (a tool is missing, nothing else), anything else failed.
set -eu

source_folder=$(cd "${srcdir:-.}" && pwd)
build_folder=$(cd "${P11_KMS_BUILD:-.}" && pwd)
module=$build_folder/.libs/p11-kms.so
p11_kms=$build_folder/p11-kms
scenario=$(basename "$0" .sh)

# A token's label as applications see it, and its HSM's: what make-config and make-token take by default.
token=backup
hsm_token=backup-hsm

work=$(mktemp -d "${TMPDIR:-/tmp}/p11-kms-$scenario.XXXXXX")
at_end='' # commands that a scenario wants run when it ends, however it ends

scenario_end() {
	status=$?
	trap - EXIT
	set +e
	eval "$at_end"
	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
		echo "not ok: $scenario: ${current_step:-before the first step}" >&2
	fi
	if [ -n "${P11_KMS_KEEP:-}" ]; then
		echo "kept: $work" >&2
	else
		rm -rf "$work"
	fi
	exit "$status"
}
trap scenario_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The user's own configuration, tokens and p11-kit modules stay out of it.
unset P11_KMS_CONFIG P11_KMS_LOG SOFTHSM2_CONF OPENSSL_CONF XDG_CONFIG_HOME XDG_DATA_HOME \
	PKCS11_MODULE_PATH
hsm_folder=$work/hsm
mkdir "$work/home"
export HOME="$work/home" XDG_STATE_HOME="$work/home/state"

step() {
	current_step=$*
	echo "# $*"
}

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# need TOOL...: skips the scenario where one is missing.
need() {
	for tool in "$@"; do
		if ! command -v "$tool" >/dev/null 2>&1; then
			echo "skipped: $tool is not installed"
			exit 77
		fi
	done
}

# need_file WHAT PATH...: the first of the paths that exists, in $found; skips where none does.
need_file() {
	what=$1
	shift
	for found in "$@"; do
		[ ! -e "$found" ] || return 0
	done
	echo "skipped: $what is not installed"
	exit 77
}

# What the build makes must be there: a build that lacks it has failed, and is not a reason to skip.
need_build() {
	for path in "$@"; do
		[ -e "$path" ] || fail "the build has no $path"
	done
}

# expect_fail COMMAND...: the command refuses, by exit status and not by dying of a signal.
expect_fail() {
	refused=0
	"$@" >"$work/refused.out" 2>&1 || refused=$?
	if [ "$refused" -eq 0 ]; then
		cat "$work/refused.out" >&2
		fail "succeeded, and should not: $*"
	fi
	if [ "$refused" -ge 124 ]; then
		cat "$work/refused.out" >&2
		fail "ended with status $refused: $*"
	fi
}

# expect_refusal PATTERN COMMAND...: refuses, and says something that matches.
expect_refusal() {
	pattern=$1
	shift
	expect_fail "$@"
	if ! grep -Eq -- "$pattern" "$work/refused.out"; then
		cat "$work/refused.out" >&2
		fail "did not say '$pattern': $*"
	fi
}

# expect_match PATTERN COMMAND...: succeeds, and prints something that matches.
expect_match() {
	pattern=$1
	shift
	if ! "$@" >"$work/match.out" 2>&1; then
		cat "$work/match.out" >&2
		fail "did not succeed: $*"
	fi
	if ! grep -Eq -- "$pattern" "$work/match.out"; then
		cat "$work/match.out" >&2
		fail "did not print '$pattern': $*"
	fi
}

# quietly COMMAND...: its output is shown only when it fails.
quietly() {
	if ! "$@" >"$work/quiet.out" 2>&1; then
		cat "$work/quiet.out" >&2
		fail "did not succeed: $*"
	fi
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# now_ms: milliseconds, for measuring how long something took.
now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# make_hsm: a SoftHSM2 token in $hsm_folder; sets $hsm_module and $pin.
make_hsm() {
	need softhsm2-util
	hsm_module=$("$source_folder/softhsm-config/find-module") || exit 77
	quietly "$source_folder/softhsm-config/make-token" "$hsm_folder"
	export SOFTHSM2_CONF="$hsm_folder/softhsm2.conf"
	pin=$(cat "$hsm_folder/pin")
}

# make_configuration [OPTION...]: p11-kms.conf for make_hsm's token (options as make-config's).
make_configuration() {
	quietly "$source_folder/softhsm-config/make-config" "$hsm_folder" "$@"
	export P11_KMS_CONFIG="$hsm_folder/p11-kms.conf"
}

# make_token [OPTION...]: the two above and an initialised registry: the usual beginning.
make_token() {
	need_build "$module" "$p11_kms"
	make_hsm
	make_configuration "$@"
	quietly "$p11_kms" init --pin-source "$hsm_folder/pin"
}

# need_pykcs11: a $python with PyKCS11, the client of those scenarios that are written in
# Python. The distribution's own comes second: the first in PATH may be another.
need_pykcs11() {
	export PYTHONPATH="$source_folder/tests" PYTHONDONTWRITEBYTECODE=1
	for python in python3 /usr/bin/python3; do
		if "$python" -c 'import PyKCS11' 2>/dev/null; then
			return 0
		fi
	done
	echo "skipped: PyKCS11 is not installed"
	exit 77
}

# as_nobody COMMAND...: as a user who owns nothing; skips where the scenario's own can't.
# Such a user may not reach the build: give_to_nobody has copies.
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# give_to_nobody: sets $nobodys_module and $nobodys_command, in a folder that nobody can read.
give_to_nobody() {
	need setpriv
	if [ "$(id -u)" -ne 0 ]; then
		echo "skipped: only root can become nobody"
		exit 77
	fi
	chmod 755 "$work"
	mkdir "$work/nobodys"
	cp "$module" "$p11_kms" "$work/nobodys"
	chmod -R go+rX "$work/nobodys"
	nobodys_module=$work/nobodys/p11-kms.so
	nobodys_command=$work/nobodys/p11-kms
}

# tool OPTION...: pkcs11-tool on the token.
tool() {
	pkcs11-tool --module "$module" --token-label "$token" "$@"
}

# public_key ID FILE: exports a public key through the module, as PEM.
public_key() {
	quietly tool --read-object --type pubkey --id "$1" --output-file "$2.der"
	quietly openssl pkey -pubin -inform DER -in "$2.der" -out "$2"
}

# make_engine_configuration ENGINE: openssl.cnf, by which that engine of OpenSSL has the module and the PIN.
make_engine_configuration() {
	cat >openssl.cnf <<END
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11_section
[pkcs11_section]
engine_id = pkcs11
dynamic_path = $1
MODULE_PATH = $module
PIN = $pin
init = 0
END
}

# expect STATUS COMMAND...: exits with it; output in $work/out, $work/err.
expect() {
	wanted=$1
	shift
	got=0
	"$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
	if [ "$got" -ne "$wanted" ]; then
		cat "$work/out" "$work/err" >&2
		fail "exit status $got, not $wanted: $*"
	fi
}

# says PATTERN, prints PATTERN: on stderr, on stdout, of the last expect.
says() {
	grep -Eq -- "$1" "$work/err" || { cat "$work/err" >&2; fail "stderr has no '$1'"; }
}
prints() {
	grep -Eq -- "$1" "$work/out" || { cat "$work/out" >&2; fail "stdout has no '$1'"; }
}

# json EXPRESSION: of the last expect's output, which is in x.
json() {
	python3 -c 'import json, sys
x = json.load(open(sys.argv[1]))
sys.exit(0 if eval(sys.argv[2]) else 1)' "$work/out" "$1" || { cat "$work/out" >&2; fail "not so: $1"; }
}
