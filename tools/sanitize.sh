#!/bin/bash
# Builds with a sanitizer and runs the unit and end-to-end tests with it.
#
#   tools/sanitize.sh address,undefined|thread [PYTEST-MARKERS [PYTEST-ARGUMENTS …]]
set -u
cd "$(dirname "$0")/.." || exit 1
kind=$1
without=
markers=${2:-not slow}
[ $# -lt 2 ] && shift 1 || shift 2
case "$kind" in
address*) dir=build-asan ;;
# What one thread does alone has no races.
thread) dir=build-tsan without="--no-suite sim --no-suite contract --no-suite fault" ;;
*)
	sed -n '2,5s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac

if ! CC=${CC:-clang} tools/build.sh "$dir" all -Db_sanitize="$kind" -Db_lundef=false \
	-Ddebug_checks=true -Doptimization=1 >"$dir.log" 2>&1; then
	tail -n 40 "$dir.log"
	exit 1
fi
mv "$dir.log" "$dir/build.log"

# Old run times cannot live with a fully random address space; where it may be
# switched off for one program, it is.
plainly=
setarch "$(uname -m)" -R true 2>/dev/null && plainly="setarch $(uname -m) -R"
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
export SPLICED_BINARY=$PWD/$dir/spliced SPLICED_CTL=$PWD/$dir/splicectl

status=0
# What fails while other tests use the machine as well has a second try, alone.
$plainly meson test -C "$dir" --no-rebuild --print-errorlogs --timeout-multiplier 5 $without ||
	$plainly /usr/bin/python3 tools/test.py --meson-log "$dir/meson-logs/testlog.json" || status=1
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
set -- -q -o cache_dir="$cache" -m "$markers" "$@" tests/e2e
if ! $plainly /usr/bin/python3 -m pytest -n 2 "$@"; then
	echo "What failed beside others is run alone:"
	$plainly /usr/bin/python3 -m pytest -n 0 --last-failed --last-failed-no-failures none "$@" || status=1
fi
exit "$status"
