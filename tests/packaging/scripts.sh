#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The linter of shell scripts has nothing to say about any of them.
. "${srcdir:-.}/tests/lib.sh"
need shellcheck

cd "$source_folder"
step "shellcheck"
# -maxdepth would miss tests/*/; what autoreconf and builds leave is not ours.
find autogen.sh .ci softhsm-config tests provider doc -type f \
	-exec grep -lE '^#! ?/bin/(ba)?sh|^# shellcheck shell=' {} + | sort >"$work/scripts"
grep -qx tests/run "$work/scripts" || fail "tests/run was not found: is this list right?"
# One file after another: a file's own directives are its own.
while read -r script; do
	shellcheck --external-sources --source-path=SCRIPTDIR --source-path="$source_folder" \
		"$script" || echo "$script" >>"$work/complaints"
done <"$work/scripts"
[ ! -e "$work/complaints" ] || fail "shellcheck complains about: $(tr '\n' ' ' <"$work/complaints")"
