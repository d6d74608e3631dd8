#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The life of a version: before it is active, current, superseded, deactivated, compromised, to be
# destroyed, destroyed. Each move that is allowed, each that is not, and what refresh does by itself.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need pkcs11-tool
make_token
cd "$work"
echo 'what is encrypted' >data

# is STATE VERSION...: each of them, by show.
is() {
	is_wanted=$1
	shift
	for version in "$@"; do
		expect 0 "$p11_kms" show "$version" --json
		json "x[\"state\"] == \"$is_wanted\""
	done
}

# refreshed EXPRESSION: refresh says so, having said the same with --dry-run.
refreshed() {
	expect 0 "$p11_kms" refresh --dry-run --json
	json "x[\"dry_run\"] and $1"
	expect 0 "$p11_kms" refresh --json
	json "not x[\"dry_run\"] and x[\"failed\"] == 0 and $1"
}

# in_seconds N: that time, as --activate-at takes it.
in_seconds() {
	date -u -d "+$1 seconds" +%Y-%m-%dT%H:%M:%SZ
}

# shown COUNT LABEL...: so many public keys of each label an application finds.
shown() {
	wanted=$1
	shift
	quietly tool --list-objects --type pubkey
	for label in "$@"; do
		found=$(grep -Ec "^ *label: *$label\$" quiet.out || true)
		[ "$found" -eq "$wanted" ] || { cat quiet.out; fail "$found of $label, not $wanted"; }
	done
}

# decrypts FILE VERSION: to what was encrypted.
decrypts() {
	expect 0 "$p11_kms" decrypt "$2" --in "$1"
	cmp "$work/out" data || fail "$1 decrypts to something else"
}

# moves MOVE VERSION [OPTION...]: the command that makes the move.
moves() {
	case $1 in
	compromise) "$p11_kms" "$@" --reason 'the disk was sold' ;;
	destroy | purge) "$p11_kms" "$@" --yes ;;
	*) "$p11_kms" "$@" ;;
	esac
}

step "a time is in the future, and written as the manual says"
expect 2 "$p11_kms" create late --activate-at 2001-01-01
says 'is past'
for time in tomorrow 2099-13-01 2099-01-01T06:00 '2099-01-01 06:00:00'; do
	expect 2 "$p11_kms" create late --activate-at "$time"
	says 'is written as'
done
expect 6 "$p11_kms" show late

step "create --activate-at: nobody sees it before, refresh makes it active"
expect 0 "$p11_kms" create far --algorithm p-256 --activate-at 2099-01-01 --json
json 'x["state"] == "pre-active" and x["protect_from"] == "2099-01-01T00:00:00Z" and x["version"] == 1'
expect 6 "$p11_kms" encrypt far
says 'far has no current version yet: far@1 becomes current at 2099-01-01T00:00:00Z'
expect 0 "$p11_kms" create later --algorithm rsa-2048 --activate-at "$(in_seconds 8)" --json
json 'x["state"] == "pre-active"'
shown 0 later later@1
expect 6 "$p11_kms" encrypt later --in data
refreshed 'x["activated"] == 0'
is pre-active later@1 far@1
sleep 8.1
refreshed 'x["activated"] == 1'
is active later@1
is pre-active far@1
shown 1 later
expect 0 "$p11_kms" encrypt later --in data --out later.enc
decrypts later.enc later
refreshed 'x["activated"] == 0'

step "rotate --activate-at: the current version stays until then"
expect 0 "$p11_kms" rotate later --activate-at "$(in_seconds 8)" --json
json 'x[0]["version"] == 2 and x[0]["state"] == "pre-active"'
refreshed 'x["activated"] == 0'
is active later@1
expect 0 "$p11_kms" encrypt later --in data --out later.enc
decrypts later.enc later@1
sleep 8.1
refreshed 'x["activated"] == 1'
is active later@2
is deactivated later@1
shown 1 later later@1
expect 0 "$p11_kms" encrypt later --in data --out later.enc
decrypts later.enc later@2

