// What a client would have been told while a job's command ran. A worker has none.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// While one lives, the server's notices and warnings, as client_min_messages lets them through,
/// are kept. Whatever else the server would send is dropped. One at a time. REQUIRES: a process
/// without a client.
class NoticeKeeper {
 public:
  NoticeKeeper();
  ~NoticeKeeper();
  NoticeKeeper(const NoticeKeeper&) = delete;
  NoticeKeeper& operator=(const NoticeKeeper&) = delete;

 private:
  const PQcommMethods* methods_;
  CommandDest destination_;
  ProtocolVersion protocol_;
};

/// What the one that lives has kept, in the database's encoding, as psql would show it: `NOTICE:
/// text` and below it `DETAIL:  text` and `HINT:  text`. Of more than 8 kB the rest is cut, and the
/// last line says how many messages are missing. Empty where none came, or none lives.
std::string kept_notices();

}  // namespace metrics_refresh::pg
