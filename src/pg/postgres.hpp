// The only door to the server's headers. Standard, Boost and core/ headers come first, because the
// server redefines common names; what it leaves behind is undefined again at the end. A file that
// needs more of core/ than this includes it before anything else.
#pragma once

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/instant.hpp"
#include "core/row_table.hpp"
#include "core/schedule/schedule.hpp"
#include "core/schedule/time_zone.hpp"
#include "core/schedule/timetable.hpp"
#include "core/scheduler/retry_policy.hpp"

extern "C" {
#include "postgres.h"  // first, always

// libpq/libpq.h would want the headers of what the server was built with.
#undef ENABLE_GSS
#undef USE_OPENSSL

#include "access/detoast.h"              // how long a stored value is
#include "access/genam.h"                // index_open
#include "access/heapam.h"               // heap scan of pg_database
#include "access/htup_details.h"         // GETSTRUCT
#include "access/nbtree.h"               // whether equal values are the same bytes
#include "access/relation.h"             // relation_open
#include "access/table.h"                // table_open
#include "access/tableam.h"              // reading and writing a view's rows
#include "access/transam.h"              // numbers of transactions
#include "access/twophase.h"             // can transactions be prepared
#include "access/xact.h"                 // transactions and their callbacks
#include "catalog/catalog.h"             // which tables are the server's own
#include "catalog/dependency.h"          // what goes with a view or the extension
#include "catalog/heap.h"                // making a delta table
#include "catalog/indexing.h"            // writing a row of a catalog
#include "catalog/namespace.h"           // names to oids
#include "catalog/objectaccess.h"        // the hook that sees DROP EXTENSION
#include "catalog/objectaddress.h"       // finding what DDL names
#include "catalog/pg_aggregate.h"        // which aggregates look at the order of rows
#include "catalog/pg_am.h"               // BTREE_AM_OID
#include "catalog/pg_attribute.h"        // the statistics targets of columns
#include "catalog/pg_authid.h"           // BOOTSTRAP_SUPERUSERID
#include "catalog/pg_cast.h"             // functions that cast to a type
#include "catalog/pg_class.h"            // relation kinds
#include "catalog/pg_collation.h"        // the names of collations
#include "catalog/pg_constraint.h"       // the checks of domains
#include "catalog/pg_database.h"         // the launcher's list of databases
#include "catalog/pg_db_role_setting.h"  // what a role's session begins with
#include "catalog/pg_depend.h"           // what depends on a function
#include "catalog/pg_enum.h"             // labels
#include "catalog/pg_extension.h"        // ExtensionRelationId
#include "catalog/pg_index.h"            // which index is usable
#include "catalog/pg_inherits.h"         // has_subclass
#include "catalog/pg_language.h"         // SQLlanguageId
#include "catalog/pg_namespace.h"        // who owns a schema
#include "catalog/pg_operator.h"         // the order of numbers
#include "catalog/pg_proc.h"             // may the caller execute the admin check
#include "catalog/pg_trigger.h"          // the triggers that capture keys
#include "catalog/pg_ts_config.h"        // what text search depends on
#include "catalog/pg_ts_config_map.h"    // likewise
#include "catalog/pg_ts_dict.h"          // likewise
#include "catalog/pg_ts_template.h"      // likewise
#include "catalog/pg_type.h"             // type oids of parameters
#include "catalog/toasting.h"            // and its TOAST table
#include "commands/async.h"              // ending a session's LISTEN
#include "commands/comment.h"            // comments on what we make
#include "commands/dbcommands.h"         // databases by name
#include "commands/defrem.h"             // options of CREATE DATABASE
#include "commands/event_trigger.h"      // telling of a REFRESH
#include "commands/extension.h"          // get_extension_oid
#include "commands/prepare.h"            // a session's prepared statements
#include "commands/sequence.h"           // a session's cached numbers
#include "commands/tablecmds.h"          // CheckTableNotInUse
#include "commands/tablespace.h"         // where temporary files go
#include "commands/trigger.h"            // trigger functions
#include "common/hashfn.h"               // fingerprints
#include "executor/executor.h"           // running a view's query, keeping its indexes
#include "executor/instrument.h"         // pgWalUsage, pgBufferUsage
#include "executor/spi.h"                // SQL from C
#include "fmgr.h"                        // the function manager
#include "funcapi.h"                     // set-returning functions
#include "jit/jit.h"                     // what an error leaves of it
#include "libpq/libpq.h"                 // where messages to a client go
#include "mb/pg_wchar.h"                 // cutting text between characters
#include "miscadmin.h"                   // GetUserId and friends
#include "nodes/extensible.h"            // custom scans
#include "nodes/makefuncs.h"             // building a REFRESH statement
#include "nodes/nodeFuncs.h"             // walking a view's query
#include "optimizer/optimizer.h"         // what GROUP BY and indexes refer to
#include "optimizer/paths.h"             // who may replace a table's scan
#include "optimizer/plancat.h"           // how many rows a view may have
#include "optimizer/planner.h"           // likewise
#include "parser/analyze.h"              // which statements need a snapshot
#include "parser/parse_func.h"           // the function named by admin_check
#include "parser/parse_relation.h"       // rights over what a query reads
#include "parser/parser.h"               // commands as trees, for the import
#include "parser/parsetree.h"            // what FROM refers to
#include "parser/scansup.h"              // what is white space
#include "pgstat.h"                      // activity reports
#include "pgtime.h"                      // the server's zones
#include "postmaster/bgworker.h"         // our three processes
#include "postmaster/interrupt.h"        // SIGHUP handling
#include "postmaster/postmaster.h"       // connections kept for superusers
#include "replication/logicalworker.h"   // IsLogicalWorker
#include "replication/slot.h"            // what an error leaves of one
#include "rewrite/prs2lock.h"            // a view's stored query
#include "rewrite/rewriteHandler.h"      // and what it becomes
#include "rewrite/rewriteManip.h"        // moving a query's variables
#include "rewrite/rowsecurity.h"         // policies of tables
#include "storage/buffile.h"             // rows that do not fit into memory
#include "storage/condition_variable.h"  // waiting for a run to end
#include "storage/fd.h"                  // accounting of external descriptors
#include "storage/ipc.h"                 // exit callbacks
#include "storage/latch.h"               // sleeping and waking
#include "storage/lmgr.h"                // relation locks
#include "storage/lwlock.h"              // locks of shared memory
#include "storage/pmsignal.h"            // asking the postmaster again
#include "storage/proc.h"                // PGPROC and its latch
#include "storage/procarray.h"           // who holds a lock
#include "storage/shmem.h"               // shared memory
#include "storage/sinvaladt.h"           // likewise
#include "tcop/pquery.h"                 // running a command's statements
#include "tcop/tcopprot.h"               // cancel and termination handlers
#include "tcop/utility.h"                // ProcessUtility
#include "utils/acl.h"                   // roles and ownership
#include "utils/array.h"                 // text[] in and out
#include "utils/backend_status.h"        // which processes there are
#include "utils/builtins.h"              // text conversions, quoting
#include "utils/catcache.h"              // all objects of a name
#include "utils/datetime.h"              // zone names
#include "utils/datum.h"                 // copying values
#include "utils/fmgroids.h"              // which functions are which
#include "utils/guc.h"                   // settings
#include "utils/guc_tables.h"            // all of them
#include "utils/inval.h"                 // what a lock that is taken by hand must take note of
#include "utils/json.h"                  // escape_json
#include "utils/jsonb.h"                 // jsonb results
#include "utils/lsyscache.h"             // catalog look-ups
#include "utils/memutils.h"              // memory contexts
#include "utils/pgstat_internal.h"       // rows that a transaction has changed
#include "utils/portal.h"                // a session's cursors
#include "utils/regproc.h"               // qualified names in settings
#include "utils/rel.h"                   // relations
#include "utils/resowner.h"              // subtransactions
#include "utils/rls.h"                   // row-level security of a base table
#include "utils/snapmgr.h"               // snapshots
#include "utils/syscache.h"              // catalog look-ups
#include "utils/timeout.h"               // max_runtime
#include "utils/timestamp.h"             // the server's time
#include "utils/tuplesort.h"             // places of rows in order
#include "utils/tuplestore.h"            // rows that are to be written
#include "utils/typcache.h"              // can a type be in a btree index
#include "utils/varlena.h"               // splitting qualified names
}

// Before 16 the server exported every symbol and PGDLLEXPORT was empty; with -fvisibility=hidden it
// must mean what it says.
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

/// Declares an SQL-callable function and its info record, exported.
#define MR_SQL_FUNCTION(name)               \
  PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
  PG_FUNCTION_INFO_V1(name)

// Leave no lower-case or one-letter macro behind for C++ code to trip on.
#undef _
#undef Abs
#undef Max
#undef Min
#undef printf
#undef fprintf
#undef sprintf
#undef snprintf
#undef vprintf
#undef vfprintf
#undef vsprintf
#undef vsnprintf
#undef strerror
#undef strerror_r
#undef gettext
#undef dgettext
#undef ngettext
#undef dngettext
