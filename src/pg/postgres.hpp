// The only file that includes headers of the server. Standard, Boost and core/ headers come first,
// because the server redefines common names. Some of its macros are undefined at the end. A file
// that needs more headers of core/ includes them before this one.
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
#include "core/joined.hpp"
#include "core/queue/ready_work.hpp"
#include "core/row_table.hpp"
#include "core/schedule/schedule.hpp"
#include "core/schedule/time_zone.hpp"
#include "core/schedule/timetable.hpp"
#include "core/scheduler/retry_policy.hpp"

extern "C" {
#include "postgres.h"  // must be first

// libpq/libpq.h would otherwise need the headers of the libraries that the server was built with.
#undef ENABLE_GSS
#undef USE_OPENSSL

#include "access/detoast.h"              // size of a stored value
#include "access/genam.h"                // index_open
#include "access/heapam.h"               // heap scan of pg_database
#include "access/htup_details.h"         // GETSTRUCT
#include "access/nbtree.h"               // whether equal values have equal bytes
#include "access/relation.h"             // relation_open
#include "access/table.h"                // table_open
#include "access/tableam.h"              // reading and writing a view's rows
#include "access/transam.h"              // transaction ids
#include "access/twophase.h"             // whether transactions can be prepared
#include "access/xact.h"                 // transactions and their callbacks
#include "catalog/catalog.h"             // which tables are system tables
#include "catalog/dependency.h"          // dependencies of a view or of the extension
#include "catalog/heap.h"                // creating a delta table
#include "catalog/index.h"               // entries of appended rows
#include "catalog/indexing.h"            // writing a catalog row
#include "catalog/namespace.h"           // names to oids
#include "catalog/objectaccess.h"        // the hook that sees DROP EXTENSION
#include "catalog/objectaddress.h"       // finding the objects of DDL
#include "catalog/pg_aggregate.h"        // which aggregates depend on the order of rows
#include "catalog/pg_am.h"               // BTREE_AM_OID
#include "catalog/pg_attribute.h"        // statistics targets of columns
#include "catalog/pg_authid.h"           // BOOTSTRAP_SUPERUSERID
#include "catalog/pg_cast.h"             // functions that cast to a type
#include "catalog/pg_class.h"            // relation kinds
#include "catalog/pg_collation.h"        // the names of collations
#include "catalog/pg_constraint.h"       // checks of domains
#include "catalog/pg_database.h"         // the launcher's list of databases
#include "catalog/pg_db_role_setting.h"  // settings of roles
#include "catalog/pg_depend.h"           // dependencies on a function
#include "catalog/pg_enum.h"             // labels of enums
#include "catalog/pg_extension.h"        // ExtensionRelationId
#include "catalog/pg_index.h"            // which indexes are usable
#include "catalog/pg_inherits.h"         // has_subclass
#include "catalog/pg_language.h"         // SQLlanguageId
#include "catalog/pg_namespace.h"        // owners of schemas
#include "catalog/pg_operator.h"         // order of numbers
#include "catalog/pg_proc.h"             // whether the caller may execute the admin check
#include "catalog/pg_trigger.h"          // triggers that capture keys
#include "catalog/pg_ts_config.h"        // dependencies of text search
#include "catalog/pg_ts_config_map.h"    // the same
#include "catalog/pg_ts_dict.h"          // the same
#include "catalog/pg_ts_template.h"      // the same
#include "catalog/pg_type.h"             // type oids of parameters
#include "catalog/toasting.h"            // creating a TOAST table
#include "commands/async.h"              // ending a session's LISTEN
#include "commands/comment.h"            // comments on created objects
#include "commands/dbcommands.h"         // databases by name
#include "commands/defrem.h"             // options of CREATE DATABASE
#include "commands/event_trigger.h"      // firing event triggers for REFRESH
#include "commands/extension.h"          // get_extension_oid
#include "commands/prepare.h"            // prepared statements of a session
#include "commands/sequence.h"           // cached sequence values of a session
#include "commands/tablecmds.h"          // CheckTableNotInUse
#include "commands/tablespace.h"         // tablespaces of temporary files
#include "commands/trigger.h"            // trigger functions
#include "common/file_perm.h"            // the mode of files of the server
#include "common/hashfn.h"               // fingerprints
#include "executor/executor.h"           // running a view's query, keeping its indexes
#include "executor/instrument.h"         // pgWalUsage, pgBufferUsage
#include "executor/spi.h"                // SQL from C
#include "fmgr.h"                        // the function manager
#include "funcapi.h"                     // set-returning functions
#include "jit/jit.h"                     // resetting JIT after an error
#include "libpq/libpq.h"                 // destination of client messages
#include "mb/pg_wchar.h"                 // cutting text between characters
#include "miscadmin.h"                   // GetUserId and friends
#include "nodes/extensible.h"            // custom scans
#include "nodes/makefuncs.h"             // building a REFRESH statement
#include "nodes/nodeFuncs.h"             // walking a view's query tree
#include "optimizer/optimizer.h"         // expressions of GROUP BY and indexes
#include "optimizer/paths.h"             // hooks that replace table scans
#include "optimizer/plancat.h"           // estimated number of rows
#include "optimizer/planner.h"           // the same
#include "parser/analyze.h"              // which statements need a snapshot
#include "parser/parse_func.h"           // the function named by admin_check
#include "parser/parse_relation.h"       // privileges on the tables of a query
#include "parser/parser.h"               // commands as trees, for the import
#include "parser/parsetree.h"            // range table entries
#include "parser/scansup.h"              // definition of white space
#include "pgstat.h"                      // activity reports
#include "pgtime.h"                      // the server's zones
#include "postmaster/bgworker.h"         // background workers
#include "postmaster/interrupt.h"        // SIGHUP handling
#include "postmaster/postmaster.h"       // connections reserved for superusers
#include "replication/logicalworker.h"   // IsLogicalWorker
#include "replication/slot.h"            // releasing slots after an error
#include "rewrite/prs2lock.h"            // a view's stored query
#include "rewrite/rewriteHandler.h"      // rewriting that query
#include "rewrite/rewriteManip.h"        // moving a query's variables
#include "rewrite/rowsecurity.h"         // policies of tables
#include "storage/buffile.h"             // rows that do not fit into memory
#include "storage/condition_variable.h"  // waiting for a run to end
#include "storage/fd.h"                  // accounting of external descriptors
#include "storage/ipc.h"                 // exit callbacks
#include "storage/latch.h"               // sleeping and waking
#include "storage/lmgr.h"                // relation locks
#include "storage/lwlock.h"              // LWLocks
#include "storage/pmsignal.h"            // signaling the postmaster
#include "storage/proc.h"                // PGPROC and its latch
#include "storage/procarray.h"           // finding lock holders
#include "storage/shmem.h"               // shared memory
#include "storage/sinvaladt.h"           // the same
#include "tcop/pquery.h"                 // running a command's statements
#include "tcop/tcopprot.h"               // cancel and termination handlers
#include "tcop/utility.h"                // ProcessUtility
#include "utils/acl.h"                   // roles and ownership
#include "utils/array.h"                 // text[] in and out
#include "utils/backend_status.h"        // list of backends
#include "utils/builtins.h"              // text conversions, quoting
#include "utils/catcache.h"              // all objects with a name
#include "utils/datetime.h"              // zone names
#include "utils/datum.h"                 // copying values
#include "utils/fmgroids.h"              // oids of built-in functions
#include "utils/guc.h"                   // settings
#include "utils/guc_tables.h"            // all of them
#include "utils/inval.h"                 // invalidation after a manual lock
#include "utils/json.h"                  // escape_json
#include "utils/jsonb.h"                 // jsonb results
#include "utils/lsyscache.h"             // catalog look-ups
#include "utils/memutils.h"              // memory contexts
#include "utils/pgstat_internal.h"       // rows that a transaction has changed
#include "utils/portal.h"                // cursors of a session
#include "utils/regproc.h"               // qualified names in settings
#include "utils/rel.h"                   // relations
#include "utils/resowner.h"              // subtransactions
#include "utils/rls.h"                   // row-level security of a base table
#include "utils/snapmgr.h"               // snapshots
#include "utils/syscache.h"              // catalog look-ups
#include "utils/timeout.h"               // max_runtime
#include "utils/timestamp.h"             // the server's time
#include "utils/tuplesort.h"             // sorting row positions
#include "utils/tuplestore.h"            // rows to be written
#include "utils/typcache.h"              // whether a type has a btree operator class
#include "utils/uuid.h"                  // tokens of claims
#include "utils/varlena.h"               // splitting qualified names
}

// Before version 16 the server exported every symbol, and PGDLLEXPORT was empty. With
// -fvisibility=hidden it must have an effect.
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

// Undefines lower-case and one-letter macros, which would collide with C++ code.
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
