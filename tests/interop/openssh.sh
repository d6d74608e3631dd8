#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# OpenSSH: ssh-keygen -D tells the public keys, ssh-agent signs with the private ones, and ssh
# logs in with them, where there is an sshd to log in to.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need ssh-keygen ssh-agent ssh-add ssh
make_token --no-pin-source
cd "$work"
# shellcheck disable=SC2016 # it is read at the end
at_end='[ -z "${SSH_AGENT_PID:-}" ] || kill "$SSH_AGENT_PID"; [ ! -s sshd.pid ] || kill "$(cat sshd.pid)"'

for algorithm in rsa-2048 p-256 p-384; do
	quietly "$p11_kms" create "$algorithm" --algorithm "$algorithm" --usage sign \
		--pin-source "$hsm_folder/pin"
done

# "ssh-rsa AAAA", without what follows.
keys() {
	cut -d' ' -f1,2 "$@" | sort
}

step "ssh-keygen -D tells the public keys, without a PIN"
quietly ssh-keygen -D "$module" </dev/null
ssh-keygen -D "$module" </dev/null 2>/dev/null >keys
for algorithm in rsa-2048 p-256 p-384; do
	"$p11_kms" export "$algorithm" --format ssh
done >exported
keys keys >a
keys exported >b
cmp a b || fail "ssh-keygen and p11-kms export tell different keys"

step "ssh-agent signs, ssh-keygen verifies"
printf '#!/bin/sh\ncat "%s"\n' "$hsm_folder/pin" >askpass
chmod 700 askpass
export SSH_ASKPASS="$work/askpass" SSH_ASKPASS_REQUIRE=force
eval "$(ssh-agent -s -a "$work/agent" -P "$module")" >/dev/null
quietly ssh-add -s "$module"
ssh-add -L >listed
keys listed >a
cmp a b || fail "the agent has other keys: $(cat listed)"
printf 'what is signed\n' >message
while read -r type key rest; do
	echo "$type $key" >key.pub
	echo "somebody $type $key" >signers
	rm -f message.sig
	quietly ssh-keygen -Y sign -f key.pub -n file message
	ssh-keygen -Y verify -f signers -I somebody -n file -s message.sig <message >out 2>&1 ||
		fail "the signature by a $type key is not accepted: $(cat out)"
	if echo changed | ssh-keygen -Y verify -f signers -I somebody -n file -s message.sig \
		>out 2>&1; then
		fail "a signature of something else is accepted ($rest)"
	fi
done <exported

# Debian's sshd wants to be called by its whole path. Its package starts one for everybody, so it
# is not among those that tests/run installs.
sshd=$(PATH=$PATH:/usr/sbin:/sbin command -v sshd) || exit 0
step "ssh logs in, through the agent, and with the module itself"
quietly ssh-keygen -q -t ed25519 -N '' -f host
cp exported authorized
chmod 600 authorized host
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >sshd_config <<END
ListenAddress 127.0.0.1:$port
HostKey $work/host
AuthorizedKeysFile $work/authorized
PidFile $work/sshd.pid
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
END
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
quietly "$sshd" -f "$work/sshd_config" -E "$work/sshd.log"
wait_for 10 test -s sshd.pid || fail "sshd does not start: $(cat sshd.log)"
echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 host.pub)" >known

# login OPTION...: prints "in".
login() {
	ssh -F none -p "$port" -o UserKnownHostsFile="$work/known" -o PasswordAuthentication=no \
		-o ConnectTimeout=20 "$@" 127.0.0.1 echo in </dev/null
}
while read -r type key rest; do
	echo "$type $key" >key.pub
	expect_match '^in$' login -o IdentitiesOnly=yes -i "$work/key.pub"
	grep -q "Accepted publickey .* ssh2: \(RSA\|ECDSA\)" sshd.log || fail "not by the key ($rest)"
done <exported
quietly ssh-add -e "$module"
expect_match '^in$' login -o IdentityAgent=none -o PKCS11Provider="$module"
: >authorized
if login -o IdentityAgent=none -o PKCS11Provider="$module" >out 2>&1; then
	fail "logs in with a key that is not allowed"
fi
