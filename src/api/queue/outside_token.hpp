// Tokens and leases of claims by external workers. A token has 128 random bits; as text, 32
// hexadecimal digits.
#pragma once

#include <string>
#include <vector>

#include "shmem/queue/outside_claims.hpp"

namespace metrics_refresh::api {

std::vector<shmem::queue::Token> new_tokens(std::size_t count);
std::string text_of(const shmem::queue::Token& token);
/// The end of a lease that begins now. Throws SqlError 22023 unless it is positive and at most one
/// day long.
TimestampTz lease_end(TimestampTz now, Datum lease);
/// Throws SqlError 22P02 if the text is no token.
shmem::queue::Token token_of(const text* value);

}  // namespace metrics_refresh::api
