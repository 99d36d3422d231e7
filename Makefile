# activityfeed: build, install and test with PostgreSQL's PGXS
#
#   make && make install          for the PostgreSQL of the pg_config in PATH
#   make PG_CONFIG=/path/to/pg_config
#   make installcheck             against a running server (test/run.sh needs none)

EXTENSION = activityfeed
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(EXTENSION).control)

MODULE_big = $(EXTENSION)
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
DATA = $(wildcard sql/$(EXTENSION)--*.sql)
DOCS = README.md
PG_CPPFLAGS = -Isrc
PG_CFLAGS = -fvisibility=hidden
SHLIB_LINK = -ljson-c

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=$(EXTENSION)
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=$(EXTENSION)
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# PGXS of Debian's packages does not track headers, nor those of bitcode.
$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h)

# Where the server finds what isolation specs share.
installcheck: export PGOPTIONS := $(PGOPTIONS) -c test.include=$(CURDIR)/test/include

.PHONY: version
version:
	@echo $(EXTVERSION)