step "overlap: the old version protects a while longer, and no longer"
expect 0 "$p11_kms" create lap --algorithm rsa-2048 --set overlap=12s
expect 0 "$p11_kms" rotate lap
expect 0 "$p11_kms" show lap@1 --json
json 'x["state"] == "active" and x["superseded"] is not None and x["protect_until"] > x["superseded"]'
since=$(sed -n 's/.*"superseded": "\(.*\)".*/\1/p' "$work/out")
expect 0 "$p11_kms" show lap@1
prints '^state +superseded$'
prints "^  since +$since$"
expect 0 "$p11_kms" list --all
prints '^lap +1 .* superseded '
shown 1 lap
expect 0 "$p11_kms" encrypt lap@1 --in data --out lap.enc
expect 0 "$p11_kms" encrypt lap --in data --out lap-2.enc
decrypts lap-2.enc lap@2
refreshed 'x["deactivated"] == 0'
sleep 12.1
expect 1 "$p11_kms" encrypt lap@1 --in data
says 'lap@1 does not encrypt: it is superseded'
refreshed 'x["deactivated"] == 1'
expect 0 "$p11_kms" show lap@1 --json
json 'x["state"] == "deactivated" and x["superseded"] is None'
expect 1 "$p11_kms" encrypt lap@1 --in data
decrypts lap.enc lap@1

step "keep-versions: the oldest ones are to be destroyed, never the current one"
expect 0 "$p11_kms" create few --algorithm p-256 --set keep-versions=2
expect 0 "$p11_kms" rotate few
expect 0 "$p11_kms" rotate few
expect 0 "$p11_kms" rotate few
refreshed 'x["retired"] == 2'
is destroy-pending few@1 few@2
is deactivated few@3
is active few@4
expect 0 "$p11_kms" show few@1 --json
json '"policy" in x["reason"] and x["restorable_until"] is not None'
refreshed 'x["retired"] == 0'
expect 0 "$p11_kms" policy few --set keep-versions=1
refreshed 'x["retired"] == 1'
is destroy-pending few@3
is active few@4
expect 0 "$p11_kms" policy few --set keep-versions=all
expect 0 "$p11_kms" restore few@3
is deactivated few@3
refreshed 'x["retired"] == 0'

step "keep-for: so long after it has ceased to protect"
expect 0 "$p11_kms" create while --algorithm p-256 --set keep-for=8s
expect 0 "$p11_kms" rotate while
refreshed 'x["retired"] == 0'
sleep 8.1
refreshed 'x["retired"] == 1'
is destroy-pending while@1
is active while@2

step "a reason is needed, and a version"
expect 0 "$p11_kms" create ends --algorithm rsa-2048
for number in 1 2; do
	[ $number = 1 ] && move=deactivate || move=compromise
	expect 0 moves "$move" "ends@$number"
	prints '^ends has no current version now: it encrypts and signs nothing until .p11-kms rotate ends.$'
	expect 0 "$p11_kms" rotate ends
done
expect 0 moves compromise ends@1
if grep -q 'no current version' "$work/out"; then fail "ends has a current version"; fi
expect 2 "$p11_kms" compromise few@4
says 'give --reason'
for reason in '' "$(printf 'a\tb')" "$(printf '%0600d' 0)"; do
	expect 2 "$p11_kms" compromise few@4 --reason "$reason"
	says 'a reason is'
done
for move in deactivate compromise destroy restore purge; do
	expect 2 moves $move few
	says 'which version'
	expect 6 moves $move few@9
	expect 6 moves $move nothing@1
done
for move in destroy purge; do
	expect 0 "$p11_kms" create "asked-$move" --algorithm p-256
	[ "$move" = destroy ] || expect 0 moves destroy "asked-$move@1"
	expect 2 "$p11_kms" "$move" "asked-$move@1"
	says "to $move asked-$move@1 must be confirmed: give --yes"
done
is active few@4 asked-destroy@1
is destroy-pending asked-purge@1

# in_state STATE NAME: a key whose version 1 is in it.
in_state() {
	if [ "$1" = pre-active ]; then
		expect 0 "$p11_kms" create "$2" --algorithm p-256 --activate-at 2099-01-01
	else
		expect 0 "$p11_kms" create "$2" --algorithm p-256
	fi
	case $1 in
	deactivated) expect 0 moves deactivate "$2@1" ;;
	compromised) expect 0 moves compromise "$2@1" ;;
	destroy-pending) expect 0 moves destroy "$2@1" ;;
	destroyed)
		expect 0 moves destroy "$2@1"
		expect 0 moves purge "$2@1"
		;;
	esac
	is "$1" "$2@1"
}

