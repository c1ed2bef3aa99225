#!/bin/bash
# Installs the Debian packages that a task needs, if any are missing.
#
#   tools/setup.sh build    what compiling needs
#   tools/setup.sh demo     the same: the demo needs nothing more
#   tools/setup.sh all      also compilers and tools for the checks, and the real
#                           programs that the end-to-end tests run
#
# As root it installs; otherwise it prints the line to run and exits 1.
set -u

build="build-essential meson ninja-build pkg-config libmicrohttpd-dev libjansson-dev liburing-dev libbpf-dev libmnl-dev libcap-ng-dev libpcre2-dev libc-ares-dev
clang bpftool"
check="libcmocka-dev clang-format clang-tidy libclang-rt-14-dev mandoc"
tests="python3 python3-pytest python3-pytest-xdist python3-pytest-timeout haproxy nginx-light libnginx-mod-stream redis-server redis-tools
postgresql postgresql-contrib mariadb-server mariadb-client iperf3 curl wrk openssh-server openssh-client socat iproute2 nftables
procps gnuplot-nox ethtool"

case "${1:-all}" in
build | demo) wanted="$build python3" ;;
check) wanted="$build $check" ;;
all) wanted="$build $check $tests" ;;
*)
	sed -n '2,9s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "tools/setup.sh: this is not a Debian system; make sure it has what these packages hold:" >&2
	echo "  "$wanted >&2
	exit 0
fi

missing=
for package in $wanted; do
	case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
missing=${missing# }
[ -n "$missing" ] || exit 0

line="apt-get install -y --no-install-recommends $missing"
if [ "$(id -u)" -ne 0 ]; then
	echo "Packages are missing. Run this, then try again:" >&2
	echo "  sudo $line" >&2
	exit 1
fi

# The packages of daemons start them; this file, while it exists, tells
# invoke-rc.d not to.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
echo "Installing: $missing"
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
	apt-get update || exit 1
	$line
else
	# The lists may be older than the archive: then fetch them and try once more.
	$line || { apt-get update && $line; }
fi
status=$?
[ "$status" -eq 0 ] || echo "tools/setup.sh: apt-get failed; the line was: $line" >&2
exit "$status"
