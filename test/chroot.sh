#!/usr/bin/env bash
# Runs tests on the PostgreSQL of another Debian release, in a chroot that is
# made for it and removed afterwards.
#
#   test/chroot.sh trixie 17                  everything, on PostgreSQL 17
#   test/chroot.sh trixie 17 --no-tap paging  the arguments are those of run.sh
#
# It needs root or sudo, and packages from where this machine has its own;
# MIRROR names another source.  Mounts and processes are in namespaces of
# their own: none is left, however the script ends.  The exit status is that of
# test/run.sh, or 77 where the chroot could not be made.
set -eu
. "$(dirname "$0")/lib.sh"

[ $# -ge 2 ] || die "usage: test/chroot.sh SUITE PG_MAJOR [argument of test/run.sh ...]"
suite=$1
major=$2

no_chroot()
{
	say "no chroot of $suite: $*"
	exit 77
}

# Where apt has Debian's packages from.
find_mirror()
{
	apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' \
		'Created-By: Packages' 2> /dev/null | sed -n 1p
}

# What dpkg and the packages in the chroot need not do: it lives for one run.
write_configuration()
{
	mkdir -p "$chroot/etc/dpkg/dpkg.cfg.d" "$chroot/etc/postgresql-common/createcluster.d"
	printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' \
		'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' \
		> "$chroot/etc/dpkg/dpkg.cfg.d/activityfeed"
	echo 'create_main_cluster = false' > "$chroot/etc/postgresql-common/createcluster.d/activityfeed.conf"
}

make_chroot()
{
	local mirror=${MIRROR:-$(find_mirror)} script=
	# a release newer than this debootstrap is made like any other
	[ -e "/usr/share/debootstrap/scripts/$suite" ] || script=sid
	write_configuration
	# shellcheck disable=SC2086
	debootstrap --variant=minbase \
		--include="build-essential,libjson-c-dev,postgresql-$major,postgresql-server-dev-$major,libipc-run-perl" \
		"$suite" "$chroot" "$mirror" $script > "$work/debootstrap.log" 2>&1 ||
		{ tail -n 5 "$work/debootstrap.log" >&2; return 1; }
	mount -t proc proc "$chroot/proc" && mount -t tmpfs tmpfs "$chroot/dev/shm"
}

# What runs inside of the namespaces, as root.
run_in_chroot()
{
	shift 2
	make_chroot || exit 77
	mkdir "$chroot/source"
	cp -R "$root/." "$chroot/source"
	chroot "$chroot" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		PG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config" ${COPT:+COPT="$COPT"} \
		/source/test/run.sh "$@"
}

if [ -n "${ACTIVITYFEED_CHROOT:-}" ]; then
	work=$ACTIVITYFEED_CHROOT
	chroot=$work/root
	run_in_chroot "$@"
	exit
fi

[ "$(id -u)" = 0 ] || ! command -v sudo > /dev/null || exec sudo -n MIRROR="${MIRROR:-}" COPT="${COPT:-}" "$0" "$@"
[ "$(id -u)" = 0 ] || no_chroot "be root, or have sudo"
(install_packages debootstrap) || no_chroot "debootstrap could not be installed"
unshare --mount --pid --fork true 2> /dev/null || no_chroot "namespaces cannot be made here"
make_work
trap 'rm -rf "$work"' EXIT
status=0
ACTIVITYFEED_CHROOT=$work unshare --mount --pid --fork --kill-child "$0" "$@" || status=$?
[ "$status" != 77 ] || no_chroot "see above"
exit "$status"
