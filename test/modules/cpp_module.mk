# The flags of a module in C++ that has code of the extension once more, and PGXS. The module sets
# SOURCE_TREE, and OBJS without the code of the extension, whose names in src/ are in SOURCES.
OBJS += $(patsubst %,$(SOURCE_TREE)/src/%.o,$(SOURCES))
PG_CONFIG ?= pg_config
PG_CPPFLAGS = -I$(SOURCE_TREE)/src -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CXXFLAGS = -std=c++17 -Wall -Wextra -Wshadow -Wold-style-cast -Werror
override COMPILER = $(CXX) $(CXXFLAGS)
override with_llvm = no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
