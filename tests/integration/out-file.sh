#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What --out does to what is there: files are replaced whole and stay their owner's, nothing
# else is replaced, links are followed.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need mkfifo
make_token
cd "$work"
umask 022
quietly "$p11_kms" create job-42 --algorithm rsa-2048
head -c 32 /dev/urandom >data
"$p11_kms" encrypt job-42 --in data --out data.enc 2>/dev/null

# decrypts FILE: it holds what job-42 decrypts to data.
decrypts() {
	"$p11_kms" decrypt job-42 --in "$1" | cmp - data || fail "$1 is not the ciphertext"
}

step "a new file has the mode that the umask leaves"
[ "$(stat -c %a data.enc)" = 644 ] || fail "mode $(stat -c %a data.enc)"
(umask 077 && quietly "$p11_kms" export job-42 --out private.pem)
[ "$(stat -c %a private.pem)" = 600 ] || fail "the umask was not heeded"
quietly "$p11_kms" decrypt job-42 --in data.enc --out data.dec
[ "$(stat -c %a data.dec)" = 600 ] || fail "others can read what was decrypted"

step "a file that is replaced keeps its mode, but what was decrypted is its owner's alone"
echo before >kept
chmod 640 kept
ln kept hard
quietly "$p11_kms" encrypt job-42 --in data --out kept
[ "$(stat -c %a kept)" = 640 ] || fail "mode $(stat -c %a kept)"
decrypts kept
[ "$(cat hard)" = before ] || fail "the old file was written into, not replaced"
chmod 644 data.dec
quietly "$p11_kms" decrypt job-42 --in data.enc --out data.dec
[ "$(stat -c %a data.dec)" = 600 ] || fail "others can read what was decrypted"

step "a pipe is written into, and stays"
mkfifo pipe
cat pipe >through &
quietly "$p11_kms" encrypt job-42 --in data --out pipe
wait $!
[ -p pipe ] || fail "the pipe was replaced"
decrypts through

step "a link is followed, and stays"
echo before >target
ln -s target link
quietly "$p11_kms" encrypt job-42 --in data --out link
[ -h link ] || fail "the link was replaced"
[ -f target ] || fail "the target is gone"
decrypts target
ln -s nowhere dangling
expect_refusal 'dangling: is a symbolic link to something that is not there' \
	"$p11_kms" encrypt job-42 --in data --out dangling
if [ ! -h dangling ] || [ -e nowhere ]; then fail "a dangling link was followed"; fi

step "a folder is refused, and so is what can't be made"
mkdir folder
expect_refusal 'folder: can.t be opened: Is a directory; name a file in it' \
	"$p11_kms" export job-42 --out folder
expect_refusal 'missing/file: can.t be written: No such file' "$p11_kms" export job-42 --out missing/file
[ -z "$(ls -A folder)" ] || fail "something is in the folder"

step "the standard output under its other name"
"$p11_kms" encrypt job-42 --in data --out /dev/stdout >stdout.enc 2>/dev/null
decrypts stdout.enc
"$p11_kms" encrypt job-42 --in data --out /dev/stdout 2>/dev/null | cat >stdout.enc
decrypts stdout.enc

if [ "$(id -u)" = 0 ]; then
	step "a device is written into, and stays"
	# A copy of /dev/null and of /dev/full: never the machine's own.
	if mknod null c 1 3 2>/dev/null && mknod full c 1 7; then
		if (: >null) 2>/dev/null; then # not where devices are not allowed
			quietly "$p11_kms" encrypt job-42 --in data --out null
			expect_refusal 'full: can.t be written: No space' \
				"$p11_kms" encrypt job-42 --in data --out full
		fi
		if [ ! -c null ] || [ ! -c full ]; then fail "a device was replaced"; fi
	fi

	step "another user's file stays his"
	echo before >his
	chown 65534:65534 his
	quietly "$p11_kms" encrypt job-42 --in data --out his
	[ "$(stat -c %u:%g his)" = 65534:65534 ] || fail "it belongs to $(stat -c %u:%g his)"
	decrypts his
	ln -s target planted
	chown -h 65534:65534 planted
	expect_refusal 'planted: is a symbolic link of another user' \
		"$p11_kms" encrypt job-42 --in data --out planted

	step "a file in a folder that is not the user's is overwritten"
	give_to_nobody
	mkdir "$work/nobodys/there"
	echo a longer line than what comes now >"$work/nobodys/there/mine"
	chown 65534:65534 "$work/nobodys/there/mine"
	sed -e '/^kms/d' -e '/^pin-source/d' "$P11_KMS_CONFIG" >"$work/nobodys/p11-kms.conf"
	chmod 755 "$hsm_folder"
	as_nobody "$nobodys_command" --config "$work/nobodys/p11-kms.conf" export job-42 \
		--out "$work/nobodys/there/mine" || fail "not exported"
	"$p11_kms" export job-42 | cmp - "$work/nobodys/there/mine" || fail "not the key alone"
	expect_refusal 'Permission denied; let this user at it' as_nobody "$nobodys_command" \
		--config "$work/nobodys/p11-kms.conf" export job-42 --out "$work/nobodys/there/new"
fi
