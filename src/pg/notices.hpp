// The messages that a client would have received while a job's command ran. A worker has no client.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// While an object exists, notices and warnings that pass client_min_messages are kept. All other
/// messages to the client are discarded. Only one object may exist at a time. REQUIRES: a process
/// without a client.
class NoticeCollector {
 public:
  NoticeCollector();
  ~NoticeCollector();
  NoticeCollector(const NoticeCollector&) = delete;
  NoticeCollector& operator=(const NoticeCollector&) = delete;

 private:
  const PQcommMethods* methods_;
  CommandDest destination_;
  ProtocolVersion protocol_;
};

/// The messages kept by the present object, in the encoding of the database and the format of psql:
/// `NOTICE:  text`, followed by lines with `DETAIL:  text` and `HINT:  text`. Beyond 8 kB the text
/// is cut, and the last line tells the number of missing messages. Empty if there was none, or if
/// there is no object.
std::string collected_notices();

}  // namespace metrics_refresh::pg
