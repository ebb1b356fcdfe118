#include "pg/notices.hpp"

#include <cstring>

// Collects the notices of a job's command.
//
// The server sends its messages through PqCommMethods. Parallel workers replace these methods to
// pass messages to their leader; here they are replaced to store the messages. The methods are
// called in the middle of error reporting, even in a transaction that is being aborted. Therefore
// they do not access catalogs, and the text is kept in a static buffer.
namespace metrics_refresh::pg {
namespace {

constexpr std::size_t kMost = 8192;
constexpr char kCut[] = "...";

char buffer[kMost];
std::size_t buffer_length = 0;
bool is_cut = false;
std::int64_t left_out = 0;

void append(const char* text, std::size_t length) {
  if (is_cut) return;
  // Space for the three dots is always reserved.
  const std::size_t room = kMost - (sizeof kCut - 1) - buffer_length;
  is_cut = length > room;
  if (is_cut)
    length = static_cast<std::size_t>(
        pg_mbcliplen(text, static_cast<int>(length), static_cast<int>(room)));
  std::memcpy(buffer + buffer_length, text, length);
  buffer_length += length;
  if (!is_cut) return;
  std::memcpy(buffer + buffer_length, kCut, sizeof kCut - 1);
  buffer_length += sizeof kCut - 1;
}

void append(const char* text) { append(text, std::strlen(text)); }

// The command may have set client_encoding, although there is no client. Then the messages were
// converted.
void append_converted(const char* text) {
  const auto length = static_cast<int>(std::strlen(text));
  if (pg_get_client_encoding() == GetDatabaseEncoding()) return append(text);
  char* converted = pg_client_to_server(text, length);
  append(converted);
  if (converted != text) pfree(converted);
}

// The fields of a message. Each is a letter and a string that ends with a zero byte.
struct Fields {
  const char* severity = "";
  const char* message = "";
  const char* detail = nullptr;
  const char* hint = nullptr;
};

Fields read_fields(const char* at, std::size_t length) {
  Fields fields;
  const char* const end = at + length;
  while (at < end && *at != '\0') {
    const char letter = *at;
    const char* value = at + 1;
    if (letter == PG_DIAG_SEVERITY_NONLOCALIZED) fields.severity = value;
    if (letter == PG_DIAG_MESSAGE_PRIMARY) fields.message = value;
    if (letter == PG_DIAG_MESSAGE_DETAIL) fields.detail = value;
    if (letter == PG_DIAG_MESSAGE_HINT) fields.hint = value;
    at = value + std::strlen(value) + 1;
  }
  return fields;
}

void append_notice(const Fields& fields) {
  // After the buffer is full, messages are only counted.
  if (is_cut) {
    ++left_out;
    return;
  }
  if (buffer_length > 0) append("\n");
  append(fields.severity);
  append(":  ");
  append_converted(fields.message);
  if (fields.detail != nullptr) {
    append("\nDETAIL:  ");
    append_converted(fields.detail);
  }
  if (fields.hint != nullptr) {
    append("\nHINT:  ");
    append_converted(fields.hint);
  }
}

void put(char type, const char* bytes, std::size_t length) {
  constexpr char kNotice = 'N';
  if (type == kNotice) append_notice(read_fields(bytes, length));
}

int put_and_say_so(char type, const char* bytes, std::size_t length) {
  put(type, bytes, length);
  return 0;
}

// The remaining methods of the interface have nothing to do.
void reset() {}
int flush() { return 0; }
bool is_send_pending() { return false; }

constexpr PQcommMethods kMethods = {reset, flush, flush, is_send_pending, put_and_say_so, put};

void forget() {
  buffer_length = 0;
  is_cut = false;
  left_out = 0;
}

}  // namespace

NoticeCollector::NoticeCollector()
    : methods_(PqCommMethods), destination_(whereToSendOutput), protocol_(FrontendProtocol) {
  forget();
  PqCommMethods = &kMethods;
  // The server formats messages for a client of this protocol version.
  FrontendProtocol = PG_PROTOCOL_LATEST;
  whereToSendOutput = DestRemote;
}

NoticeCollector::~NoticeCollector() {
  whereToSendOutput = destination_;
  FrontendProtocol = protocol_;
  PqCommMethods = methods_;
  forget();
}

std::string collected_notices() {
  std::string text(buffer, buffer_length);
  if (left_out > 0)
    text +=
        "\n(" + std::to_string(left_out) + (left_out == 1 ? " more message)" : " more messages)");
  return text;
}

}  // namespace metrics_refresh::pg
