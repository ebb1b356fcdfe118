// Access to the arguments of an SQL function as C++ values, and conversion of its result.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::api {

/// Arguments are numbered from 0, as in the function's declaration.
class Arguments {
 public:
  explicit Arguments(FunctionCallInfo call) : call_(call) {}

  bool is_null(int n) const { return call_->args[n].isnull; }
  /// The value as passed by the server. REQUIRES: not NULL.
  Datum datum(int n) const { return call_->args[n].value; }

  std::optional<std::string> get_text(int n) const;
  std::optional<std::string> get_name(int n) const;
  std::optional<bool> get_bool(int n) const;
  std::optional<std::int64_t> get_int64(int n) const;
  std::optional<int> get_int32(int n) const;
  std::optional<Oid> get_oid(int n) const;
  std::optional<core::Instant> get_instant(int n) const;

  /// Throws SqlError 22004: this argument must not be NULL.
  [[noreturn]] static void refuse_null(const char* name) {
    throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " must not be NULL");
  }

  /// Returns the value, or throws refuse_null().
  template <typename T>
  static T required(std::optional<T> value, const char* name) {
    if (!value) refuse_null(name);
    return std::move(*value);
  }

 private:
  FunctionCallInfo call_;
};

/// Access to arguments by name, for functions with many arguments.
class NamedArguments {
 public:
  explicit NamedArguments(FunctionCallInfo call);

  bool has(const char* name) const;
  // The functions below raise an internal error if the function has no argument with this name.
  bool is_null(const char* name) const { return arguments_.is_null(number_of(name)); }
  Datum datum(const char* name) const { return arguments_.datum(number_of(name)); }
  std::optional<std::string> get_text(const char* name) const {
    return arguments_.get_text(number_of(name));
  }
  std::optional<std::string> get_name(const char* name) const {
    return arguments_.get_name(number_of(name));
  }
  std::optional<bool> get_bool(const char* name) const {
    return arguments_.get_bool(number_of(name));
  }
  std::optional<int> get_int32(const char* name) const {
    return arguments_.get_int32(number_of(name));
  }
  std::optional<Oid> get_oid(const char* name) const { return arguments_.get_oid(number_of(name)); }

 private:
  int number_of(const char* name) const;

  Arguments arguments_;
  std::vector<std::string> names_;
};

Datum text_result(std::string_view value);

/// Returns a row from a function with a composite result.
Datum row_result(FunctionCallInfo call, const std::vector<pg::Param>& columns);

/// Returns rows from a function with a set result.
class SetResult {
 public:
  explicit SetResult(FunctionCallInfo call);
  void add(const std::vector<pg::Param>& columns);

 private:
  ReturnSetInfo* result_;
};

/// A flat JSON object that is built member by member.
class JsonObject {
 public:
  JsonObject& add(const char* name, const std::string& value);
  JsonObject& add(const char* name, const char* value) { return add(name, std::string(value)); }
  JsonObject& add(const char* name, bool value);
  JsonObject& add(const char* name, std::int64_t value);
  JsonObject& add(const char* name, double value);

  /// Returns the object as jsonb.
  Datum result() const;

 private:
  void begin_member(const char* name);
  std::string text_;
};

}  // namespace metrics_refresh::api
