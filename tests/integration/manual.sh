#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# p11-kms(1), --help and the completion tell of the same commands and options.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need bash
need_build "$p11_kms"
page=$source_folder/doc/p11-kms.1
completion=$source_folder/doc/p11-kms.bash-completion

# The commands' items of the manual, each on a line: "create [--algorithm ALGORITHM] …".
manual_commands() {
	awk '
		/^\.It Xo$/ { line = ""; inside = 1; next }
		inside && /^\.Xc$/ { print line; inside = 0; next }
		inside && /^\.Ic / { line = $2; next }
		inside && /^\.Op Fl -/ {
			line = line " [--" substr($3, 2) ($4 == "Ar" ? " " $5 : "") "]"
		}' "$page"
}

# The same from --help: the usage lines, folded, without operands.
help_commands() {
	"$p11_kms" help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | while read -r command; do
		options=$("$p11_kms" "$command" --help | sed -n '1,/^$/p' | tr '\n' ' ' |
			grep -o '\[--[^]]*\]' | tr '\n' ' ' || true)
		echo "$command $options" | sed 's/ *$//'
	done
}

# "-a, --algorithm ALGORITHM" of every option.
manual_options() {
	sed -n 's/^\.It Fl \(.\) , -\([a-z-]*\)\(.*\)$/-\1, --\2\3/p' "$page" | sed 's/ Ar / /' | sort
}

help_options() {
	{
		"$p11_kms" help
		"$p11_kms" help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' |
			while read -r command; do "$p11_kms" help "$command"; done
	} | sed -n 's/^  \(-., --[a-z-]*\( [A-Z]\{2,\}\)\{0,1\}\).*/\1/p' | sort -u
}

step "the manual has the commands of --help, with their options"
manual_commands | sort >"$work/manual"
help_commands | sort >"$work/help"
[ -s "$work/help" ] || fail "--help lists no commands"
diff -u "$work/help" "$work/manual" || fail "p11-kms(1) (+) and --help (-) differ"

step "and describes the same options"
manual_options >"$work/manual"
help_options >"$work/help"
[ -s "$work/help" ] || fail "--help lists no options"
diff -u "$work/help" "$work/manual" || fail "p11-kms(1) (+) and --help (-) differ"

step "the manual has every exit status"
sed -n '/^enum exit_code/,/^}/s/^.* = \([0-9]\),.*/\1/p' \
	"$source_folder/provider/command/command.h" >"$work/help"
sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It \([0-9]*\)$/\1/p' "$page" >"$work/manual"
[ -s "$work/help" ] || fail "no exit status in command.h"
diff -u "$work/help" "$work/manual" || fail "p11-kms(1) (+) and command.h (-) differ"

step "help fits 80 columns, and goes to stdout"
for command in '' $(help_commands | cut -d' ' -f1); do
	# shellcheck disable=SC2086 # none, or one word
	"$p11_kms" help $command >"$work/out" 2>"$work/err"
	[ ! -s "$work/err" ] || fail "help $command writes to stderr"
	awk -v command="$command" 'length > 80 { print command ": " $0; bad = 1 } END { exit bad }' \
		"$work/out" || fail "longer than 80 columns"
done

step "the completion knows the commands"
sed -n "s/^_p11_kms_commands='\(.*\)'$/\1/p" "$completion" | tr ' ' '\n' | sort >"$work/manual"
help_commands | cut -d' ' -f1 | sort >"$work/help"
diff -u "$work/help" "$work/manual" || fail "the completion (+) and --help (-) differ"

step "the completion offers versions to what takes versions only, and after NAME@"
mkdir "$work/bin"
cat >"$work/bin/p11-kms" <<'END'
#!/bin/sh
case "$*" in
*--all*) printf '[\n  {\n    "name": "job-42",\n    "version": %s,\n    "id": "aa"\n  }\n]\n' 1 2 ;;
*) printf '[\n  {\n    "name": "job-42",\n    "version": 2,\n    "id": "aa"\n  }\n]\n' ;;
esac
END
chmod +x "$work/bin/p11-kms"
cat >"$work/complete.bash" <<'END'
. "$1"
COMP_LINE=$2
COMP_POINT=${#COMP_LINE}
COMP_WORDBREAKS=$3
read -ra COMP_WORDS <<<"${COMP_LINE//@/ @ }"
[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_p11_kms
echo "${COMPREPLY[*]}"
END
# completes LINE WORDBREAKS WANTED
completes() {
	got=$(PATH="$work/bin:$PATH" bash "$work/complete.bash" "$completion" "$1" "$2")
	[ "$got" = "$3" ] || fail "'$1' completes to '$got', not '$3'"
}
completes 'p11-kms destroy ' ' @' 'job-42@1 job-42@2'
completes 'p11-kms restore job' ' @' 'job-42@1 job-42@2'
completes 'p11-kms restore job-42@' ' @' '1 2'
completes 'p11-kms restore job-42@' ' ' 'job-42@1 job-42@2'
completes 'p11-kms show jo' ' @' 'job-42'
completes 'p11-kms show job-42@1' ' @' '1'
completes 'p11-kms rotate ' ' @' 'job-42'

if command -v mandoc >/dev/null 2>&1; then
	step "the manual is well-formed"
	mandoc -T lint -W warning "$page" || fail "mandoc complains"
fi
