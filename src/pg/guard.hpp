// The only two crossings between C++ and PostgreSQL.
//
//   call()      C++ -> PostgreSQL: a server error (a longjmp) becomes a PgError exception
//   boundary()  PostgreSQL -> C++: any exception becomes a server error
//
// Every server function that can raise an error is called inside call(). Every extern "C" entry is
// one boundary(). Between the two, destructors run as in any C++ program.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// A server error as an exception, with SQLSTATE, message, detail, hint, context and position. It
/// owns a memory context, so that it survives the abort of a transaction. Copies share the context.
class PgError final : public std::exception {
 public:
  /// Takes ownership of `context`, which holds `data`.
  PgError(MemoryContext context, ErrorData* data);

  const char* what() const noexcept override;
  int sqlstate() const noexcept;
  const ErrorData& data() const noexcept;

  /// Moves the memory of the error to the current memory context, for ReThrowError.
  ErrorData* release() const noexcept;

 private:
  struct Captured {
    MemoryContext context;  // null once released
    ErrorData* data;
    ~Captured() {
      if (context != nullptr) MemoryContextDelete(context);
    }
  };

  std::shared_ptr<Captured> captured_;
};

/// An error of this extension, with its SQLSTATE. Detail and hint are sentences or empty.
class SqlError : public std::runtime_error {
 public:
  SqlError(int sqlstate, const std::string& message, std::string hint = {}, std::string detail = {})
      : std::runtime_error(message),
        sqlstate_(sqlstate),
        hint_(std::move(hint)),
        detail_(std::move(detail)) {}

  int sqlstate() const noexcept { return sqlstate_; }
  const std::string& hint() const noexcept { return hint_; }
  const std::string& detail() const noexcept { return detail_; }

 private:
  int sqlstate_;
  std::string hint_;
  std::string detail_;
};

/// Moves the error on top of the server's error stack into a PgError and throws it. `context`
/// becomes the current memory context.
[[noreturn]] void throw_pending_error(MemoryContext context);

/// Saves the server's two handler stacks and restores them when the scope is left in any way.
class HandlerScope {
 public:
  HandlerScope() noexcept
      : exception_stack_(PG_exception_stack), context_stack_(error_context_stack) {}
  ~HandlerScope() {
    PG_exception_stack = exception_stack_;
    error_context_stack = context_stack_;
  }
  HandlerScope(const HandlerScope&) = delete;
  HandlerScope& operator=(const HandlerScope&) = delete;

 private:
  sigjmp_buf* exception_stack_;
  ErrorContextCallback* context_stack_;
};

/// Runs `body`, which may call any server function. REQUIRES: `body` constructs no object with a
/// destructor, because a longjmp would skip it. Objects that it captures by reference are safe.
template <typename Body>
[[gnu::noinline]] std::invoke_result_t<Body&> call(Body&& body) {
  using Result = std::invoke_result_t<Body&>;
  static_assert(std::is_void_v<Result> || std::is_trivially_destructible_v<Result>,
                "a longjmp would skip this result's destructor");

  MemoryContext const context = CurrentMemoryContext;
  {
    HandlerScope scope;
    sigjmp_buf landing;
    if (sigsetjmp(landing, 0) == 0) {
      PG_exception_stack = &landing;
      return body();
    }
  }
  throw_pending_error(context);
}

/// The text for use in call(), or null if it is empty. It lives as long as `text`.
inline const char* c_str_or_null(const std::string& text) noexcept {
  return text.empty() ? nullptr : text.c_str();
}

/// The error that boundary() raises in a frame without destructors.
struct Failure {
  ErrorData* server_error;  // a server error to rethrow, or null; then:
  int sqlstate;
  const char* message;
  const char* detail;  // or null
  const char* hint;    // or null
};

/// Describes the exception that is being handled. Never throws and never longjmps.
Failure describe_current_exception() noexcept;

/// Raises `failure` as a server error. REQUIRES: no frame between this one and the server holds an
/// object with a destructor.
[[noreturn]] void raise(const Failure& failure);

/// The body of every extern "C" entry point. All objects that `body` constructed are destroyed
/// before the longjmp starts.
template <typename Body>
std::invoke_result_t<Body&> boundary(Body&& body) {
  Failure failure;
  try {
    return body();
  } catch (...) {
    failure = describe_current_exception();
  }
  raise(failure);
}

}  // namespace metrics_refresh::pg

/// Defines and exports the C symbol `name` of an SQL function, which runs `body(FunctionCallInfo)`.
#define MR_SQL_FUNCTION(name, body)                                     \
  extern "C" {                                                          \
  PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                             \
  PG_FUNCTION_INFO_V1(name);                                            \
  }                                                                     \
  Datum name(PG_FUNCTION_ARGS) {                                        \
    return metrics_refresh::pg::boundary([&] { return body(fcinfo); }); \
  }                                                                     \
  static_assert(true, "ends with a semicolon")
