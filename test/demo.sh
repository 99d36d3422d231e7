#!/usr/bin/env bash
# Shows the extension at work on the published example bodies: builds it,
# starts a throwaway cluster, stores the bodies and reads them back.
#
#   test/demo.sh          leaves nothing behind
#   test/demo.sh --keep   leaves the cluster running and says how to use it
#
# On Debian it installs the packages that are missing (root or sudo).
set -eu
. "$(dirname "$0")/lib.sh"

keep=
case "${1:-}" in
	"") ;;
	--keep) keep=1 ;;
	*) die "usage: test/demo.sh [--keep]" ;;
esac

find_postgres
install_packages build-essential libjson-c-dev "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR"
find_user
make_work
trap clean_up EXIT
say "building with PostgreSQL $PG_MAJOR"
build
start_cluster
"$bindir/psql" -X -q -v ON_ERROR_STOP=1 -v data="$root/test/data" -f "$root/test/demo.sql"

if [ -n "$keep" ]; then
	trap - EXIT
	stop="$bindir/pg_ctl -D $work/data -w stop && rm -rf $work"
	[ "$(id -un)" = "$test_user" ] || stop="runuser -u $test_user -- $bindir/pg_ctl -D $work/data -w stop && rm -rf $work"
	echo "The cluster is still running.  Connect:"
	echo "  $bindir/psql -h $work -U postgres postgres"
	echo "Stop it and remove everything:"
	echo "  $stop"
fi
