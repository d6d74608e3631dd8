#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The systemd units are understood, run the command, and are as confined as they say.
. "${srcdir:-.}/tests/lib.sh"
need systemd-analyze
need_build "$p11_kms"

# As systemd/Makefile.am makes it, but that the command is where it was built.
units=$work/units
mkdir "$units" "$work/bin"
cp "$p11_kms" "$work/bin/p11-kms"
sed -e "s|@bindir@|$work/bin|g" -e 's|@sysconfdir@|/etc|g' -e 's|@localstatedir@|/var|g' \
	"$source_folder/systemd/p11-kms-refresh.service.in" >"$units/p11-kms-refresh.service"
cp "$source_folder/systemd/p11-kms-refresh.timer" "$units"

step "systemd understands them"
for unit in p11-kms-refresh.service p11-kms-refresh.timer; do
	quietly systemd-analyze verify --man=no --recursive-errors=no "$units/$unit"
	[ ! -s "$work/quiet.out" ] || fail "$unit: $(cat "$work/quiet.out")"
done
sed -n 's/^OnCalendar=//p' "$units/p11-kms-refresh.timer" >"$work/calendar"
quietly systemd-analyze calendar "$(cat "$work/calendar")"

step "it notices what is wrong with one"
sed 's/^ExecStart=.*/ExecStart=p11-kms/; s/^ProtectClock=.*/ProtectClocks=yes/' \
	"$units/p11-kms-refresh.service" >"$units/bad.service"
systemd-analyze verify --man=no --recursive-errors=no "$units/bad.service" >"$work/bad" 2>&1 || :
grep -q ProtectClocks "$work/bad" || fail "a setting that is none was not noticed"

step "it is confined"
quietly systemd-analyze security --offline=true --threshold=35 "$units/p11-kms-refresh.service"
for setting in ProtectSystem=strict NoNewPrivileges=yes PrivateTmp=yes MemoryDenyWriteExecute=yes; do
	grep -qx "$setting" "$units/p11-kms-refresh.service" || fail "without $setting"
done

step "what only somebody can mend is not tried again, a rejected PIN least of all"
sed -n 's/^RestartPreventExitStatus=//p' "$units/p11-kms-refresh.service" | tr ' ' '\n' >"$work/prevented"
for status in 2 3 5 8; do
	grep -qx "$status" "$work/prevented" || fail "status $status is tried again"
	grep -qx "\.It $status" "$source_folder/doc/p11-kms.1" || fail "the manual has no exit status $status"
done

step "the drop-ins that the manual shows are understood as well"
# drop_in SECTION: the manual's example that begins with that.
drop_in() {
	awk -v begin="$1" '/^\.Bd -literal/ { inside = 1; text = ""; next }
		/^\.Ed/ { if (inside && index(text, begin "\n") == 1) printf "%s", text; inside = 0 }
		inside { text = text $0 "\n" }' "$source_folder/doc/p11-kms.1"
}
for section in '[Timer]' '[Service]'; do
	unit=p11-kms-refresh.$([ "$section" = '[Timer]' ] && echo timer || echo service)
	drop_in "$section" | sed "s|/usr/bin/p11-kms|$work/bin/p11-kms|" >"$work/drop-in"
	grep -q = "$work/drop-in" || fail "the manual has no example for $section"
	cat "$units/$unit" "$work/drop-in" >"$work/$unit"
	quietly systemd-analyze verify --man=no --recursive-errors=no "$work/$unit"
	[ ! -s "$work/quiet.out" ] || fail "with the drop-in: $(cat "$work/quiet.out")"
done
