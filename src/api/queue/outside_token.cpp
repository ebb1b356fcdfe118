#include "api/queue/outside_token.hpp"

#include "api/option_table.hpp"
#include "api/queue/payload.hpp"
#include "pg/guard.hpp"

namespace metrics_refresh::api {
namespace {

using shmem::queue::kTokenBytes;
using shmem::queue::Token;

constexpr char kDigits[] = "0123456789abcdef";

int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::vector<Token> new_tokens(std::size_t count) {
  std::vector<Token> tokens(count);
  if (!pg::call(
          [&tokens] { return pg_strong_random(tokens.data(), tokens.size() * sizeof(Token)); }))
    throw pg::SqlError(ERRCODE_INTERNAL_ERROR, "the server has no random numbers for tokens");
  return tokens;
}

TimestampTz lease_end(TimestampTz now, Datum lease) {
  const TimestampTz end = time_after(now, lease, "lease", true);
  if (end - now > USECS_PER_DAY)
    refuse_option("lease must be at most one day", "heartbeat_jobs() lets a lease go on.");
  return end;
}

std::string text_of(const Token& token) {
  std::string digits;
  digits.reserve(2 * kTokenBytes);
  for (const unsigned char byte : token.bytes) {
    digits += kDigits[byte >> 4];
    digits += kDigits[byte & 15];
  }
  return digits;
}

Token token_of(const text* value) {
  const char* const digits = VARDATA_ANY(value);
  Token token;
  bool is_valid = VARSIZE_ANY_EXHDR(value) == 2 * kTokenBytes;
  for (std::size_t i = 0; is_valid && i < kTokenBytes; ++i) {
    const int high = digit_of(digits[2 * i]);
    const int low = digit_of(digits[2 * i + 1]);
    is_valid = high >= 0 && low >= 0;
    token.bytes[i] = static_cast<unsigned char>(high << 4 | low);
  }
  if (is_valid) return token;
  throw pg::SqlError(ERRCODE_INVALID_TEXT_REPRESENTATION, "invalid token of a claim",
                     "Pass the token that claim_jobs() has returned.");
}

}  // namespace metrics_refresh::api
