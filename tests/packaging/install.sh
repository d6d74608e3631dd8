#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make install` leaves is all there, works, and is what `make uninstall` takes back.
. "${srcdir:-.}/tests/lib.sh"
need_build "$module" "$p11_kms"

# This make is not a part of the one that runs the tests.
unset MAKEFLAGS MFLAGS MAKELEVEL
setting() {
	make -s --no-print-directory -C "$build_folder" -f Makefile -f - print-setting <<END
print-setting: ; @echo '\$($1)'
END
}
root=$work/root

step "configure says where it will go"
for name in p11moduledir p11configdir systemdsystemunitdir; do
	grep -q "^  .* $(setting $name)\$" "$build_folder/config.log" || fail "not told: $(setting $name)"
done

step "install"
quietly make -C "$build_folder" install DESTDIR="$root"
for path in "$(setting bindir)/p11-kms" "$(setting p11moduledir)/p11-kms.so" \
	"$(setting p11configdir)/p11-kms.module" "$(setting pkgconfigdir)/p11-kms.pc" \
	"$(setting p11kmsincludedir)/p11-kms.h" "$(setting man1dir)/p11-kms.1" \
	"$(setting man5dir)/p11-kms.conf.5" \
	"$(setting systemdsystemunitdir)/p11-kms-refresh.service" \
	"$(setting systemdsystemunitdir)/p11-kms-refresh.timer"; do
	[ -s "$root$path" ] || fail "not installed: $path"
done
grep -qxF "module: $(setting p11moduledir)/p11-kms.so" "$root$(setting p11configdir)/p11-kms.module" ||
	fail "p11-kms.module names another module: $(cat "$root$(setting p11configdir)/p11-kms.module")"

unit=$root$(setting systemdsystemunitdir)/p11-kms-refresh.service
grep -qxF "ExecStart=$(setting bindir)/p11-kms refresh" "$unit" || fail "the unit runs another command"
grep -qxF "ConditionPathExists=$(setting sysconfdir)/p11-kms/p11-kms.conf" "$unit" ||
	fail "the unit asks for another configuration"
if grep -n '@[a-z]*@' "$unit"; then
	fail "the unit has a folder that was not filled in"
fi

step "the manual names the command by where it was put: cron looks in few folders"
grep -qF "* * * $(setting bindir)/p11-kms refresh && $(setting bindir)/p11-kms verify" \
	"$root$(setting man1dir)/p11-kms.1" || fail "the manual's line for cron names another command"

step "the command works where it was put"
expect_match "^p11-kms $(setting PACKAGE_VERSION)\$" "$root$(setting bindir)/p11-kms" --version

step "nothing but the standard's functions is exported"
nm -D --defined-only "$root$(setting p11moduledir)/p11-kms.so" | sed 's/.* //' >"$work/exported"
grep -qx C_GetFunctionList "$work/exported" || fail "C_GetFunctionList is not exported"
if grep -v '^C_[A-Z][A-Za-z]*$' "$work/exported"; then
	fail "exported, and should not be"
fi

step "uninstall"
quietly make -C "$build_folder" uninstall DESTDIR="$root"
find "$root" ! -type d >"$work/left"
if [ -s "$work/left" ]; then
	cat "$work/left" >&2
	fail "left behind by uninstall"
fi
