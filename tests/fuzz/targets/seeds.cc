// Writes the inputs that the fuzz targets start from: fuzz_seeds FOLDER [TARGET] makes FOLDER/TARGET/NAME. Those of rpc_transport are what a
// real client sends, recorded between it and the server; those of ldap_answers what a real slapd answers.
#include <capnp/dynamic.h>
#include <kj/debug.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "ldap_seeds.h"
#include "ledger/canonical.h"
#include "ledger/proof/checkpoint.h"
#include "ledger/proof/proof_file.h"
#include "ledger/proof/tree_proof.h"
#include "ledger/proof/witness_file.h"
#include "ledger/transfer/export_reader.h"
#include "ledger/transfer/export_writer.h"
#include "rpc/transport.h"
#include "schema/event.capnp.h"
#include "seed_key.h"
#include "service.h"
#include "site/site.h"

namespace {

using fuzz::Service;
constexpr int64_t kSomeTimeNs = 1'800'000'000'000'000'000;

std::filesystem::path corpus;

void write(const char* target, const std::string& name, std::string_view bytes) {
  std::filesystem::create_directories(corpus / target);
  std::ofstream file(corpus / target / name, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  KJ_REQUIRE(file.good(), "not written", name.c_str());
}

// ---- rpc_transport

/// Stands between a client and the server and keeps what the client sends.
class Recorder {
 public:
  Recorder() : server_(loop_), address_(server_.address() + ".recorded") {}

  void record(const std::string& name, const std::function<void(rpc::Loop&, Service::Client)>& talk) {
    bytes_.assign(1, '\xFF');  // the sender waits behind each message, as this one did
    auto listening = loop_.wait(loop_.io().getNetwork().parseAddress(address_))->listen();
    auto passing = pass_one(*listening).eagerlyEvaluate([](kj::Exception&&) {});
    {
      auto connection = loop_.wait(rpc::connect(loop_, address_));
      talk(loop_, connection.bootstrap().castAs<Service>());
      settle();
    }
    settle();
    passing = nullptr;
    server_.forget_kept();
    settle();
    std::filesystem::remove(address_.substr(5));
    write("rpc_transport", name, bytes_);
  }

 private:
  /// Nothing is on its way any more.
  void settle() { loop_.wait(loop_.timer().afterDelay(50 * kj::MILLISECONDS)); }

  kj::Promise<void> pass_one(kj::ConnectionReceiver& listening) {
    return listening.accept().then([this](kj::Own<kj::AsyncIoStream> client) {
      return loop_.io()
          .getNetwork()
          .parseAddress(server_.address())
          .then([](kj::Own<kj::NetworkAddress> to) { return to->connect().attach(kj::mv(to)); })
          .then([this, client = kj::mv(client)](kj::Own<kj::AsyncIoStream> server) mutable {
            auto up = keep_and_pass(*client, *server);
            auto down = server->pumpTo(*client).ignoreResult();
            return up.exclusiveJoin(kj::mv(down)).attach(kj::mv(client), kj::mv(server));
          });
    });
  }
  kj::Promise<void> keep_and_pass(kj::AsyncIoStream& from, kj::AsyncIoStream& to) {
    return from.tryRead(buffer_, 1, sizeof(buffer_)).then([this, &from, &to](size_t got) -> kj::Promise<void> {
      if (got == 0) return kj::READY_NOW;
      bytes_.append(buffer_, got);
      return to.write(buffer_, got).then([this, &from, &to] { return keep_and_pass(from, to); });
    });
  }

  rpc::Loop loop_;
  fuzz::Server server_;
  const std::string address_;
  std::string bytes_;
  char buffer_[4096];
};

Service::Client own_object() {
  static fuzz::Kept kept;  // of this side; nothing is given to it
  return fuzz::new_service(kept);
}

auto say(Service::Client service, const char* text) {
  auto request = service.sayRequest();
  request.setText(text);
  return request.send();
}

auto relay(Service::Client service, Service::Client other) {
  auto request = service.relayRequest();
  request.setOther(kj::mv(other));
  request.setText("MARI");
  return request.send();
}

void keep(rpc::Loop& loop, Service::Client service, Service::Client other) {
  auto request = service.keepRequest();
  request.setOther(kj::mv(other));
  loop.wait(request.send().ignoreResult());
}

void record_sessions() {
  Recorder recorder;
  recorder.record("calls", [](rpc::Loop& loop, Service::Client service) {
    loop.wait(say(service, "MARI").ignoreResult());
    loop.wait(say(service, "28001").ignoreResult());
  });
  recorder.record("pipelined", [](rpc::Loop& loop, Service::Client service) {
    for (int i = 0; i < 4; ++i) service = service.nextRequest().send().getService();
    loop.wait(say(service, "far down").ignoreResult());
  });
  recorder.record("called_back",
                  [](rpc::Loop& loop, Service::Client service) { loop.wait(relay(service, own_object()).ignoreResult()); });
  recorder.record("own_object_back", [](rpc::Loop& loop, Service::Client service) {
    auto next = loop.wait(service.nextRequest().send()).getService();
    loop.wait(relay(service, kj::mv(next)).ignoreResult());
  });
  recorder.record("kept", [](rpc::Loop& loop, Service::Client service) {
    keep(loop, service, own_object());
    auto back = loop.wait(service.keptRequest().send()).getOther();
    loop.wait(say(back, "home").ignoreResult());
  });
  recorder.record("promised", [](rpc::Loop& loop, Service::Client service) {
    auto later = kj::newPromiseAndFulfiller<Service::Client>();
    auto answer = relay(service, kj::mv(later.promise));
    loop.wait(say(service, "first").ignoreResult());
    later.fulfiller->fulfill(own_object());
    loop.wait(answer.ignoreResult());
  });
  recorder.record("promise_of_theirs", [](rpc::Loop& loop, Service::Client service) {
    auto later = kj::newPromiseAndFulfiller<Service::Client>();
    keep(loop, service, kj::mv(later.promise));
    auto back = service.keptRequest().send().getOther();
    auto early = say(back, "early");
    loop.wait(say(service, "first").ignoreResult());
    later.fulfiller->fulfill(kj::cp(service));
    loop.wait(early.ignoreResult().catch_([](kj::Exception&&) {}));  // rpc/checked_network.h: the server takes none of its own back so
  });
  recorder.record("promise_broken", [](rpc::Loop& loop, Service::Client service) {
    auto later = kj::newPromiseAndFulfiller<Service::Client>();
    auto answer = relay(service, kj::mv(later.promise));
    loop.wait(say(service, "first").ignoreResult());
    later.fulfiller->reject(KJ_EXCEPTION(FAILED, "gone"));
    loop.wait(answer.ignoreResult().catch_([](kj::Exception&&) {}));
  });
  recorder.record("copied", [](rpc::Loop& loop, Service::Client service) {
    auto request = service.copyRequest();
    auto list = request.getValue().initAs<capnp::List<Service>>(3);
    list.set(0, service);
    list.set(1, own_object());
    loop.wait(request.send().ignoreResult());
  });
  recorder.record("failed", [](rpc::Loop& loop, Service::Client service) {
    loop.wait(service.failRequest().send().ignoreResult().catch_([](kj::Exception&&) {}));
  });
  recorder.record("cancelled", [](rpc::Loop& loop, Service::Client service) {
    {
      auto call = service.hangRequest().send().ignoreResult().eagerlyEvaluate(nullptr);
      loop.wait(say(service, "meanwhile").ignoreResult());
    }
    loop.wait(say(service, "after").ignoreResult());
  });
}

// ---- proof_text

void write_proofs() {
  const auto key = *ledger::SigningKey::parse(fuzz::kSeedKey);
  std::map<std::pair<int, uint64_t>, base::Sha256> nodes;
  ledger::TreeEdge edge;
  std::vector<std::string> notes;
  for (int i = 0; i < 13; ++i) {
    edge.append(ledger::leaf_hash("event " + std::to_string(i)), [&](int level, uint64_t index, const base::Sha256& hash) {
      nodes[{level, index}] = hash;
    });
    notes.push_back(*key.sign(ledger::Checkpoint{key.public_key().name, edge.size(), edge.root()}.text()));
  }
  const ledger::ReadNode node = [&](int level, uint64_t index) -> base::Result<base::Sha256> { return nodes.at({level, index}); };

  ledger::ProofFile proof;
  proof.checkpoint = notes.back();
  for (const uint64_t seq : {3, 13})
    proof.events.push_back({seq, "event " + std::to_string(seq - 1), *ledger::inclusion_path(seq - 1, 13, node)});
  proof.documents[std::string(base::as_bytes(base::sha256("print()\n")))] = "print()\n";
  const ledger::Checkpoint lossy{key.public_key().name, 9, {}, {{8, 13, 7}}};

  write("proof_text", "key", key.public_key().line());
  write("proof_text", "private_key", key.secret_line());
  write("proof_text", "note", notes[4]);
  write("proof_text", "checkpoint", lossy.text());
  write("proof_text", "proof", proof.text());
  write("proof_text", "consistency", ledger::ConsistencyFile{notes[4], notes[12], *ledger::consistency_path(5, 13, node)}.text());
  write("proof_text", "tlog_proof", ledger::TlogProof{2, proof.events[0].path, notes.back()}.text());
  write("proof_text", "witness", ledger::witness_entry(notes[4], kSomeTimeNs) + ledger::witness_entry(notes[12], kSomeTimeNs));
  write("proof_text", "witness_with_loss",
        ledger::witness_entry(notes[12], kSomeTimeNs) + ledger::witness_entry(*key.sign(lossy.text()), kSomeTimeNs));
  write("proof_text", "witness_cut_short",
        ledger::witness_entry(notes[4], kSomeTimeNs).substr(0, 120) + ledger::witness_entry(notes[12], kSomeTimeNs));
}

// ---- event_line, export_file

/// Sets every field that can be set to something: texts, numbers, one item in each list.
void fill(capnp::DynamicStruct::Builder value, int depth) {
  for (auto field : value.getSchema().getNonUnionFields()) {
    const auto type = field.getType();
    if (type.isText()) value.set(field, "MARI");
    if (type.isData())
      value.set(field, capnp::Data::Reader(reinterpret_cast<const kj::byte*>("0123456789abcdef0123456789abcdef"), 32));
    if (type.isUInt64() || type.isUInt32() || type.isUInt16()) value.set(field, 7u);
    if (type.isInt64()) value.set(field, kSomeTimeNs);
    if (type.isStruct() && depth > 0) fill(value.init(field).as<capnp::DynamicStruct>(), depth - 1);
    if (type.isList() && depth > 0) {
      auto list = value.init(field, 1).as<capnp::DynamicList>();
      if (type.asList().getElementType().isStruct()) fill(list[0].as<capnp::DynamicStruct>(), depth - 1);
      if (type.asList().getElementType().isText()) list.set(0, "28001");
    }
  }
}

void write_events() {
  std::vector<std::string> events;
  for (auto field : capnp::Schema::from<schema::Event::Body>().getUnionFields()) {
    if (!field.getType().isStruct()) continue;  // unset
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<schema::Event>();
    fill(capnp::DynamicStruct::Builder(event), 1);
    event.setSeq(events.size() + 1);
    event.setCause(0);
    fill(capnp::DynamicStruct::Builder(event.getBody()).init(field).as<capnp::DynamicStruct>(), 2);
    events.push_back(ledger::canonical_bytes(message.getRoot<schema::Event>().asReader()));
    write("event_line", std::string(field.getProto().getName().cStr()), events.back());
  }

  const ledger::ExportHeader all{std::string(32, 'a'), 1, events.size(), {}, "0.1.0"};
  const ledger::ExportHeader none{std::string(32, 'a'), 1, 0, {}, "0.1.0"};
  for (const auto& header : {all, none}) {
    const auto path = std::filesystem::temp_directory_path() / "runledger-fuzz-export";
    {
      auto writer = std::move(ledger::ExportWriter::create(path, header)).value();
      for (size_t i = 0; i < header.to; ++i) KJ_REQUIRE(writer->add(events[i]).is_ok());
      KJ_REQUIRE(writer->finish("a note\n").is_ok());
    }
    std::ifstream file(path, std::ios::binary);
    write("export_file", header.to == 0 ? "empty" : "every_kind", std::string(std::istreambuf_iterator<char>(file), {}));
    std::filesystem::remove(path);
  }
}

// ---- run_names, site_file

void write_words() {
  write("run_names", "one", "MARI\n28001");
  write("run_names", "version", "MARI/28001/v2");
  write("run_names", "ranges", "mari\n28001-28010,28020");
  write("run_names", "one_word", "SANS2D22048");
}

void write_site() {
  const auto folder = std::filesystem::temp_directory_path() / "runledger-fuzz-site";
  KJ_REQUIRE(site::create(folder).is_ok());
  std::ifstream file(folder / "site.toml");
  const std::string example(std::istreambuf_iterator<char>(file), {});
  std::filesystem::remove_all(folder);
  write("site_file", "example", example);
  write("site_file", "small",
        "[facility]\nname = \"ISIS\"\n[[instrument]]\nname = \"mari\"\ncontract = \"isis\"\nraw = [\"raw\"]\n");
  write("site_file", "follow",
        "[facility]\nname = \"ISIS\"\n[follow]\naddress = \"unix:/run/ledger.sock\"\npublic_key_file = \"source.pub\"\n");
  write("site_file", "numbers",
        "[facility]\nname = \"ISIS\"\n[monitor]\nsettle = \"250ms\"\nsweep = \"2h\"\n[worker]\nslots = 2\n[witness]\nfile = "
        "\"/mnt/w\"\n"
        "[[instrument]]\nname = \"EQ-SANS\"\ncontract = \"sns\"\nraw = [\"raw\"]\nmemory_limit = \"8GiB\"\nrun_number_pattern = "
        "'([0-9]+)$'\n");
}

// ---- ldap_answers

void record_directory() {
  fuzz::record_ldap([](const std::string& name, std::string_view input) { write("ldap_answers", name, input); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "use: fuzz_seeds FOLDER [TARGET]\n");
    return 2;
  }
  corpus = argv[1];
  const std::string only = argc == 3 ? argv[2] : "";
  const std::map<std::string, void (*)()> makers = {{"rpc_transport", record_sessions}, {"proof_text", write_proofs}, {"event_line", write_events},
                                                         {"export_file", write_events},      {"run_names", write_words},   {"site_file", write_site},
                                                         {"ldap_answers", record_directory}};
  for (const auto& [target, make] : makers) {
    if (only.empty() || only == target) make();
  }
  return 0;
}
