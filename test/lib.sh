# What demo.sh and run.sh share: packages, a private build, a throwaway
# cluster.  Nothing is installed outside of a temporary folder but the Debian
# packages; no running server is used or touched.
#
# Sourced by bash scripts that have set -eu.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unset PGDATA PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE PGPASSWORD

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# What may only be done by root.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo > /dev/null; then
		sudo "$@"
	else
		die "cannot run \"$*\": be root, or have sudo"
	fi
}

# PG_CONFIG and PG_MAJOR: what the caller names, else the newest server whose
# headers are here, else the one that this Debian release has.
find_postgres()
{
	local found
	if [ -z "${PG_CONFIG:-}" ]; then
		found=$(ls -d /usr/lib/postgresql/*/bin/pg_config 2> /dev/null | sort -V | tail -n 1)
		PG_CONFIG=$found
	fi
	if [ -n "$PG_CONFIG" ]; then
		PG_MAJOR=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	else
		. /etc/os-release
		case "${VERSION_ID:-}" in
			12) PG_MAJOR=15 ;;
			13) PG_MAJOR=17 ;;
			*) PG_MAJOR=18 ;;
		esac
		PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
	fi
}

# Installs those of the named packages that are missing.  The server's package
# would make and start a cluster of its own: it is told not to.
install_packages()
{
	local missing=() package guard=/etc/postgresql-common/createcluster.d/activityfeed.conf
	command -v dpkg-query > /dev/null || return 0
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing: ${missing[*]}"
	if [ ! -e "$guard" ]; then
		as_root mkdir -p "${guard%/*}"
		echo 'create_main_cluster = false' | as_root tee "$guard" > /dev/null
	else
		guard=
	fi
	as_root apt-get update -qq > /dev/null || true
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null 2>&1 ||
		die "could not install: ${missing[*]}"
	[ -z "$guard" ] || as_root rm -f "$guard"
}

# PostgreSQL does not run as root: then everything but the packages is done by
# this user.
find_user()
{
	test_user=$(id -un)
	if [ "$(id -u)" = 0 ]; then
		test_user=postgres
		id "$test_user" > /dev/null 2>&1 || die "there is no user $test_user to run a server as"
	fi
}

as_user()
{
	if [ "$(id -un)" = "$test_user" ]; then
		"$@"
	else
		runuser -u "$test_user" -- "$@"
	fi
}

# work: a new temporary folder that belongs to the user.
make_work()
{
	work=$(mktemp -d "${TMPDIR:-/tmp}/activityfeed.XXXXXX")
	chmod 755 "$work"
}

# How a server finds what is installed in $work/stage: Debian's own setting, in
# whose place 18 has two of PostgreSQL.
use_stage()
{
	if [ "$PG_MAJOR" -lt 18 ]; then
		echo "extension_destdir = '$work/stage'"
	else
		echo "extension_control_path = '$work/stage$("$PG_CONFIG" --sharedir):\$system'"
		echo "dynamic_library_path = '$work/stage$("$PG_CONFIG" --pkglibdir):\$libdir'"
	fi
}

# Copies the sources, builds them and installs into $work/stage.  Flags for the
# compiler come from the environment (CC, COPT).
build()
{
	bindir=$("$PG_CONFIG" --bindir)
	mkdir "$work/source" "$work/stage"
	(cd "$root" && cp -R Makefile activityfeed.control README.md CHANGELOG.md LICENSE META.json sql src expected test examples "$work/source")
	rm -f "$work"/source/src/*.o "$work"/source/src/*.bc
	{
		make -C "$work/source" -j2 PG_CONFIG="$PG_CONFIG" with_llvm=no ${CC:+CC="$CC"} &&
			make -C "$work/source" install PG_CONFIG="$PG_CONFIG" with_llvm=no DESTDIR="$work/stage"
	} > "$work/build.log" 2>&1 || { cat "$work/build.log" >&2; die "the build failed"; }
	use_stage > "$work/stage.conf"
	chmod -R a+rX "$work"
	[ "$(id -u)" != 0 ] || chown -R "$test_user" "$work"
}

# Makes and starts a cluster that listens on a socket in $work only.
start_cluster()
{
	as_user "$bindir/initdb" -D "$work/data" -U postgres -A trust -N \
		--locale=C --encoding=UTF8 > "$work/initdb.log" 2>&1 ||
		{ cat "$work/initdb.log" >&2; die "initdb failed"; }
	as_user tee -a "$work/data/postgresql.conf" > /dev/null <<-CONF
		include '$work/stage.conf'
		listen_addresses = ''
		unix_socket_directories = '$work'
		fsync = off
		max_prepared_transactions = 10
	CONF
	as_user "$bindir/pg_ctl" -D "$work/data" -l "$work/server.log" -w start > /dev/null ||
		{ cat "$work/server.log" >&2; die "the server did not start"; }
	export PGHOST=$work PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

stop_cluster()
{
	[ ! -f "${work:-/nonexistent}/data/postmaster.pid" ] ||
		as_user "$bindir/pg_ctl" -D "$work/data" -m immediate -w stop > /dev/null 2>&1 || true
}

# For a trap on EXIT.
clean_up()
{
	stop_cluster
	[ -z "${work:-}" ] || rm -rf "$work"
}
