// An export says what a ledger said, and damage to it is found and named wherever it is.
#include <capnp/dynamic.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/sha256.h"
#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/transfer/export_reader.h"
#include "ledger/transfer/export_writer.h"
#include "schema/event.capnp.h"
#include "tests/support/temporary_folder.h"

namespace {

using testing::HasSubstr;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Canonical bytes of an event with this body.
template <typename Fill>
std::string event_bytes(uint64_t seq, Fill&& fill) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<schema::Event>();
  event.setSeq(seq);
  event.setTime(static_cast<int64_t>(1'800'000'000'000'000'000 + seq));
  event.setCommandId("c" + std::to_string(seq));
  event.initActor().setName("alice");
  fill(event.getBody());
  return ledger::canonical_bytes(message.getRoot<schema::Event>().asReader());
}

std::string note(uint64_t seq, const std::string& text = "beam off") {
  return event_bytes(seq, [&](schema::Event::Body::Builder body) {
    auto annotated = body.initRunAnnotated();
    annotated.initRun().setInstrument("MARI");
    annotated.setText(text);
  });
}

std::string script(uint64_t seq, std::string_view blob) {
  const base::Sha256 hash = base::sha256(blob);
  return event_bytes(seq, [&](schema::Event::Body::Builder body) {
    body.initScriptRegistered().setSha256({hash.data(), hash.size()});
  });
}

class ExportFileTest : public testing::Test {
 protected:
  ledger::ExportHeader header(uint64_t from, uint64_t to, const ledger::TreeEdge& before = {}) const {
    return {std::string(32, 'a'), from, to, before, "0.1.0"};
  }
  /// Events in order, documents before the first.
  base::Status write(const std::filesystem::path& path, const ledger::ExportHeader& head, const std::vector<std::string>& events,
                     const std::vector<std::string>& blobs = {}, std::string_view checkpoint = "") {
    auto writer = ledger::ExportWriter::create(path, head);
    if (!writer.is_ok()) return writer.status();
    for (const std::string& blob : blobs) (*writer)->hold(blob);
    for (const std::string& event : events) {
      if (base::Status added = (*writer)->add(event); !added.is_ok()) return added;
    }
    return (*writer)->finish(checkpoint);
  }
  base::Status check(const std::string& bytes) {
    return ledger::check_export(root_.write("changed", bytes), [](uint64_t, uint64_t) { return true; }).status();
  }
  std::filesystem::path small() {
    const std::string text(300, 't');
    EXPECT_TRUE(write(root_ / "small", header(1, 3), {note(1), script(2, text), note(3)}, {text}, "a note\n").is_ok());
    return root_ / "small";
  }
  support::TemporaryFolder root_;
};

TEST_F(ExportFileTest, EveryKindOfEventComesBackByteForByte) {
  std::vector<std::string> events;
  ledger::TreeEdge edge;
  for (auto field : capnp::Schema::from<schema::Event::Body>().getUnionFields()) {
    if (!field.getType().isStruct()) continue;  // unset
    events.push_back(event_bytes(events.size() + 1, [&](schema::Event::Body::Builder body) {
      capnp::DynamicStruct::Builder(body).init(field);
    }));
    edge.append(ledger::leaf_hash(events.back()), [](int, uint64_t, const base::Sha256&) {});
  }
  ASSERT_GE(events.size(), 28u);
  const base::Status written = write(root_ / "all", header(1, events.size()), events);
  ASSERT_TRUE(written.is_ok()) << written.message();
  auto reader = ledger::ExportReader::open(root_ / "all").value();
  for (size_t i = 0; i < events.size(); ++i) {
    const auto item = reader->next();
    ASSERT_TRUE(item.is_ok()) << item.status().message();
    EXPECT_EQ((*item)->event, events[i]);
  }
  const auto end = reader->next();
  ASSERT_TRUE(end.is_ok()) << end.status().message();
  EXPECT_FALSE(end->has_value());
  EXPECT_EQ(reader->trailer().root, edge.root());
}

