#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Where the sources have been built in themselves, quickstart and tests/run say what to do, at once.
. "${srcdir:-.}/tests/lib.sh"

step "sources that are configured"
mkdir "$work/sources" "$work/sources/tests"
cp -R "$source_folder/softhsm-config" "$work/sources"
cp "$source_folder/tests/run" "$work/sources/tests"
# What goes on regardless ends here.
printf '#!/bin/sh\nexit 1\n' >"$work/sources/softhsm-config/install-packages"
: >"$work/sources/config.status"
expect_refusal 'make distclean' "$work/sources/softhsm-config/quickstart"
expect_refusal 'make distclean' "$work/sources/tests/run"
for folder in build build-tests; do
	[ ! -e "$work/sources/$folder" ] || fail "$folder was begun"
done
