#include "pg/rights_watch.hpp"

namespace metrics_refresh::pg {
namespace {

std::uint64_t version = 0;

}  // namespace

std::uint64_t rights_version() {
  if (version > 0) return version;
  version = 1;
  call([] {
    for (const auto cache : {PROCOID, NAMESPACEOID, AUTHOID, AUTHMEMROLEMEM})
      CacheRegisterSyscacheCallback(
          cache, [](auto...) { ++version; }, Datum(0));
  });
  return version;
}

}  // namespace metrics_refresh::pg
