# The extension, for a packager or a user:  make && make install && make installcheck
# The project, for a developer:             make demo | check | lint | …  (CONTRIBUTING.md)

EXTENSION  = metrics_refresh metrics_refresh_cron
MODULE_big = metrics_refresh
DATA       = $(wildcard sql/metrics_refresh--*.sql sql/metrics_refresh_cron--*.sql)
OBJS       = $(patsubst %.cpp,%.o,$(wildcard src/*.cpp src/*/*.cpp src/*/*/*.cpp src/*/*/*/*.cpp))

# Every suite starts a temporary instance of its own; none touches a running server.
INPUTS        := $(sort $(basename $(notdir $(filter-out $(DATA),$(wildcard sql/*.sql)))))
REGRESS       := $(filter setup,$(INPUTS)) $(filter-out setup,$(INPUTS))
REGRESS_OPTS   = --temp-instance=tmp_check/regress --temp-config=test/regress.conf
ISOLATION     := $(sort $(basename $(notdir $(wildcard test/isolation/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=tmp_check/isolation \
                 --temp-instance=tmp_check/isolation/instance --temp-config=test/regress.conf
PROVE_TESTS   := $(sort $(wildcard test/t/*.pl))
TAP_TESTS     := $(if $(PROVE_TESTS),1)
NO_LOCALE      = 1
ENCODING       = UTF8
EXTRA_CLEAN    = tmp_check log results regression.diffs regression.out $(OBJS:.o=.d)

PG_CONFIG ?= pg_config
# The server's headers as system headers: their warnings are not ours.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CXXFLAGS = -std=c++17 -fvisibility=hidden -fvisibility-inlines-hidden \
              -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast
ifdef WERROR
PG_CXXFLAGS += -Werror
endif
ifdef SANITIZE
PG_CXXFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# Link as C++: PGXS would take the C compiler.
override COMPILER = $(CXX) $(CXXFLAGS)
# A background worker gains nothing from JIT bitcode, and PGXS cannot make it from C++17.
override with_llvm = no

# The developers' targets run before there is a PostgreSQL on the machine, and PGXS has a
# `check` of its own that only refuses: so they stand instead of PGXS, not beside it.
DEVELOPER = deps check check-long check-models check-models-long check-versions sanitize demo \
            demo-stop lint format bench fuzz compare-schedules
ifneq (,$(filter $(DEVELOPER),$(MAKECMDGOALS)))

.PHONY: $(DEVELOPER)
.NOTPARALLEL:
export PG_CONFIG
check check-long check-models check-models-long check-versions sanitize demo lint format: deps
deps check sanitize lint: ; @tools/$@.sh
check-long:               ; @SUITE_LIMIT=3h PG_TEST_EXTRA=long tools/check.sh
check-models:             ; @tools/check_models.sh
check-models-long:        ; @MODELS=long tools/check_models.sh
check-versions:           ; @tools/check_versions.sh
demo:                     ; @tools/demo.sh start
demo-stop:                ; @tools/demo.sh stop
format:                   ; @tools/lint.sh --format
bench:                    ; @bench/run $(BENCH)
fuzz:                     ; @tools/fuzz.sh
compare-schedules:        ; @test/real/schedules/run

else

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Header dependencies, which distribution builds of PGXS leave out.
override CPPFLAGS += -MMD -MP
-include $(OBJS:.o=.d)

# pg_regress makes the folder of its instance, but not the folders above it.
installcheck: tmp_check/isolation
tmp_check/isolation: ; mkdir -p $@
.PHONY: tmp_check/isolation

endif
