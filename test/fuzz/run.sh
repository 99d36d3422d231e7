#!/usr/bin/env bash
# Fuzzes what reads input, without a server: documents, times, targets of
# requests.  libFuzzer with the address and undefined-behaviour sanitizers, and
# in every target a comparison of what was read with what it was read from.
#
#   test/fuzz/run.sh             a minute in all
#   test/fuzz/run.sh 600         so many seconds in all
#   test/fuzz/run.sh 60 odata    one target: document, scan, timestamp, odata, request
#
# What was found before (test/fuzz/regress) is run first.  FUZZ_CORPUS names a
# folder to keep what is learnt in; FUZZ_CC another clang.  A finding is printed
# and kept in FUZZ_FINDINGS, a folder; else it is only printed.
set -eu
. "$(dirname "$0")/../lib.sh"

seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(document scan timestamp odata request)

find_postgres
install_packages clang-14 libclang-rt-14-dev libjson-c-dev "postgresql-server-dev-$PG_MAJOR"
make_work
trap clean_up EXIT
findings=${FUZZ_FINDINGS:-$work/findings}
corpus=${FUZZ_CORPUS:-$work/corpus}
mkdir -p "$findings" "$work/object"

# The sources that each target is linked with, besides the stand-ins.
sources_of()
{
	case "$1" in
		document) echo document document_error document_json encoding json_scan timestamp ;;
		scan) echo encoding json_scan ;;
		timestamp) echo timestamp ;;
		odata) echo odata timestamp ;;
		request) echo document document_error encoding graph_request odata timestamp json_scan ;;
		*) die "there is no target named $1" ;;
	esac
}

# compile SOURCE OBJECT
compile()
{
	[ -e "$work/object/$2.o" ] ||
		"${FUZZ_CC:-clang-14}" -g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
			-fno-sanitize-recover=all -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-ignored-attributes \
			-I"$root/test/fuzz" -I"$root/src" -isystem "$("$PG_CONFIG" --includedir-server)" \
			-c "$1" -o "$work/object/$2.o"
}

# The libraries are those for PostgreSQL's client programs; where they define
# what server.c does, server.c comes first.
build_target()
{
	local source objects=()
	for source in $(sources_of "$1"); do
		compile "$root/src/$source.c" "$source"
		objects+=("$work/object/$source.o")
	done
	for source in server judge "$1"; do
		compile "$root/test/fuzz/$source.c" "fuzz-$source"
		objects+=("$work/object/fuzz-$source.o")
	done
	"${FUZZ_CC:-clang-14}" -fsanitize=fuzzer,address,undefined "${objects[@]}" -o "$work/$1" \
		-L"$("$PG_CONFIG" --pkglibdir)" -lpgcommon -lpgport -ljson-c -lm
}

# seed TARGET BYTE: a file of the corpus, from what comes in
seed()
{
	local folder=$corpus/$1
	seeds=$((${seeds:-0} + 1))
	{ printf '%b' "$2"; cat; } > "$folder/seed-$seeds"
}

# The test data and the strings in the tests by topic.
make_seeds()
{
	local file line byte
	mkdir -p "$corpus/$1"
	case "$1" in
		document | scan)
			for file in "$root"/test/data/*.json; do
				for byte in '\0000' '\0001' '\0002' '\0003' '\0020' '\0021'; do
					seed "$1" "$byte" < "$file"
				done
			done
			while read -r line; do
				seed "$1" '\0000' <<< "$line"
				seed "$1" '\0021' <<< "$line"
			done < <(cat "$root"/test/sql/*.sql | grep -ohE "[{[][^']*[]}]" | sort -u)
			;;
		timestamp)
			while read -r line; do
				printf '%s' "$line" | seed "$1" ''
			done < <(cat "$root"/test/sql/*.sql | grep -ohE '[0-9]{4}-[0-9]{2}[-0-9T:.Z+]*' | sort -u)
			;;
		odata | request)
			while read -r line; do
				for byte in '' '\0000' '\0004' '\0010' '\0014'; do
					[ "$1$byte" = odata ] || [ "$1" = request ] || continue
					[ "$1" != request ] || [ -n "$byte" ] || continue
					printf '%s' "$line" | seed "$1" "$byte"
				done
			done < <(cat "$root"/test/sql/graph_*.sql "$root"/test/include/requests.sql | grep -ohE "'(https?:/)?/[^']*'|[$][a-z]+=[^']*" | tr -d "'" | sort -u)
			;;
	esac
}

# run_target NAME SECONDS
run_target()
{
	local log=$work/$1.log known=()
	for file in "$root/test/fuzz/regress/$1"/*; do
		[ ! -e "$file" ] || known+=("$file")
	done
	if [ ${#known[@]} -gt 0 ] && ! "$work/$1" "${known[@]}" > "$log" 2>&1; then
		tail -n 40 "$log"
		die "$1: something that was found before is back"
	fi
	if ! "$work/$1" -max_total_time="$2" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-dict="$root/test/fuzz/$1.dict" -artifact_prefix="$findings/$1-" "$corpus/$1" > "$log" 2>&1; then
		tail -n 60 "$log"
		for file in "$findings/$1"-*; do
			[ ! -e "$file" ] || { say "$file:"; od -c "$file" >&2; }
		done
		die "$1: a finding"
	fi
	printf '%s: %s known cases, %s runs, coverage %s, %s inputs kept\n' "$1" ${#known[@]} \
		"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
		"$(sed -nE 's/.* cov: ([0-9]+) .*/\1/p' "$log" | tail -n 1)" \
		"$(find "$corpus/$1" -type f | wc -l)"
}

for target in "${targets[@]}"; do
	build_target "$target"
	make_seeds "$target"
	run_target "$target" $((seconds / ${#targets[@]}))
done