# allowed STATE: what the manual says can be done with it, in the order of the command.
allowed() {
	case $1 in
	pre-active) echo compromise destroy ;;
	active) echo deactivate compromise destroy ;;
	deactivated) echo compromise destroy ;;
	compromised) echo destroy ;;
	destroy-pending) echo restore purge ;;
	esac
}

# after MOVE STATE: what a version that was in STATE is then.
after() {
	case $1 in
	deactivate) echo deactivated ;;
	compromise) echo compromised ;;
	destroy) echo destroy-pending ;;
	restore) echo active ;;
	purge) echo destroyed ;;
	esac
}

for state in pre-active active deactivated compromised destroy-pending destroyed; do
	legal=$(allowed $state)
	step "$state: ${legal:-nothing} can be done, and nothing else"
	in_state $state "$state"
	for move in deactivate compromise destroy restore purge; do
		case " $legal " in
		*" $move "*)
			in_state $state "$state-$move"
			expect 0 moves $move "$state-$move@1" --json
			json "x[\"state\"] == \"$(after $move)\" and x[\"name\"] == \"$state-$move\""
			is "$(after $move)" "$state-$move@1"
			;;
		*)
			expect 1 moves $move "$state@1"
			if [ -n "$legal" ]; then
				says "$state@1 is $state; what can be done with it: $(echo "$legal" | sed 's/ /, /g')\$"
			else
				says "$state@1 is $state, for good\$"
			fi
			is $state "$state@1"
			;;
		esac
	done
done

step "what each command says to people, and what it means for applications"
quietly "$p11_kms" create told --algorithm rsa-2048
expect 0 "$p11_kms" encrypt told --in data --out told.enc
expect 0 moves deactivate told@1
grep -qx 'told@1 is deactivated' out || fail "deactivate says: $(cat out)"
shown 0 told
shown 1 told@1
expect 6 "$p11_kms" encrypt told --in data
decrypts told.enc told@1
expect 0 moves compromise told@1
grep -qx 'told@1 is compromised' out || fail "compromise says: $(cat out)"
expect 0 "$p11_kms" show told@1 --json
json 'x["reason"] == "the disk was sold" and x["protect_until"] is not None'
decrypts told.enc told@1
expect 0 "$p11_kms" rotate told
shown 1 told told@1
is active told@2
is compromised told@1

step "compromised stays so, whatever is destroyed and restored"
expect 0 moves destroy told@1
grep -Eqx 'told@1 will be destroyed; until [0-9TZ:-]{20}, .p11-kms restore. brings it back' out ||
	fail "destroy says: $(cat out)"
shown 0 told@1
expect 6 "$p11_kms" decrypt told@1 --in told.enc
expect 0 moves restore told@1
grep -qx 'told@1 is compromised again' out || fail "restore says: $(cat out)"
expect 0 "$p11_kms" show told@1 --json
json 'x["reason"] == "the disk was sold"'
decrypts told.enc told@1

step "a current version that is destroyed and restored is current again; one before its time waits on"
expect 0 moves destroy told@2
shown 0 told
expect 0 moves restore told@2
is active told@2
expect 0 moves destroy far@1
expect 0 moves restore far@1
is pre-active far@1
expect 0 moves destroy told@2
expect 0 "$p11_kms" rotate told
expect 0 moves restore told@2
is deactivated told@2
is active told@3

step "the grace ends: it can't be restored, and refresh purges it; purge does not wait for it"
expect 0 "$p11_kms" create brief --algorithm p-256 --set destroy-after=8s
expect 0 moves destroy brief@1
refreshed 'x["purged"] == 0'
sleep 8.1
expect 1 moves restore brief@1
says 'grace period of brief@1 is over'
refreshed 'x["purged"] == 1'
is destroyed brief@1
expect 0 moves destroy told@1
expect 0 moves purge told@1
grep -qx 'told@1 is destroyed for good' out || fail "purge says: $(cat out)"
expect 0 "$p11_kms" verify --json
json 'not [y for y in x if y["check"] in ("private-halves", "strays") and y["result"] != "ok"]'
expect 6 "$p11_kms" decrypt told@1 --in told.enc

step "without a KMS nothing moves"
sed -e '/^kms/d' -e '/^pin-source/d' "$P11_KMS_CONFIG" >reader.conf
for move in deactivate compromise destroy restore purge; do
	expect 3 moves $move few@4 --config reader.conf
	says 'has no "kms"'
done
is active few@4
