#!/usr/bin/env bash
# The benchmark: see README.md beside it.
#
#   test/bench/run.sh                     every scenario, about 70 minutes
#   test/bench/run.sh heartbeat recent    the named ones
#   --rounds N     so many alternating rounds, 7 unless given
#   --quick        short rounds, 3 of them, on less data: does it work?
#   --smoke        a few calls of each side: are the answers the same?
#   --preload      the server loads the extension when it starts
#   --plot         draws latency against history size (installs gnuplot)
#   --output DIR   where summary.md, summary.json and the plots go;
#                  test/bench/output unless given
#
# Prints the summary.  Fails when a side fails or gives another answer than it
# should, not when a target is missed.
set -eu
bench=$(cd "$(dirname "$0")" && pwd)
. "$bench/../lib.sh"

mode=full
rounds=
plot=
preload=
output=$bench/output
scenarios=()
while [ $# -gt 0 ]; do
	case "$1" in
		--quick) mode=quick ;;
		--smoke) mode=smoke ;;
		--preload) preload=1 ;;
		--plot) plot=1 ;;
		--rounds) rounds=${2:?--rounds needs a number}; shift ;;
		--output) output=${2:?--output needs a folder}; shift ;;
		-*) die "usage: test/bench/run.sh [--quick | --smoke] [--preload] [--plot] [--rounds N] [--output DIR] [scenario ...]" ;;
		*) [ -e "$bench/scenarios/$1.pl" ] || die "there is no scenario named $1"; scenarios+=("$1") ;;
	esac
	shift
done
[ ${#scenarios[@]} -gt 0 ] || read -ra scenarios <<< "$(cd "$bench/scenarios" && echo *.pl | sed 's/\.pl\b//g')"
case "$mode" in
	full) rounds=${rounds:-7} ;;
	quick) rounds=${rounds:-3} ;;
	smoke) rounds=1 ;;
esac

find_postgres
install_packages build-essential libjson-c-dev perl "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" ${plot:+gnuplot-nox}
find_user
make_work
trap clean_up EXIT
build

# The module that measures, and the numbered floor.
cp -R "$bench/module" "$work/module"
make -C "$work/module" PG_CONFIG="$PG_CONFIG" with_llvm=no > "$work/module.log" 2>&1 ||
	{ cat "$work/module.log" >&2; die "the benchmark's module could not be built"; }
chmod -R a+rX "$work/module"

# No checkpoint and no autovacuum comes into a round: both are done between
# scenarios.  The disk is waited for as in production.  random_page_cost is what
# an expert sets where data is in memory or on flash: the sides' own statements
# use indexes then, as ours do whatever it is.
start_cluster "
	fsync = on
	full_page_writes = on
	shared_buffers = 1GB
	max_wal_size = 20GB
	checkpoint_timeout = 1d
	autovacuum = off
	jit = off
	random_page_cost = 1.1
	max_connections = 50
	timezone = 'UTC'
	${preload:+shared_preload_libraries = '$work/stage$("$PG_CONFIG" --pkglibdir)/activityfeed'}
"
"$bindir/psql" -Xqc 'CREATE ROLE bench LOGIN'

mkdir -p "$output" "$work/scripts"
: > "$work/records"
export BENCH_MODE=$mode BENCH_ROUNDS=$rounds BENCH_WORK=$work BENCH_FOLDER=$bench PATH=$bindir:$PATH
failed=()
for scenario in "${scenarios[@]}"; do
	perl -I "$bench/lib" "$bench/scenarios/$scenario.pl" || failed+=("$scenario")
	PGDATABASE=postgres psql -Xqc "DROP DATABASE IF EXISTS $scenario WITH (FORCE)" -c CHECKPOINT
done

export BENCH_FAILED="${failed[*]-}"
perl -I "$bench/lib" "$bench/lib/report.pl" "$output"
[ -z "$plot" ] || perl -I "$bench/lib" "$bench/lib/plot.pl" "$output"
[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}"
