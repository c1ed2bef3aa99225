#!/bin/bash
# Configures a build directory when needed and builds it.
#
#   tools/build.sh DIR programs|all [-Doption=value …]
#
# `programs` are what gets installed, `all` also the tests.  Options hold until
# they are changed.  Without cmocka there are no tests.  DIR/spliced,
# DIR/splicectl and DIR/splicebench are links to the programs.
set -eu
cd "$(dirname "$0")/.."
dir=$1
what=$2
shift 2

kept=$dir/.options
if [ "$what" = all ]; then
	set -- "$@" -Dtests=true
elif ! pkg-config --exists cmocka; then
	set -- "$@" -Dtests=false
fi
if [ ! -f "$dir/build.ninja" ]; then
	meson setup "$dir" "$@"
	printf '%s\n' "$@" >"$kept"
fi
for option in "$@"; do
	if ! grep -qxF -e "$option" "$kept" 2>/dev/null; then
		meson configure "$dir" "$option"
		{
			grep -vF -e "${option%%=*}=" "$kept" || true
			echo "$option"
		} >"$kept.new"
		mv "$kept.new" "$kept"
	fi
done

programs="src/spliced ctl/splicectl bench/splicebench"
targets=
if [ "$what" = programs ]; then
	for program in $programs; do
		if grep -q "^build $program:" "$dir/build.ninja"; then
			targets="$targets $program"
		fi
	done
fi
ninja -C "$dir" $targets
for program in $programs; do
	if [ -x "$dir/$program" ]; then
		ln -sfn "$program" "$dir/${program##*/}"
	fi
done
