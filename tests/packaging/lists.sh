#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every file is in a list of a Makefile.am, so that it is built, run and distributed.
. "${srcdir:-.}/tests/lib.sh"

cd "$source_folder"
step "each source, test and document is listed"
# Tests are listed as programs, generated files as what they are made from.
cat Makefile.am ./*/Makefile.am | tr -cs '[:alnum:]_./+-' '\n' | sort -u >"$work/listed"
find provider include softhsm-config tests doc -type f |
	grep -Ev '/Makefile\.(am|in)$|/\.|\.(pyc|o|lo|la|log|trs)$' | sort >"$work/there"
while read -r file; do
	case $file in
	tests/*.c) name=${file%.c} ;;
	*) name=$file ;;
	esac
	grep -qxF -e "$name" -e "$file" "$work/listed" || echo "$file"
done <"$work/there" >"$work/unlisted"
if [ -s "$work/unlisted" ]; then
	cat "$work/unlisted" >&2
	fail "in no list of the Makefile.am"
fi
