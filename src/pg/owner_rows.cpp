// Reads a table as its owner through a portal. Each fetch switches to the owner and back, so that
// the caller's function never runs as the owner. The portal is opened from the analyzed query and
// not from a saved plan: the analysis locks the table, and only then it is checked that the name
// still means the same table.
#include "pg/owner_rows.hpp"

#include "pg/as_owner.hpp"

namespace metrics_refresh::pg {
namespace {

// Bounds the memory for one batch.
constexpr long kRowsAtOnce = 500;

// The settings of pg_dump: texts do not depend on the session.
void set_as_dump() {
  const char* const settings[][2] = {{"datestyle", "ISO"},
                                     {"intervalstyle", "iso_8601"},
                                     {"extra_float_digits", "1"},
                                     {"bytea_output", "hex"}};
  for (const auto& setting : settings)
    (void)set_config_option(setting[0], setting[1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                            true, 0, false);
}

template <typename Body>
void as_reader(Oid owner, Body&& body) {
  as_owner(owner, [&body] {
    call([] { set_as_dump(); });
    call(body);
  });
}

// The analysis of the query has locked the relation, so its kind and owner cannot change.
bool is_table_of(const RangeTblEntry* entry, Oid relation, Oid owner) {
  if (entry->rtekind != RTE_RELATION || entry->relid != relation) return false;
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) return false;
  const auto* const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
  const bool answer = form->relowner == owner && (form->relkind == RELKIND_RELATION ||
                                                  form->relkind == RELKIND_PARTITIONED_TABLE);
  ReleaseSysCache(tuple);
  return answer;
}

// Null if the name now means another relation. In that case nothing of it is planned or executed.
// No saved plan is used, because the server could analyze it again and look up the name again.
Portal open(const char* sql, Oid relation, Oid owner) {
  Portal const portal = CreateNewPortal();
  portal->visible = false;
  portal->cursorOptions = CURSOR_OPT_NO_SCROLL;
  MemoryContext const before = MemoryContextSwitchTo(portal->portalContext);
  const char* const text = pstrdup(sql);
  // Taken after the lock on the table, also in a serializable transaction.
  PushActiveSnapshot(GetLatestSnapshot());
  RawStmt* const raw = linitial_node(RawStmt, pg_parse_query(text));
  Query* const query = parse_analyze_fixedparams(raw, text, nullptr, 0, nullptr);
  const bool is_right = query->rtable != NIL &&
                        is_table_of(linitial_node(RangeTblEntry, query->rtable), relation, owner);
  if (is_right) {
    List* const plans =
        pg_plan_queries(pg_rewrite_query(query), text, CURSOR_OPT_NO_SCROLL, nullptr);
    PortalDefineQuery(portal, nullptr, text, CMDTAG_SELECT, plans, nullptr);
    PortalStart(portal, nullptr, 0, GetActiveSnapshot());
  }
  PopActiveSnapshot();
  MemoryContextSwitchTo(before);
  return is_right ? portal : nullptr;
}

}  // namespace

Param array_of(const Rows& rows, const char* column) {
  std::vector<Param> values;
  for (std::size_t i = 0; i < rows.size(); ++i)
    values.push_back(rows.copied(i, column, CurrentMemoryContext));
  const Oid type = values.front().type();
  const auto build = [&values, type]() -> Datum {
    const int count = static_cast<int>(values.size());
    auto* datums = static_cast<Datum*>(palloc(sizeof(Datum) * values.size()));
    for (int i = 0; i < count; ++i) datums[i] = values[static_cast<std::size_t>(i)].datum();
    int16 length;
    bool by_value;
    char align;
    get_typlenbyvalalign(type, &length, &by_value, &align);
    return PointerGetDatum(construct_array(datums, count, type, length, by_value, align));
  };
  return Param(call([type] { return get_array_type(type); }), call(build));
}

void read_as_owner(Oid owner, Oid relation, const std::string& sql,
                   const std::function<void(const Rows&)>& consume) {
  const char* const text = sql.c_str();
  Spi spi;
  Portal portal = nullptr;
  as_reader(owner, [=, &portal] { portal = open(text, relation, owner); });
  if (portal == nullptr)
    throw SqlError(ERRCODE_OBJECT_IN_USE, "the table was renamed or replaced by another session",
                   "Try again.");
  for (;;) {
    as_reader(owner, [portal] { SPI_cursor_fetch(portal, true, kRowsAtOnce); });
    SPITupleTable* const table = SPI_tuptable;
    const std::uint64_t count = SPI_processed;
    if (count == 0) break;
    consume(Rows(table, count));
    call([table] { SPI_freetuptable(table); });
  }
  as_reader(owner, [portal] { SPI_cursor_close(portal); });
}

}  // namespace metrics_refresh::pg
