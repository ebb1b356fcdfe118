// The history as a ring over time: completed jobs go to the current child of queue_history. When
// its time is over, the next one becomes current, and the oldest is emptied.
//
// All functions REQUIRE: inside extension::as_extension(), whose Spi they get.
#pragma once

#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store::queue {

constexpr std::uint8_t kPeriods = 10;

struct Period {
  enum class State { kEmpty, kCurrent, kClosed };
  std::uint8_t number = 0;
  State state = State::kEmpty;
  std::optional<TimestampTz> opened_at, closed_at;
};

/// All periods, by number. One of them is current.
std::vector<Period> read_periods(pg::Spi& spi);

/// The child for completed jobs. The scheduler turns the ring, and shared memory knows the current
/// one. REQUIRES: require_queue() or find_queue() in this transaction; not as_extension().
std::uint8_t current_period();

/// Makes an empty period the current one, and closes the one that was.
/// After the commit, shared memory names the new one; jobs that end until then go to the old one.
void open_period(pg::Spi& spi, std::uint8_t next, TimestampTz now);

/// The completed jobs of a period. Reads all of them.
std::int64_t count_completed(std::uint8_t period);

/// Adds the last pages of a period to its index, which gets an entry for a range of pages when the
/// next range begins. Until then, each look-up reads all of these pages. They stay so if another
/// session has locked the table against it.
void index_last_pages(pg::Spi& spi, std::uint8_t period);

/// Empties a closed period by TRUNCATE. Returns false if a session has a lock on it; then end the
/// transaction soon, and try again later. Readers of several tables count truncations, as for
/// empty_segment().
bool empty_period(pg::Spi& spi, std::uint8_t period);

}  // namespace metrics_refresh::store::queue
