#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# doc/functions.md is what tests/functions makes of the tests, and names each return value that
# the standard lists.
. "${srcdir:-.}/tests/lib.sh"
need python3

step "the table of functions and return values"
if ! "$source_folder/tests/functions" --check >"$work/out" 2>&1; then
	cat "$work/out" >&2
	fail "doc/functions.md: run tests/functions, and look at doc/functions.txt"
fi
