#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program encrypts in a loop while another rotates its key 100 times, and the authority once:
# nothing fails, nothing is encrypted under a version that was not the current one within its
# second, and all decrypts.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need_pykcs11
make_token
quietly "$p11_kms" create job-42 --algorithm rsa-2048
cd "$work"

cat >loop.py <<'END'
import os, sys, time
import PyKCS11 as P
from client import Token, OAEP_SHA256

module, label, stop, out = sys.argv[1:]
token = Token(module, label)
with open(out, "w") as ciphertexts:
    number = 0
    while not os.path.exists(stop):
        number += 1
        before = time.time()
        found = token.find(P.CKO_PUBLIC_KEY, label="job-42")
        assert len(found) == 1, f"{len(found)} keys of that name"
        data = bytes(token.session.encrypt(found[0], b"backup %d" % number, OAEP_SHA256))
        after = time.time()
        identifier = bytes(token.identifier(found[0])).hex()
        print(before, after, identifier, number, data.hex(), file=ciphertexts, flush=True)
        time.sleep(0.005)
END

"$python" loop.py "$module" "$token" "$work/stop" "$work/ciphertexts" 2>loop.log &
loop=$!
at_end="kill $loop 2>/dev/null"
wait_for 20 test -s ciphertexts || fail "nothing is encrypted: $(cat loop.log)"

step "100 rotations, ten by each command"
rotation=0
while [ $rotation -lt 10 ]; do
	quietly "$p11_kms" rotate job-42 job-42 job-42 job-42 job-42 job-42 job-42 job-42 job-42 job-42
	kill -0 $loop 2>/dev/null || fail "the program ended: $(cat loop.log)"
	[ $rotation -ne 5 ] || quietly "$p11_kms" authority rotate
	rotation=$((rotation + 1))
done
sleep 0.2
: >stop
wait $loop || fail "the program failed: $(cat loop.log)"
at_end=''

step "what was encrypted, and when"
"$p11_kms" list --all --json >list.json
"$python" - "$module" "$token" list.json ciphertexts <<'END' || fail "see above"
import calendar, json, sys, time
import PyKCS11 as P
from client import Token, OAEP_SHA256

module, label, listed, ciphertexts = sys.argv[1:]
versions = sorted(json.load(open(listed)), key=lambda version: version["version"])
assert [version["version"] for version in versions] == list(range(1, 102))


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


# A version is current from when the one before it was deactivated until it is itself: in whole
# seconds, and noted before it is signed and committed.
COMMIT = 0.9
current, since = {}, 0
for version in versions:
    until = seconds(version["state_since"]) if version["state"] == "deactivated" else 1 << 40
    current[version["id"]] = (since, until)
    since = until

token = Token(module, label)
private = {bytes(token.identifier(key)).hex(): key for key in token.find(P.CKO_PRIVATE_KEY)}
used, count = set(), 0
for line in open(ciphertexts):
    before, after, identifier, number, data = line.split()
    since, until = current[identifier]
    assert float(before) < until + 1 + COMMIT and float(after) >= since, \
        f"{number}: encrypted at {before} under a version that was current {since} to {until}"
    plaintext = bytes(token.session.decrypt(private[identifier], bytes.fromhex(data), OAEP_SHA256))
    assert plaintext == b"backup " + number.encode(), f"{number} decrypts to something else"
    used.add(identifier)
    count += 1
assert len(used) > 10, f"only {len(used)} versions were used"
print(f"{count} ciphertexts under {len(used)} of 101 versions; none failed, all decrypt")
END
