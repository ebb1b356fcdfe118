#include "shmem/queue/claims_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

namespace metrics_refresh::shmem::queue {
namespace {

constexpr char kPath[] = PG_STAT_TMP_DIR "/metrics_refresh.claims";
constexpr std::uint32_t kMagic = 0x6d72'0002;

struct Record {
  std::uint32_t magic;
  Oid database;
  std::int64_t job;
  std::int16_t version;
  std::int16_t unused;
  std::int32_t group;
  std::uint64_t check;
  std::uint64_t padding[4];
};
static_assert(sizeof(Record) == 64, "the place of a record follows from its size");

// A write that a crash cuts off leaves a wrong sum.
std::uint64_t check_of(const Record& record) noexcept {
  std::uint64_t sum = record.magic;
  for (const std::uint64_t part :
       {std::uint64_t{record.database}, static_cast<std::uint64_t>(record.job),
        static_cast<std::uint64_t>(record.version), static_cast<std::uint64_t>(record.group)})
    sum = (sum ^ part) * 0x9e37'79b9'7f4a'7c15;
  return sum;
}

bool write_record(int file, int worker, const Record& record) noexcept {
  const off_t place = static_cast<off_t>(worker) * static_cast<off_t>(sizeof record);
  return pwrite(file, &record, sizeof record, place) == static_cast<ssize_t>(sizeof record);
}

}  // namespace

// The server limits descriptors that it does not manage.
ClaimsFile::ClaimsFile(int worker)
    : file_(pg::call([] {
        if (!AcquireExternalFD()) return -1;
        const int file =
            open(kPath, O_WRONLY | O_CREAT | O_CLOEXEC | PG_BINARY, pg_file_create_mode);
        if (file < 0) {
          ReleaseExternalFD();
          ereport(LOG, errcode_for_file_access(),
                  errmsg("metrics_refresh: could not open file \"%s\": %m", kPath));
        }
        return file;
      })),
      worker_(worker) {}

ClaimsFile::~ClaimsFile() {
  if (file_ < 0) return;
  close(file_);
  ReleaseExternalFD();
}

// A failure is not reported: it happens for each job if the disk is full.
void ClaimsFile::write(const ClaimedJob& job) noexcept {
  if (file_ < 0) return;
  Record record = {};
  record.magic = kMagic;
  record.database = job.database;
  record.job = job.job;
  record.version = job.version;
  record.group = job.group;
  record.check = check_of(record);
  (void)write_record(file_, worker_, record);
}

void ClaimsFile::clear() noexcept {
  if (file_ >= 0) (void)write_record(file_, worker_, Record{});
}

std::vector<ClaimedJob> read_claims_file() {
  std::vector<Record> records(kMostClaimedJobs);
  const int file = open(kPath, O_RDONLY | O_CLOEXEC | PG_BINARY);
  if (file < 0) return {};
  const ssize_t size = read(file, records.data(), records.size() * sizeof(Record));
  close(file);
  records.resize(size > 0 ? static_cast<std::size_t>(size) / sizeof(Record) : 0);
  std::vector<ClaimedJob> jobs;
  for (const Record& record : records)
    if (record.magic == kMagic && record.job != 0 && record.check == check_of(record))
      jobs.push_back({record.database, record.job, record.version, record.group});
  return jobs;
}

void remove_claims_file() { (void)unlink(kPath); }

}  // namespace metrics_refresh::shmem::queue
