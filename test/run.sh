#!/usr/bin/env bash
# Runs the tests: pg_regress, isolation and TAP, against throwaway clusters.
#
#   test/run.sh              everything
#   test/run.sh upsert paging   only what is named: test/sql/upsert.sql,
#                               test/specs/*.spec and test/t/*.pl by their names
#   test/run.sh --keep       keeps the temporary folder and prints its name
#   test/run.sh --no-tap     pg_regress and isolation only
#
# On Debian it installs the packages that are missing (root or sudo).  Any
# number of runs can go on at once.  PG_CONFIG chooses another PostgreSQL; CC
# and COPT go to the compiler.  The last line is "N passed, N failed".
set -eu
. "$(dirname "$0")/lib.sh"

keep=
with_tap=1
names=()
for argument; do
	case "$argument" in
		--keep) keep=1 ;;
		--no-tap) with_tap= ;;
		-*) die "usage: test/run.sh [--keep] [--no-tap] [name ...]" ;;
		*) names+=("$argument") ;;
	esac
done

# The names of one folder's files that were asked for.
select_names()
{
	local file name wanted
	for file in "$root"/test/"$1"/*."$2"; do
		[ -e "$file" ] || continue
		name=$(basename "$file" ".$2")
		[ ${#names[@]} -gt 0 ] || { printf '%s ' "$name"; continue; }
		for wanted in "${names[@]}"; do
			[ "$wanted" != "$name" ] || printf '%s ' "$name"
		done
	done
}

regress=$(select_names sql sql)
isolation=$(select_names specs spec)
tap=${with_tap:+$(select_names t pl)}
for name in ${names[@]+"${names[@]}"}; do
	case " $regress$isolation$tap" in
		*" $name "*) ;;
		*) die "there is no test named $name" ;;
	esac
done

find_postgres
install_packages build-essential libjson-c-dev "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" libipc-run-perl
find_user
make_work
if [ -n "$keep" ]; then
	trap stop_cluster EXIT
	say "working in $work"
else
	trap clean_up EXIT
fi
build

passed=0
failed=0
pgxs=$(dirname "$(dirname "$("$PG_CONFIG" --pgxs)")")
cd "$work/source"

# Counts the verdicts in a log of pg_regress: "test x ... ok" up to 15, TAP
# from 16 on.
count_regress()
{
	local ok bad
	ok=$(grep -cE '^(test .* ok +[0-9]+ ms|ok [0-9]+ )' "$1" || true)
	bad=$(grep -cE '^(test .* FAILED|not ok [0-9]+ )' "$1" || true)
	passed=$((passed + ok))
	failed=$((failed + bad))
}

# run_regress PROGRAM OUTPUT NAMES...
run_regress()
{
	local program=$1 output=$2 log=$work/$2.log
	shift 2
	mkdir "$work/$output"
	ln -s "$work/source/expected" "$work/$output/expected"
	[ "$(id -u)" != 0 ] || chown -R "$test_user" "$work/$output"
	if ! as_user "$program" --bindir="$bindir" --inputdir=test --outputdir="$work/$output" \
		--host="$PGHOST" --port="$PGPORT" --user=postgres --dbname="contrib_$output" \
		--load-extension=activityfeed "$@" > "$log" 2>&1; then
		grep -qE '^(test .* FAILED|not ok )' "$log" || failed=$((failed + 1))
	fi
	cat "$log"
	count_regress "$log"
	[ ! -s "$work/$output/regression.diffs" ] || cat "$work/$output/regression.diffs"
}

if [ -n "$regress$isolation" ]; then
	start_cluster
	# shellcheck disable=SC2086
	[ -z "$regress" ] || run_regress "$pgxs/test/regress/pg_regress" regress $regress
	# shellcheck disable=SC2086
	[ -z "$isolation" ] || PGOPTIONS="-c test.include=$work/source/test/include" run_regress "$pgxs/test/isolation/pg_isolation_regress" isolation $isolation
	stop_cluster
fi

# Each TAP test counts as one; prove names the ones that failed.
if [ -n "$tap" ]; then
	files=$(for name in $tap; do echo "test/t/$name.pl"; done)
	mkdir -p "$work/tap"
	[ "$(id -u)" != 0 ] || chown "$test_user" "$work/tap"
	# shellcheck disable=SC2086
	as_user env TESTDIR="$work/tap" TESTDATADIR="$work/tap" TESTLOGDIR="$work/tap/log" \
		TEMP_CONFIG="$work/stage.conf" PATH="$bindir:$PATH" \
		PG_REGRESS="$pgxs/test/regress/pg_regress" PG_CONFIG="$PG_CONFIG" \
		prove -j4 -I "$pgxs/test/perl" -I "$work/source/test/t" $files > "$work/prove.log" 2>&1 || true
	cat "$work/prove.log"
	# prove says ok of a test that bails out
	! grep -q '^Bailout called' "$work/prove.log" || failed=$((failed + 1))
	for name in $tap; do
		if grep -qE "^test/t/$name\.pl \.* *(ok|skipped)" "$work/prove.log"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			find "$work/tap" -name "regress_log_$name" -exec tail -n 60 {} \;
		fi
	done
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
