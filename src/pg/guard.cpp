// The two crossings of guard.hpp.
//
// A server error is copied off the server's error stack into a memory context that the exception
// owns. A C++ exception is copied into server memory before ereport(), because the longjmp skips
// its destructor. Both copies can run out of memory, so neither step may depend on an allocation
// that succeeds.
#include "pg/guard.hpp"

#include <cstring>

namespace metrics_refresh::pg {
namespace {

// A copy in server memory. Null if the text is empty or memory has run out.
const char* copied(const std::string& text) noexcept {
  if (text.empty()) return nullptr;
  void* copy = MemoryContextAllocExtended(CurrentMemoryContext, text.size() + 1, MCXT_ALLOC_NO_OOM);
  if (copy == nullptr) return nullptr;
  return static_cast<char*>(std::memcpy(copy, text.c_str(), text.size() + 1));
}

Failure describe(int sqlstate, const char* message) noexcept {
  const std::size_t size = std::strlen(message) + 1;
  void* copy = MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_NO_OOM);
  if (copy == nullptr) return {nullptr, sqlstate, "out of memory reporting an error", {}, {}};
  return {nullptr, sqlstate, static_cast<char*>(std::memcpy(copy, message, size)), {}, {}};
}

}  // namespace

PgError::PgError(MemoryContext context, ErrorData* data) {
  // Not make_shared(): if that ran out of memory, the memory context would leak.
  std::unique_ptr<Captured> captured(new (std::nothrow) Captured{context, data});
  if (captured == nullptr) {
    MemoryContextDelete(context);
    throw std::bad_alloc();
  }
  captured_ = std::move(captured);
}

const char* PgError::what() const noexcept {
  return captured_->data->message != nullptr ? captured_->data->message : "missing error text";
}

int PgError::sqlstate() const noexcept { return captured_->data->sqlerrcode; }

const ErrorData& PgError::data() const noexcept { return *captured_->data; }

ErrorData* PgError::release() const noexcept {
  // From now on the error is freed with the current memory context.
  MemoryContextSetParent(std::exchange(captured_->context, nullptr), CurrentMemoryContext);
  return captured_->data;
}

void throw_pending_error(MemoryContext context) {
  // volatile: the values are read after a longjmp.
  MemoryContext volatile owner = nullptr;
  ErrorData* volatile data = nullptr;
  {
    // CopyErrorData() may itself run out of memory. This second landing catches that error.
    HandlerScope scope;
    sigjmp_buf landing;
    if (sigsetjmp(landing, 0) == 0) {
      PG_exception_stack = &landing;
      owner = AllocSetContextCreate(TopMemoryContext, "captured error", ALLOCSET_SMALL_SIZES);
      MemoryContextSwitchTo(owner);
      data = CopyErrorData();
    }
  }
  MemoryContextSwitchTo(context);
  // Must come after the copy, because it frees the original.
  FlushErrorState();
  if (data == nullptr) {
    if (owner != nullptr) MemoryContextDelete(owner);
    throw std::bad_alloc();
  }
  throw PgError(owner, data);
}

// bad_alloc gets a constant text: there is no memory to copy one.
Failure describe_current_exception() noexcept {
  try {
    throw;
  } catch (const PgError& error) {
    return {error.release(), 0, nullptr, nullptr, nullptr};
  } catch (const SqlError& error) {
    Failure failure = describe(error.sqlstate(), error.what());
    failure.detail = copied(error.detail());
    failure.hint = copied(error.hint());
    return failure;
  } catch (const std::bad_alloc&) {
    return {nullptr, ERRCODE_OUT_OF_MEMORY, "out of memory", nullptr, nullptr};
  } catch (const std::exception& error) {
    return describe(ERRCODE_INTERNAL_ERROR, error.what());
  } catch (...) {
    return {nullptr, ERRCODE_INTERNAL_ERROR, "unknown C++ exception", nullptr, nullptr};
  }
}

void raise(const Failure& failure) {
  if (failure.server_error != nullptr) ReThrowError(failure.server_error);
  ereport(ERROR, errcode(failure.sqlstate), errmsg_internal("%s", failure.message),
          failure.detail != nullptr ? errdetail_internal("%s", failure.detail) : 0,
          failure.hint != nullptr ? errhint("%s", failure.hint) : 0);
  pg_unreachable();
}

}  // namespace metrics_refresh::pg
