#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Start-up, searches and memory do not grow with the number of keys: 100 beside 100,000. Times
# are printed, not judged; memory is.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

make_registry=$build_folder/tests/bench/make-registry
find_bench=$build_folder/tests/bench/find-bench
need_build "$module" "$make_registry" "$find_bench"
many=${P11_KMS_MANY_KEYS:-100000}

# measure COUNT: the figures of a registry with so many keys.
measure() {
	cat >"$work/$1.conf" <<END
[token many]
registry = $work/$1.db
authority = $work/$1.pem
END
	P11_KMS_CONFIG="$work/$1.conf" "$find_bench" "$module" "$1"
}

for count in 100 "$many"; do
	step "a registry of $count keys"
	"$make_registry" "$work/$count.db" "$work/$count.pem" "$count"
	measure "$count" >"$work/warm-up" # the file is in the system's cache from here on
done
few_figures=$(measure 100)
many_figures=$(measure "$many")

step "the figures"
printf '%10s %12s %14s %12s %10s\n' keys "start us" "by label us" "by id us" "memory KiB"
# shellcheck disable=SC2086
printf '%10s %12s %14s %12s %10s\n' 100 $few_figures "$many" $many_figures

grown=$((${many_figures##* } - ${few_figures##* }))
echo "memory grows by $grown KiB"
[ "$grown" -lt 4096 ] || fail "memory grows with the number of keys: $grown KiB"
