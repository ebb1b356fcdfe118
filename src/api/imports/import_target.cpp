// Finds the views that the command of an old job refreshes.
//
// A command can name the views, or call a function whose body contains only refreshes. Names are
// looked up with the rights and the search_path of the role that ran the old job. If anything is
// uncertain, the result has no views, and the job becomes a command. Differences between the old
// session and a refresh here are listed in notes. Example:
//   command   SELECT nightly()
//   nightly   BEGIN REFRESH MATERIALIZED VIEW a; REFRESH MATERIALIZED VIEW b; END
//   result    views a and b; the note names the function
#include "core/import/plpgsql_body.hpp"

#include "api/imports/import_target.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "api/imports/import_sql.hpp"
#include "engine/view/missing_names.hpp"
#include "engine/view/owner_settings.hpp"
#include "engine/view/view.hpp"
#include "extension/own_schema.hpp"
#include "pg/compat.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

constexpr char kWithNoData[] = "WITH NO DATA empties the view, which no refresh job does";

// The role and the search_path that names are looked up with.
struct NameLookup {
  Oid role;
  std::string path;
};

// A function that a view uses.
struct Body {
  std::string function;
  std::string language;
  std::string source;
};

struct Routine {
  std::string language;
  std::string source;
  bool is_procedure;
  bool is_definer;
  Oid owner;
  bool may_execute;
  std::vector<std::string> settings;  // name=value
};

// Calls `find` with the name lookup of the role. Temporary objects belong to this session and not
// to the job, so pg_temp comes last.
template <typename Find>
auto with_lookup_of(const NameLookup& lookup, Find find) {
  const std::string path = lookup.path.empty() ? "pg_temp" : lookup.path + ", pg_temp";
  const char* text = path.c_str();
  pg::ActAs scope(lookup.role);
  return pg::call([&] {
    // Undone by AtEOXact_GUC(). If find() raises an error, the abort of the subtransaction does it.
    const int level = NewGUCNestLevel();
    (void)set_config_option("search_path", text, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                            0, false);
    const auto found = find();
    AtEOXact_GUC(false, level);
    return found;
  });
}

Oid find_relation(const SqlName& name, const NameLookup& lookup) {
  const char* schema = pg::c_str_or_null(name.schema);
  const char* relation = name.name.c_str();
  return with_lookup_of(lookup, [=] {
    RangeVar* range =
        makeRangeVar(schema != nullptr ? pstrdup(schema) : nullptr, pstrdup(relation), -1);
    // No lock: the caller may not have any right over the relation.
    return RangeVarGetRelid(range, NoLock, true);
  });
}

Oid find_routine(const SqlName& name, const NameLookup& lookup) {
  const char* schema = pg::c_str_or_null(name.schema);
  const char* routine = name.name.c_str();
  const FuncCandidateList candidates = with_lookup_of(lookup, [=] {
    List* names = list_make1(makeString(pstrdup(routine)));
    if (schema != nullptr) names = lcons(makeString(pstrdup(schema)), names);
    return pg::functions_named(names, 0, true);
  });
  // A single candidate with no arguments. A function with default arguments, or one of several, is
  // not accepted.
  return candidates != nullptr && candidates->next == nullptr ? candidates->oid : InvalidOid;
}

std::string text_of(const SqlName& name) {
  return (name.schema.empty() ? "" : name.schema + ".") + name.name;
}

Routine read_routine(Oid oid, Oid caller) {
  Routine routine;
  extension::as_extension([&](pg::Spi& spi) {
    const pg::Rows rows = spi.query(
        "SELECT l.lanname AS language, coalesce(p.prosrc, '') AS source,"
        " p.prokind = 'p' AS is_procedure, p.prosecdef AS is_definer, p.proowner AS owner,"
        " has_function_privilege($2, p.oid, 'EXECUTE') AS may_execute,"
        " coalesce(p.proconfig, '{}') AS settings"
        " FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.oid = $1",
        {Param::oid(oid), Param::oid(caller)});
    routine = {rows.get_text(0, "language"),      rows.get_text(0, "source"),
               rows.get_bool(0, "is_procedure"),  rows.get_bool(0, "is_definer"),
               rows.get_oid(0, "owner"),          rows.get_bool(0, "may_execute"),
               rows.get_text_array(0, "settings")};
  });
  return routine;
}

