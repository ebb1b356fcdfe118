// The fuzzer's checks over its corpus, and over every beginning of each text in it.

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#ifndef METRICS_REFRESH_CORPUS  // CMake knows where it is
#define METRICS_REFRESH_CORPUS "test/fuzz/corpus"
#endif

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace metrics_refresh::core::test {
namespace {

TEST(FuzzCorpus, Holds) {
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(METRICS_REFRESH_CORPUS)) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    for (std::size_t size = 0; size <= bytes.size(); ++size)
      EXPECT_EQ(LLVMFuzzerTestOneInput(bytes.data(), size), 0);
    ++files;
  }
  EXPECT_GT(files, 40);
}

}  // namespace
}  // namespace metrics_refresh::core::test
