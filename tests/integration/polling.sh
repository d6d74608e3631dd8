#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a running program pays at each C_FindObjectsInit to see a rotation at once: while nothing
# changes, a few system calls, however many keys there are, and no page of the registry is read.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

make_registry=$build_folder/tests/bench/make-registry
need sqlite3 strace
need_pykcs11
need_build "$module" "$make_registry"
cd "$work"

cat >poll.py <<'END'
"""Polls so many times between two calls that strace can see; then once after a change."""
import os, subprocess, sys
import PyKCS11 as P
from client import Token

module, count, changing = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
token = Token(module, "many", writing=False)
session, library = token.session, token.session.lib
template = session._template2ckattrlist([(P.CKA_LABEL, "key-000002")])
polls = [None] * count


def mark(name):
    os.access("/mark-" + name, os.F_OK)


def poll():
    if library.C_FindObjectsInit(session.session, template) or \
       library.C_FindObjectsFinal(session.session):
        raise SystemExit("a poll failed")


assert len(token.find(P.CKO_PUBLIC_KEY, label="key-000002")) == 1
poll()
mark("begin")
for _ in polls:
    poll()
mark("end")
if changing:
    subprocess.run(changing, check=True)
    mark("changed")
    poll()
    mark("seen")
END

cat >count.py <<'END'
"""The system calls from one mark to another: name and number; what is read of the registry."""
import collections, re, sys

file, registry, begin, end = sys.argv[1:]
calls, read, names, inside = collections.Counter(), 0, {}, False
for line in open(file):
    if '"/mark-' in line:
        inside = '"/mark-' + begin in line or inside and '"/mark-' + end not in line
        continue
    call = re.match(r"(?:\d+ +)?(\w+)\((\d+)?(<[^>]*>)?", line)
    if not inside or call is None:
        continue
    calls[call[1]] += 1
    if call[1] in ("read", "pread64", "readv", "preadv") and registry in (call[3] or ""):
        read += 1
print(sum(calls.values()), read, dict(calls))
END

# polled NAME KEYS COUNT [COMMAND...]: so many polls of a registry of so many keys, and one more after
# the command; sets $calls and $read, of those before it.
polled() {
	[ -e "$1.db" ] || "$make_registry" "$1.db" "$1.pem" "$2"
	cat >"$1.conf" <<END
[token many]
registry = $work/$1.db
authority = $work/$1.pem
END
	name=$1
	keys=$2
	count=$3
	shift 3
	P11_KMS_CONFIG="$work/$name.conf" strace -y -o traced "$python" poll.py "$module" "$count" "$@" ||
		fail "the program that polls"
	figures=$("$python" count.py traced "$name.db" begin end)
	echo "  $keys keys, $count polls: $figures"
	calls=${figures%% *}
	read=${figures#* }
	read=${read%% *}
}

step "while nothing changes"
polled few 10 200
few=$calls
[ "$read" -eq 0 ] || fail "the registry was read $read times"
# Is it the same file, has its log grown: locks of SQLite's index, and a look at the path.
[ "$few" -le $((200 * 4)) ] || fail "$few system calls for 200 polls"
[ "$few" -ge 200 ] || fail "$few system calls for 200 polls: nothing can have been looked at"

step "for longer: so much more, and not more than that"
polled few 10 800
[ "$read" -eq 0 ] || fail "the registry was read $read times"
[ "$calls" -le $((few * 4 + 40)) ] || fail "$calls system calls for 800 polls, and $few for 200"

step "with many keys: the same"
polled many 3000 200
[ "$read" -eq 0 ] || fail "the registry was read $read times"
[ "$calls" -le $((few + 40)) ] || fail "$calls system calls with many keys, $few with few"

step "after a change it is read, once"
polled few 10 200 sqlite3 few.db "INSERT INTO intents (id, name, number, since) VALUES (x'99', 'x', 1, 1)"
[ "$read" -eq 0 ] || fail "the registry was read $read times, before it was changed"
figures=$("$python" count.py traced few.db changed seen)
echo "  the poll after a change: $figures"
read=${figures#* }
[ "${read%% *}" -gt 0 ] || fail "this scenario can't see that the registry is read"