// A plain body is a sequence of statements between BEGIN and END, without declarations or control
// structures. Each statement must be one REFRESH.
ParsedCommand parse_plpgsql(const std::string& source) {
  const std::optional<core::PlainBody> body = core::read_plain_body(source);
  ParsedCommand result;
  if (!body || !is_constant(body->returned)) return result;
  for (const std::string& statement : body->statements) {
    const ParsedCommand one = parse_command(statement);
    if (one.refreshes.size() != 1 || one.timeouts.statement || one.timeouts.lock) return {};
    result.refreshes.push_back(one.refreshes[0]);
    result.with_no_data = result.with_no_data || one.with_no_data;
  }
  return result;
}

// The text of the body alone decides. If it cannot be parsed, there are no views.
ParsedCommand parse_body(const Routine& routine) {
  ParsedCommand parsed;
  const auto error = pg::in_subtransaction([&] {
    if (routine.language == "plpgsql") parsed = parse_plpgsql(routine.source);
    if (routine.language == "sql") parsed = parse_command(routine.source);
  });
  // A timeout that is set in the body remains in effect after the function returns, which a job
  // cannot reproduce.
  if (error || parsed.refreshes.empty() || parsed.timeouts.statement || parsed.timeouts.lock)
    return {};
  return parsed;
}

// The views with these names. If there is a note, there are no views.
ImportTarget look_up(const ParsedCommand& parsed, const NameLookup& lookup, Oid role) {
  if (parsed.with_no_data) return {{}, kWithNoData};
  ImportTarget target;
  for (const SqlName& name : parsed.refreshes) {
    const Oid oid = find_relation(name, lookup);
    if (!OidIsValid(oid))
      return {{}, "a materialized view " + text_of(name) + " does not exist for its role"};
    const engine::View view = engine::read_view(oid);
    if (!engine::has_view_rights(role, view))
      return {{}, "its role may not refresh " + engine::qualified_name(view.schema, view.name)};
    const store::ViewName found{view.schema, view.name};
    if (std::find(target.views.begin(), target.views.end(), found) == target.views.end())
      target.views.push_back(found);
  }
  return target;
}

// Only used to explain the result. A function that mentions no refresh needs no explanation.
bool mentions_refresh(std::string source) {
  std::transform(source.begin(), source.end(), source.begin(), [](char c) {
    return static_cast<char>(pg_tolower(static_cast<unsigned char>(c)));
  });
  return source.find("refresh") != std::string::npos;
}

ImportTarget target_of_routine(const ParsedCommand& command, NameLookup lookup, Oid role) {
  const SqlName& name = *command.call;
  const std::string kind = command.calls_procedure ? "procedure " : "function ";
  const Oid oid = find_routine(name, lookup);
  if (!OidIsValid(oid)) return {{}, "its role has no " + kind + text_of(name) + "(), or several"};
  const Routine routine = read_routine(oid, role);
  if (routine.is_procedure != command.calls_procedure)
    return {{}, "its role has no " + kind + text_of(name) + "()"};
  const ParsedCommand parsed = parse_body(routine);
  if (parsed.refreshes.empty())
    return {{},
            mentions_refresh(routine.source) ? text_of(name) + "() is not a plain list of refreshes"
                                             : ""};
  if (!routine.may_execute) return {{}, "its role may not execute " + text_of(name) + "()"};
  // The function's own search_path replaces that of the role. Any other setting of the function
  // could change the result.
  constexpr std::string_view kPath = "search_path=";
  for (const std::string& setting : routine.settings) {
    if (setting.compare(0, kPath.size(), kPath) != 0)
      return {{}, text_of(name) + "() has settings of its own: " + setting};
    lookup.path = setting.substr(kPath.size());
  }
  // In a SECURITY DEFINER function, names are looked up with the rights of its owner. The rights
  // over the views must still be the role's own.
  if (routine.is_definer) lookup.role = routine.owner;
  ImportTarget target = look_up(parsed, lookup, role);
  if (target.note.empty()) target.note = "all that " + text_of(name) + "() does is to refresh";
  return target;
}

// The timeouts of the statement, and otherwise those that sessions of the role begin with.
void set_timeouts(const Timeouts& own, Oid role, ImportTarget& target) {
  target.timeouts = own;
  for (const auto& [name, value] : pg::settings_of_role(role)) {
    const bool is_lock = pg::is_same_setting(name, "lock_timeout");
    if (!is_lock && !pg::is_same_setting(name, "statement_timeout")) continue;
    std::optional<int>& timeout = is_lock ? target.timeouts.lock : target.timeouts.statement;
    if (timeout) continue;
    const char* const text = value.c_str();
    int milliseconds = 0;
    if (pg::call([&] { return parse_int(text, &milliseconds, GUC_UNIT_MS, nullptr); }) &&
        milliseconds > 0) {
      timeout = milliseconds;
      target.notes.push_back("the " + name + " of its role is a limit of the job");
    }
  }
}

