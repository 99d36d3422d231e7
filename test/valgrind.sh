#!/usr/bin/env bash
# Runs every function of the extension, with good and with bad input, in a
# single-user server under valgrind: no access to memory that is not ours or
# was never set, and nothing lost, with a frame of this module or of json-c in
# the stack.  Functions are told by the catalog: one that never returned
# anything in test/include/valgrind.sql is an error.
#
#   test/valgrind.sh          about a minute
#   test/valgrind.sh --keep   keeps the temporary folder and prints its name
set -eu
. "$(dirname "$0")/lib.sh"

find_postgres
install_packages build-essential libjson-c-dev "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" valgrind
find_user
make_work
trap clean_up EXIT
[ "${1:-}" != --keep ] || { trap stop_cluster EXIT; say "working in $work"; }
COPT="-g ${COPT:-}" build
start_cluster
as_user "$bindir/pg_ctl" -D "$work/data" -m fast -w stop > /dev/null
echo "track_functions = all" | as_user tee -a "$work/data/postgresql.conf" > /dev/null

as_user valgrind --quiet --trace-children=yes --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite --num-callers=60 --keep-debuginfo=yes --child-silent-after-fork=yes \
	--suppressions="$root/test/valgrind.supp" --log-file="$work/valgrind.%p.log" \
	"$bindir/postgres" --single -D "$work/data" postgres \
	< "$root/test/include/valgrind.sql" > "$work/single.out" 2> "$work/single.err" ||
	{ tail -n 20 "$work/single.err" >&2; die "the server did not end well"; }

# A report is a block of lines; an empty one ends it.  Frames of the module
# are told by its files, where there is debugging information, or its own.
files=$(cd "$root/src" && printf '%s\n' *.c | sed 's/\./\\\\./' | paste -sd '|')
reports=$(cat "$work"/valgrind.*.log | sed 's/^==[0-9]*== \{0,1\}//' |
	awk -v RS= -v ours="activityfeed\\\\.so|libjson-c|\\\\(($files):[0-9]+\\\\)" '$0 ~ ours { print; print "" }')

# What was called is told by the server's statistics.
as_user "$bindir/pg_ctl" -D "$work/data" -l "$work/server.log" -w start > /dev/null
query() { "$bindir/psql" -X -At -c "$1"; }
missing=$(query "SELECT p.oid::regprocedure FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
	LEFT JOIN pg_stat_user_functions s ON s.funcid = p.oid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND coalesce(s.calls, 0) = 0
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'activityfeed') ORDER BY 1")
count=$(query "SELECT count(*) FROM pg_stat_user_functions WHERE schemaname = 'activityfeed'")
errors=$(grep -c 'ERROR:' "$work/single.err" || true)

[ -z "$reports" ] || { printf '%s\n' "$reports"; die "valgrind found errors"; }
[ -z "$missing" ] || die "these were not called, or never returned:
$missing"
[ "$errors" -ge 15 ] || die "only $errors calls failed: the bad input is not there"
! grep -E 'XX000|PANIC|TRAP' "$work/single.err" || die "an internal error"
echo "valgrind: $count functions, $errors calls that failed, no error"