TEST_F(ExportFileTest, DocumentsComeOnceBeforeTheFirstEventThatNamesThem) {
  const std::string text = "def main(): pass", large(200'000, 'x');
  ASSERT_TRUE(write(root_ / "file", header(1, 4), {note(1), script(2, text), script(3, large), script(4, text)}, {large, text}, "signed").is_ok());
  EXPECT_LT(std::filesystem::file_size(root_ / "file"), 10'000u) << "documents are packed";
  auto reader = ledger::ExportReader::open(root_ / "file").value();
  EXPECT_TRUE(reader->next().value()->blobs.empty());
  EXPECT_EQ(reader->next().value()->blobs, std::vector<std::string>{text});
  EXPECT_EQ(reader->next().value()->blobs, std::vector<std::string>{large});
  EXPECT_TRUE(reader->next().value()->blobs.empty());
  EXPECT_FALSE(reader->next().value());
  EXPECT_EQ(reader->trailer().blobs, 2u);
  EXPECT_EQ(reader->trailer().checkpoint, "signed");
}

TEST_F(ExportFileTest, EveryChangedByteIsFound) {
  const std::string bytes = read_file(small());
  ASSERT_TRUE(check(bytes).is_ok()) << check(bytes).message();
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] ^= 0x04;
    const base::Status status = check(changed);
    EXPECT_FALSE(status.is_ok()) << "byte " << at;
    EXPECT_THAT(status.message(), HasSubstr("changed: ")) << "byte " << at << ": the file is not named";
  }
}

TEST_F(ExportFileTest, EveryCutIsFoundAndItsPlaceNamed) {
  const std::string bytes = read_file(small());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const base::Status status = check(bytes.substr(0, size));
    EXPECT_EQ(status.code(), base::Code::kCorruption) << "cut to " << size;
  }
  EXPECT_THAT(check(bytes.substr(0, bytes.size() - 1)).message(), HasSubstr("cut short: it ends at byte " + std::to_string(bytes.size() - 1)));
  EXPECT_THAT(check(bytes + "x").message(), HasSubstr("1 byte stand behind its last record"));
}

/// The records of an export, after its first line.
std::vector<std::string> records_of(std::string_view bytes) {
  std::vector<std::string> records;
  for (size_t at = bytes.find('\n') + 1; at < bytes.size();) {
    const auto head = ledger::decode_record_head(bytes.substr(at, ledger::kRecordHeadBytes));
    const size_t size = ledger::kRecordHeadBytes + head->stored_size + ledger::kRecordHashBytes;
    records.emplace_back(bytes.substr(at, size));
    at += size;
  }
  return records;
}

TEST_F(ExportFileTest, RecordsDoubledMovedOrTakenOutAreNamed) {
  const std::string bytes = read_file(small());
  const std::string line = bytes.substr(0, bytes.find('\n') + 1);
  const auto records = records_of(bytes);  // event 1, document, event 2, event 3, trailer
  ASSERT_EQ(records.size(), 5u);
  const auto joined = [&](std::vector<size_t> order) {
    std::string text = line;
    for (size_t i : order) text += records[i];
    return text;
  };
  ASSERT_TRUE(check(joined({0, 1, 2, 3, 4})).is_ok());
  EXPECT_THAT(check(joined({0, 0, 1, 2, 3, 4})).message(), HasSubstr("record 1 stands where record 2 belongs; records were doubled or moved"));
  EXPECT_THAT(check(joined({0, 2, 1, 3, 4})).message(), HasSubstr("record 3 stands where record 2 belongs"));
  EXPECT_THAT(check(joined({0, 1, 2, 4})).message(), HasSubstr("record 5 stands where record 4 belongs; records were taken out or moved"));
}

TEST_F(ExportFileTest, RecordsThatWereMadeToFitAreFoundByTheRoot) {
  // Whoever edits an export can make every checksum right; not the root, if somebody kept it.
  const std::string bytes = read_file(small());
  const auto records = records_of(bytes);
  std::string forged = bytes.substr(0, bytes.find('\n') + 1);
  forged += ledger::encode_record(ledger::RecordKind::kEvent, 1, note(1, "beam on!"));
  for (size_t i = 1; i < 4; ++i) forged += records[i];
  ledger::ExportTrailer trailer = ledger::check_export(root_ / "small", [](uint64_t, uint64_t) { return true; }).value().trailer;
  trailer.digest = base::sha256(forged);
  forged += ledger::encode_record(ledger::RecordKind::kTrailer, 5, trailer.text());
  EXPECT_THAT(check(forged).message(), HasSubstr("its events lead to root"));
}

