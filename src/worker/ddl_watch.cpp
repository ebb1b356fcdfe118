#include "worker/ddl_watch.hpp"

#include "pg/guard.hpp"
#include "store/job_changes.hpp"

namespace metrics_refresh::worker {
namespace {

object_access_hook_type next_hook = nullptr;

// Called from the server's own C frames; nothing here has a destructor.
void on_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void* argument) {
  if (next_hook != nullptr) next_hook(access, class_id, object_id, sub_id, argument);
  if (access == OAT_DROP && class_id == ExtensionRelationId) {
    const char* name = get_extension_name(object_id);
    if (name != nullptr && strcmp(name, "metrics_refresh") == 0) store::note_all_changed();
  } else if (class_id == DatabaseRelationId) {
    if (access == OAT_POST_CREATE || access == OAT_POST_ALTER || access == OAT_DROP)
      store::note_database(object_id, access == OAT_DROP);
  }
}

}  // namespace

void watch_ddl() {
  next_hook = object_access_hook;
  object_access_hook = on_access;
}

}  // namespace metrics_refresh::worker