// Functions that the view uses, directly or in plain views, that have no search_path of their own
// and whose source can be read.
std::vector<Body> bodies_in(Oid view) {
  std::vector<Body> bodies;
  extension::as_extension([&](pg::Spi& spi) {
    const pg::Rows rows = spi.query(
        "WITH RECURSIVE used (oid) AS (SELECT $1 UNION SELECT d.refobjid FROM used u"
        "  JOIN pg_rewrite r ON r.ev_class = u.oid JOIN pg_depend d"
        "   ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
        "   AND d.refclassid = 'pg_class'::regclass"
        "  JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'v')"
        " SELECT DISTINCT p.oid::regprocedure::text AS function, l.lanname::text AS language,"
        "  p.prosrc AS source FROM used u"
        "  JOIN pg_rewrite r ON r.ev_class = u.oid JOIN pg_depend d"
        "   ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
        "   AND d.refclassid = 'pg_proc'::regclass"
        "  JOIN pg_proc p ON p.oid = d.refobjid JOIN pg_language l ON l.oid = p.prolang"
        " WHERE l.lanname IN ('sql', 'plpgsql') AND p.prosrc <> '' AND NOT EXISTS"
        "  (SELECT FROM unnest(p.proconfig) c WHERE starts_with(c, 'search_path='))"
        " ORDER BY function",
        {Param::oid(view)});
    for (std::size_t i = 0; i < rows.size(); ++i)
      bodies.push_back(
          {rows.get_text(i, "function"), rows.get_text(i, "language"), rows.get_text(i, "source")});
  });
  return bodies;
}

std::string names_in(const Body& body, Oid owner) {
  if (body.language == "sql") return engine::names_found_by_path(body.source, owner, "");
  std::string names;
  // PL/pgSQL is not parsed as a whole: only its SQL parts are.
  for (const std::string& part : core::parts_of_body(body.source)) {
    const std::string found = engine::names_found_by_path(part, owner, "");
    if (!found.empty() && names.find(found) == std::string::npos) core::append_item(names, found);
  }
  return names;
}

// Differences between the session of the old role and a refresh here.
void list_differences(const store::ViewName& name, Oid role, std::vector<std::string>& notes) {
  const Oid oid = engine::resolve_view({name.first, name.second});
  if (!OidIsValid(oid)) return;
  const engine::View view = engine::read_view(oid);
  const std::string written_name = engine::qualified_name(view.schema, view.name);
  for (const Body& body : bodies_in(oid)) {
    const std::string names = names_in(body, view.owner);
    if (!names.empty())
      notes.push_back(
          written_name + " will fail if " + body.function + " needs " + names +
          " from search_path, which is fixed: write the schema there, or ALTER FUNCTION "
          "... SET search_path");
  }
  for (const engine::SettingDifference& one : engine::different_settings(role, view.owner))
    notes.push_back(written_name + " is computed with its owner's " + one.name + ", " + one.owners +
                    ", not its role's, " + one.roles);
}

}  // namespace

ImportTarget find_target(const std::string& command, Oid role) {
  ImportTarget target;
  try {
    // A syntax error or a missing object must not end the import of the other jobs.
    const auto error = pg::in_subtransaction([&] {
      const ParsedCommand parsed = parse_command(command);
      if (parsed.refreshes_among_others) target.note = "it does more than to refresh";
      if (!parsed.call && parsed.refreshes.empty()) return;
      const NameLookup lookup{role, engine::setting_of(role, "search_path")};
      target =
          parsed.call ? target_of_routine(parsed, lookup, role) : look_up(parsed, lookup, role);
      if (target.views.empty()) return;
      set_timeouts(parsed.timeouts, role, target);
      for (const store::ViewName& view : target.views) list_differences(view, role, target.notes);
    });
    if (error) return {{}, error->what()};
  } catch (const pg::SqlError& error) {
    return {{}, error.what()};
  }
  return target;
}

ImportTarget find_target_elsewhere(const std::string& command) {
  ParsedCommand parsed;
  const auto error = pg::in_subtransaction([&] { parsed = parse_command(command); });
  if (error) return {{}, error->what()};
  if (parsed.with_no_data) return {{}, kWithNoData};
  ImportTarget target;
  for (const SqlName& name : parsed.refreshes) {
    if (name.schema.empty()) return {{}, "which schema " + name.name + " is in is not known here"};
    target.views.emplace_back(name.schema, name.name);
  }
  target.timeouts = parsed.timeouts;
  return target;
}

}  // namespace metrics_refresh::api