TEST_F(ExportFileTest, EventsThatCannotStandThereAreRefused) {
  const auto made = [&](const std::string& event) {
    std::string bytes = header(1, 1).line() + "\n";
    return bytes + ledger::encode_record(ledger::RecordKind::kEvent, 1, event);
  };
  EXPECT_THAT(check(made(note(2))).message(), HasSubstr("event 1 says of itself that it is event 2"));
  EXPECT_THAT(check(made("12345678")).message(), HasSubstr("event 1"));
  EXPECT_THAT(check(made(note(1) + std::string(8, '\0'))).message(), HasSubstr("canonical form"));
  std::string with_blob = header(1, 1).line() + "\n" + ledger::encode_record(ledger::RecordKind::kBlob, 1, "nobody's") +
                          ledger::encode_record(ledger::RecordKind::kEvent, 2, note(1));
  EXPECT_THAT(check(with_blob).message(), HasSubstr("does not name document"));
}

TEST_F(ExportFileTest, LaterPartCarriesTheTreeBeforeIt) {
  ledger::TreeEdge edge;
  std::vector<std::string> events;
  for (uint64_t seq = 1; seq <= 13; ++seq) {
    events.push_back(note(seq));
    if (seq <= 7) edge.append(ledger::leaf_hash(events.back()), [](int, uint64_t, const base::Sha256&) {});
  }
  ASSERT_TRUE(write(root_ / "whole", header(1, 13), events).is_ok());
  ASSERT_TRUE(write(root_ / "part", header(8, 13, edge), {events.begin() + 7, events.end()}).is_ok());
  const auto read = [&](const char* name) { return ledger::check_export(root_ / name, [](uint64_t, uint64_t) { return true; }).value(); };
  EXPECT_EQ(read("part").trailer.root, read("whole").trailer.root);
  EXPECT_EQ(read("part").header.before.root(), edge.root());
}

TEST_F(ExportFileTest, LaterFormatIsNamed) {
  EXPECT_EQ(check("runledger-export 2 whatever\n").code(), base::Code::kUnsupportedVersion);
  EXPECT_THAT(check("<!DOCTYPE html>\n").message(), HasSubstr("is no export of a ledger"));
}

/// Bytes of the lines of hex in a page, from a mark on.
std::string hex_of(const std::string& page, const std::string& from, const std::string& to) {
  std::string bytes;
  const size_t begin = page.find(from);
  std::istringstream lines(page.substr(begin, page.find(to, begin) - begin));
  for (std::string line; std::getline(lines, line);) bytes += base::from_hex(line.substr(0, line.find(' '))).value_or("");
  return bytes;
}

TEST_F(ExportFileTest, ExampleOfTheFormatPageIsRead) {
  // An export of the first format, for ever (promise P11).
  const std::string page = read_file(DOCS "/formats/export.md"), events = read_file(DOCS "/formats/event_log.md");
  const size_t line = page.find("\nrunledger-export 1 ") + 1;
  root_.write("example", page.substr(line, page.find('\n', line) + 1 - line) + hex_of(page, "4501  event", "\n```"));
  auto reader = ledger::ExportReader::open(root_ / "example");
  ASSERT_TRUE(reader.is_ok()) << reader.status().message();
  const auto item = (*reader)->next();
  ASSERT_TRUE(item.is_ok()) << item.status().message();
  EXPECT_EQ((*item)->event, hex_of(events, "0000000004000300", "leaf "));
  const auto end = (*reader)->next();
  EXPECT_TRUE(end.is_ok()) << end.status().message();
  EXPECT_EQ(base::hex((*reader)->trailer().root), "a6868c7df8b5ad15908aa9d498c56f5b8dc66dcfe2275f7b9fc6d5770d89ac7d");
}

TEST_F(ExportFileTest, NothingIsWrittenOverAndNothingHalfIsLeft) {
  root_.write("there", "precious");
  EXPECT_EQ(write(root_ / "there", header(1, 1), {note(1)}).code(), base::Code::kAlreadyExists);
  EXPECT_EQ(read_file(root_ / "there"), "precious");
  EXPECT_EQ(write(root_ / "new", header(1, 2), {note(1)}).code(), base::Code::kInternal);
  EXPECT_FALSE(std::filesystem::exists(root_ / "new"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "new.part"));
}

}  // namespace
