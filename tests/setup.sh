# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What ./quickstart and ./check both need from the machine: Debian packages and huge pages.
# To be sourced. This is the one place where packages are listed.

# To build the programs.
PACKAGES_BUILD=(gcc libc6-dev pkg-config meson ninja-build libdpdk-dev libjansson-dev libevent-dev
	libssl-dev libyaml-dev libsqlite3-dev libseccomp-dev libcap-ng-dev)
# To run dpdk-testpmd (in dpdk-dev) as a guest.
PACKAGES_GUEST=(dpdk dpdk-dev iproute2)
# To build and run the tests.
PACKAGES_TEST=(libcmocka-dev python3-pytest python3-scapy openssl iputils-ping iperf3 ethtool)
# Without these, single tests are skipped and say so.
PACKAGES_OPTIONAL=(qemu-system-x86 linux-image-cloud-amd64 busybox-static cpio clang-format
	openvswitch-common openvswitch-switch clang libclang-rt-14-dev systemd)

# packages_missing NAME...: prints those that are not installed.
packages_missing() {
	local name
	for name in "$@"; do
		case $(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null) in
		ii*) ;;
		*) printf '%s\n' "$name" ;;
		esac
	done
}

# packages_install NAME...: installs what is missing. On failure it shows what apt-get said.
packages_install() {
	local missing log
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "This needs Debian's packages: ${missing[*]}" >&2
		return 1
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "Packages are missing. As root: apt-get install ${missing[*]}" >&2
		return 1
	fi
	echo "Installing with apt-get: ${missing[*]}"
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	if apt-get -q update >"$log" 2>&1 &&
		apt-get -q install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	tail -n 15 "$log" >&2
	rm -f "$log"
	echo "apt-get could not install ${missing[*]}; the end of its output is above." >&2
	return 1
}

# Huge pages of 2 MB. hugepages_reserve remembers what it changed, hugepages_restore undoes it.
HUGEPAGES_FILE=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
HUGEPAGES_BEFORE=
HUGEPAGES_MOUNTED=

# hugepages_free: pages that a program could have now.
hugepages_free() {
	cat "${HUGEPAGES_FILE%nr_hugepages}free_hugepages" 2>/dev/null || echo 0
}

# hugepages_reserve WANTED: asks the kernel for so many free pages, but never for more than half
# of the available memory. Succeeds if that many are free afterwards.
hugepages_reserve() {
	local wanted=$1 free total available
	free=$(hugepages_free)
	if [ "$free" -lt "$wanted" ] && [ -w "$HUGEPAGES_FILE" ]; then
		available=$(awk '/^MemAvailable:/ { print int($2 / 2048) }' /proc/meminfo)
		if [ $((available / 2)) -ge $((wanted - free)) ]; then
			total=$(cat "$HUGEPAGES_FILE")
			HUGEPAGES_BEFORE=$total
			echo $((total + wanted - free)) >"$HUGEPAGES_FILE" 2>/dev/null || true
		fi
	fi
	if [ "$(hugepages_free)" -lt "$wanted" ]; then
		hugepages_restore
		return 1
	fi
	if ! grep -q ' hugetlbfs ' /proc/mounts && [ "$(id -u)" = 0 ]; then
		mkdir -p /dev/hugepages 2>/dev/null &&
			mount -t hugetlbfs none /dev/hugepages 2>/dev/null && HUGEPAGES_MOUNTED=1
	fi
	return 0
}

hugepages_restore() {
	[ -z "$HUGEPAGES_MOUNTED" ] || umount /dev/hugepages 2>/dev/null || true
	[ -z "$HUGEPAGES_BEFORE" ] || echo "$HUGEPAGES_BEFORE" >"$HUGEPAGES_FILE" 2>/dev/null || true
	HUGEPAGES_MOUNTED='' HUGEPAGES_BEFORE=''
}

# Debian's own Python and tools, whatever else stands first in PATH.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
