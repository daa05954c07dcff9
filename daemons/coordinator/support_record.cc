#include "daemons/coordinator/support_record.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "daemons/refusal.h"

namespace daemons {
namespace {

using ledger::view;

constexpr uint32_t kRowsACall = 1000;
constexpr size_t kLongestProblemBytes = 2000;

bool is_url(std::string_view path) { return path.find("://") != std::string_view::npos && !path.starts_with('/'); }

}  // namespace

kj::Promise<SupportRecord::Seens*> SupportRecord::on_record(const std::string& instrument) {
  if (auto known = seen_.find(instrument); known != seen_.end()) return &known->second;
  auto rows = std::make_shared<Seens>();
  return read_rows(instrument, rows, "").then([this, instrument, rows] { return &seen_.try_emplace(instrument, std::move(*rows)).first->second; });
}

kj::Promise<void> SupportRecord::read_rows(const std::string& instrument, std::shared_ptr<Seens> rows, std::string after) {
  auto request = record_.at_instrument(instrument).supportFilesRequest();
  request.setLimit(kRowsACall);
  request.setAfter(ledger::data(after));
  return request.send().then([this, instrument, rows](auto&& response) -> kj::Promise<void> {
    require_granted(response.getRefusal(), "the support files on record cannot be read");
    for (auto row : response.getFiles()) {
      auto file = row.getFile();
      rows->insert_or_assign(std::string(view(file.getPath())), Seen{std::string(view(file.getSha256())), std::string(view(file.getProblem())), row.getSeq(), file.getKept()});
    }
    if (response.getNext().size() == 0) return kj::READY_NOW;
    return read_rows(instrument, rows, std::string(view(response.getNext())));
  });
}

kj::Promise<NamedFiles> SupportRecord::find(std::string instrument, SupportQuestion question, uint64_t cause) {
  return loop_.on_pool([question = std::move(question), files = files_, urls = urls_] { return find_named_files(question, *files, *urls); })
      .then([this, instrument, cause](NamedFiles&& named) {
        auto found = std::make_shared<NamedFiles>(std::move(named));
        return keep(instrument, found, 0, cause).then([found] { return std::move(*found); });
      });
}

/// Those from `index` on.
kj::Promise<void> SupportRecord::keep(std::string instrument, std::shared_ptr<NamedFiles> found, size_t index, uint64_t cause) {
  if (index == found->files.size()) return kj::READY_NOW;
  return on_record(instrument)
      .then([this, found, index](Seens* seen) -> kj::Promise<void> {
        NamedFile& file = found->files[index];
        auto known = seen->find(file.path);
        const bool is_known = known != seen->end() && known->second.kept && known->second.sha256 == base::as_bytes(file.content.sha256);
        if (is_known || !file.content.kept || file.content.bytes) return kj::READY_NOW;
        return loop_.on_pool([files = files_, path = file.path] { return files->get(path, true); }).then([found, index](base::Result<FileContent>&& content) {
          if (content.is_ok()) found->files[index].content = std::move(*content);  // else the ledger says that it wants the bytes
        });
      })
      .then([this, instrument, found, index, cause] { return see(instrument, found->files[index].path, found->files[index].content, cause); })
      .then([this, instrument, found, index, cause](base::Status status) {
        NamedFile& file = found->files[index];
        if (!status.is_ok()) found->missing.push_back(fmt::format("{} names a file that cannot be put on record: {}", file.variable, status.message()));
        if (seen_[instrument][file.path].kept) file.content.bytes = nullptr;
        return keep(instrument, found, index + 1, cause);
      });
}

/// Puts it on record, unless it is there.
kj::Promise<base::Status> SupportRecord::see(const std::string& instrument, const std::string& path, base::Result<FileContent> content, uint64_t cause) {
  return on_record(instrument).then([this, instrument, path, content = std::move(content), cause](Seens* seen) -> kj::Promise<base::Status> {
    Seen now;
    if (content.is_ok()) {
      now.sha256 = base::as_bytes(content->sha256);
      now.kept = content->kept;
    } else {
      now.problem = base::to_utf8(content.status().message(), kLongestProblemBytes);
    }
    if (auto known = seen->find(path); known != seen->end()) {
      if (known->second.sha256 == now.sha256 && known->second.problem == now.problem) return base::Status();
      now.seq = known->second.seq;
      if (!content.is_ok()) now.kept = known->second.kept;
    }
    const std::string what = base::hex(base::sha256(path + '\0' + now.sha256 + now.problem)).substr(0, 32);
    Command command(fmt::format("coordinatord/support/{}/{}/{}", instrument, now.seq, what), cause);
    auto file = command.body().initSeeSupportFile();
    file.setInstrument(instrument);
    file.setPath(path);
    file.setSha256(ledger::data(now.sha256));
    file.setProblem(now.problem);
    if (content.is_ok()) {
      file.setSizeBytes(content->size_bytes);
      file.setKept(content->kept);
      if (content->kept && content->bytes) command.attach({*content->bytes});
    }
    return submitter_.submit(kj::mv(command)).then([this, instrument, path, now](CommandAnswer&& answer) mutable {
      if (answer.status.is_ok()) {
        if (!answer.events.empty()) now.seq = answer.events.front();
        seen_[instrument].insert_or_assign(path, now);
      }
      return answer.status;
    });
  });
}

kj::Promise<void> SupportRecord::look_again(std::string instrument) {
  return on_record(instrument).then([this, instrument](Seens* seen) -> kj::Promise<void> {
    using Change = std::pair<std::string, base::Result<FileContent>>;
    std::vector<std::pair<std::string, Seen>> known;
    for (const auto& [path, last] : *seen) {
      if (!is_url(path)) known.emplace_back(path, last);
    }
    auto read_changes = [files = files_, known = std::move(known)] {
      std::vector<Change> changes;
      for (const auto& [path, last] : known) {
        auto content = files->get(path);
        if (content.is_ok() && base::as_bytes(content->sha256) == last.sha256) continue;
        if (content.is_ok() && content->kept && last.kept && !content->bytes) content = files->get(path, true);
        if (content.is_ok() && !last.kept) content = FileContent{content->sha256, content->size_bytes, false, nullptr};
        changes.emplace_back(path, std::move(content));
      }
      return changes;
    };
    return loop_.on_pool(std::move(read_changes)).then([this, instrument](std::vector<Change>&& changes) {
      kj::Vector<kj::Promise<void>> seeing;
      for (auto& [path, content] : changes) {
        seeing.add(see(instrument, path, std::move(content), 0).then([instrument, path](base::Status status) {
          if (!status.is_ok()) spdlog::warn("{}: {} could not be put on record: {}", instrument, path, status.message());
        }));
      }
      return kj::joinPromises(seeing.releaseAsArray());
    });
  });
}

}  // namespace daemons
