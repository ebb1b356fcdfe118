#include "store/queue/locks.hpp"

#include "extension/own_schema.hpp"

namespace metrics_refresh::store::queue {
namespace {

enum LockKind : std::uint16_t { kNameOfRole = 1, kName = 2, kKeysOfType = 3 };

// Locks of this class are only taken here: no SQL command locks objects of the class of a table
// that is no catalog. Returns false if another session has the lock, and `wait` is false.
bool lock(std::uint32_t object, LockKind kind, LOCKMODE mode, bool wait) {
  return pg::call([=] {
    const Oid table =
        get_relname_relid("job_type", get_namespace_oid(extension::kInternalSchema, false));
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table, object, kind);
    return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
  });
}

std::uint32_t hash_of(const std::string& name, std::uint64_t seed) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(name.data());
  return pg::call([&] {
    return static_cast<uint32>(hash_bytes_extended(bytes, static_cast<int>(name.size()), seed));
  });
}

}  // namespace

bool reserve_type_name(const std::string& name, Oid role) {
  (void)lock(hash_of(name, role), kNameOfRole, ExclusiveLock, true);
  return lock(hash_of(name, 0), kName, ExclusiveLock, false);
}

// The number of the extension's class with a sub-object that no extension has, so that it is
// different from all other locks, and SQL cannot name it.
void lock_unique_key(std::int64_t hash) {
  const auto bits = static_cast<std::uint64_t>(hash);
  pg::call([bits] {
    LockDatabaseObject(ExtensionRelationId, static_cast<Oid>(bits),
                       static_cast<uint16>((bits >> 32) | 1), ExclusiveLock);
  });
}

void lock_keys_of_type(TypeId type, bool exclusive) {
  (void)lock(static_cast<std::uint32_t>(type), kKeysOfType,
             exclusive ? ExclusiveLock : RowExclusiveLock, true);
}

}  // namespace metrics_refresh::store::queue
