#!/bin/bash
# Builds the fuzz targets with clang and runs them.
#
#   run.sh replay          every input of the committed corpora once (part of `make test`)
#   run.sh fuzz SECONDS    each target for SECONDS, from its corpus, new inputs into a
#                          scratch folder; a crash fails and leaves its input there
#   run.sh grow TARGET     copies what the scratch folder has found into the corpus, minimised
#
# Prints one line a target, `ok - …` or `not ok - …`.  FUZZ_BUILD names the build directory.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${FUZZ_BUILD:-build-fuzz}
scratch=$build/scratch
failed=0

build_targets() {
	local target
	if [ ! -f "$build/build.ninja" ]; then
		CC=clang meson setup "$build" -Dfuzz=true -Dtests=true -Db_lundef=false \
			-Db_sanitize=address,undefined -Dc_args=-fsanitize=fuzzer-no-link \
			-Doptimization=1 -Ddebug_checks=true >"$build.log" 2>&1 || {
			cat "$build.log"
			return 1
		}
		rm -f "$build.log"
	fi
	for target in tests/fuzz/fuzz_*.c; do
		target=$(basename "$target" .c)
		ninja -C "$build" "tests/fuzz/$target" >"$build/$target.log" 2>&1 || {
			cat "$build/$target.log"
			return 1
		}
	done
}

# Old run times cannot live with a fully random address space; where it may be
# switched off for one program, it is.
run_plainly() {
	if setarch "$(uname -m)" -R true 2>/dev/null; then
		setarch "$(uname -m)" -R "$@"
	else
		"$@"
	fi
}

report() { # STATUS WORDS
	if [ "$1" -eq 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		failed=1
	fi
}

replay() { # NAME
	local corpus=tests/fuzz/corpus/$1 log=$build/replay_$1.log inputs status
	inputs=$(find "$corpus" -type f 2>/dev/null | wc -l)
	if [ "$inputs" -eq 0 ]; then
		report 1 "$1: no inputs in $corpus"
		return
	fi
	run_plainly timeout 300 "$build/tests/fuzz/fuzz_$1" -runs=0 -timeout=10 -artifact_prefix="$build/$1-" \
		"$corpus" >"$log" 2>&1
	status=$?
	[ "$status" -eq 0 ] || tail -n 60 "$log"
	report "$status" "$1: $inputs inputs replayed"
}

fuzz() { # NAME SECONDS
	local corpus=tests/fuzz/corpus/$1 log=$build/fuzz_$1.log status runs
	mkdir -p "$scratch/$1" "$scratch/crashes"
	run_plainly timeout $(($2 + 120)) "$build/tests/fuzz/fuzz_$1" -max_total_time="$2" -timeout=10 \
		-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$scratch/crashes/$1-" \
		"$scratch/$1" "$corpus" >"$log" 2>&1
	status=$?
	[ "$status" -eq 0 ] || tail -n 60 "$log"
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	report "$status" "$1: $2 s, ${runs:-0} runs, $(find "$scratch/$1" -type f | wc -l) inputs found"
}

grow() { # NAME
	mkdir -p "$scratch/$1" "tests/fuzz/corpus/$1"
	run_plainly "$build/tests/fuzz/fuzz_$1" -merge=1 "tests/fuzz/corpus/$1" "$scratch/$1"
}

names=$(for file in tests/fuzz/fuzz_*.c; do basename "$file" .c | sed 's/^fuzz_//'; done)
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
case "${1:-}" in
replay | fuzz | grow)
	if ! build_targets; then
		report 1 "the fuzz targets build"
		exit 1
	fi
	;;
esac
case "${1:-}" in
replay)
	for name in $names; do
		replay "$name"
	done
	;;
fuzz)
	# Two at a time, each in a process of its own.
	printf '%s\n' $names | xargs -P 2 -I NAME tests/fuzz/run.sh fuzz-one NAME "${2:-30}" || failed=1
	;;
fuzz-one) fuzz "$2" "$3" ;;
grow) grow "${2:?which target?}" ;;
*)
	sed -n '2,10s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
exit "$failed"
