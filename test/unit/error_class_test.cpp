// SQLSTATEs of PostgreSQL's appendix A, sorted into those that go away and those that do not.

#include "core/scheduler/retry_policy.hpp"

#include <gtest/gtest.h>

#include <string>

namespace metrics_refresh::core::test {
namespace {

TEST(ErrorClass, TransientErrorsGoAwayByThemselves) {
  const char* const codes[] = {
      "08000",  // connection_exception
      "08003",  // connection_does_not_exist
      "08006",  // connection_failure
      "08P01",  // protocol_violation
      "25P03",  // idle_in_transaction_session_timeout
      "25P04",  // transaction_timeout
      "40000",  // transaction_rollback
      "40001",  // serialization_failure
      "40003",  // statement_completion_unknown
      "40P01",  // deadlock_detected
      "53000",  // insufficient_resources
      "53100",  // disk_full
      "53200",  // out_of_memory
      "53300",  // too_many_connections
      "53400",  // configuration_limit_exceeded
      "55P03",  // lock_not_available: lock_timeout
      "57000",  // operator_intervention
      "57014",  // query_canceled: statement_timeout too
      "57P01",  // admin_shutdown
      "57P02",  // crash_shutdown
      "57P03",  // cannot_connect_now
      "58000",  // system_error
      "58030",  // io_error
  };
  for (const char* code : codes) EXPECT_TRUE(is_transient(code)) << code;
}

TEST(ErrorClass, PermanentErrorsComeAgain) {
  const char* const codes[] = {
      "00000",  // successful_completion
      "01000",  // warning
      "0A000",  // feature_not_supported
      "21000",  // cardinality_violation: duplicate rows found by CONCURRENTLY
      "21M01",  // no class of PostgreSQL's has a code like it
      "22003",  // numeric_value_out_of_range
      "22012",  // division_by_zero
      "23505",  // unique_violation
      "25006",  // read_only_sql_transaction
      "28000",  // invalid_authorization_specification
      "3D000",  // invalid_catalog_name
      "3F000",  // invalid_schema_name
      "42501",  // insufficient_privilege
      "42601",  // syntax_error
      "42703",  // undefined_column
      "42P01",  // undefined_table
      "54000",  // program_limit_exceeded
      "55000",  // object_not_in_prerequisite_state: no unique index
      "55006",  // object_in_use
      "55P02",  // cant_change_runtime_param
      "55P04",  // unsafe_new_enum_value_usage
      "F0000",  // config_file_error
      "HV000",  // fdw_error
      "P0001",  // raise_exception
      "XX000",  // internal_error
      "XX001",  // data_corrupted
  };
  for (const char* code : codes) EXPECT_FALSE(is_transient(code)) << code;
}

TEST(ErrorClass, OnlyTheFirstTwoCharactersAreTheClass) {
  for (const char* code : {"00840", "14000", "X4000", "05300", "55P3", "5P03", "p5P03", "55p03"})
    EXPECT_FALSE(is_transient(code)) << code;
}

TEST(ErrorClass, WhatIsNoSqlstateIsPermanent) {
  for (const char* code : {"", "4", "5", " ", "  ", "55P0", "error"})
    EXPECT_FALSE(is_transient(code)) << '"' << code << '"';
  EXPECT_FALSE(is_transient(std::string_view()));
  EXPECT_FALSE(is_transient(std::string(5, '\0')));
}

TEST(ErrorClass, ReadsNoFurtherThanTheViewGoes) {
  const std::string buffer = "55P034000140P01";
  EXPECT_TRUE(is_transient(std::string_view(buffer).substr(0, 5)));
  EXPECT_TRUE(is_transient(std::string_view(buffer).substr(5, 5)));
  EXPECT_FALSE(is_transient(std::string_view(buffer).substr(0, 4)));
}

}  // namespace
}  // namespace metrics_refresh::core::test
