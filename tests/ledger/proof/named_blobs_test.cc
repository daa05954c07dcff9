#include "ledger/proof/named_blobs.h"

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <capnp/schema.h>
#include <gtest/gtest.h>

namespace ledger {
namespace {

/// Gives every field of type Data 32 bytes and every Bool true, in one item of each list.
void fill(capnp::DynamicStruct::Builder message) {
  using capnp::schema::Type;
  static const kj::byte kHash[32] = {7};
  for (auto field : message.getSchema().getNonUnionFields()) {
    const auto type = field.getType();
    if (type.isData()) message.set(field, capnp::Data::Reader(kHash, sizeof kHash));
    if (type.isBool()) message.set(field, true);
    if (type.isStruct()) fill(message.init(field).as<capnp::DynamicStruct>());
    if (type.isList() && type.asList().getElementType().isStruct()) {
      fill(message.init(field, 1).as<capnp::DynamicList>()[0].as<capnp::DynamicStruct>());
    }
  }
}

/// How many documents an event of this kind names, with one of each that it can.
size_t names_of(const char* kind) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<schema::Event>();
  capnp::DynamicStruct::Builder body = capnp::toDynamic(event.getBody());
  fill(body.init(kind).as<capnp::DynamicStruct>());
  return named_blobs(event.asReader()).size();
}

TEST(NamedBlobsTest, EveryDocumentOfAnEventIsNamed) {
  EXPECT_EQ(names_of("scriptRegistered"), 3u);  // script, sibling, defaults
  EXPECT_EQ(names_of("jobQueued"), 5u);         // script, sibling, variables, sources, support file; not the input
  EXPECT_EQ(names_of("attemptStarted"), 1u);
  EXPECT_EQ(names_of("attemptFailed"), 3u);  // traceback, log, manifest
  EXPECT_EQ(names_of("attemptSucceeded"), 2u);
  EXPECT_EQ(names_of("supportFileSeen"), 1u);
  EXPECT_EQ(names_of("trialRequested"), 2u);  // script, sibling
  EXPECT_EQ(names_of("campaignStarted"), 1u);
  EXPECT_EQ(names_of("runDetected"), 0u);  // raw files lie elsewhere
}

TEST(NamedBlobsTest, SupportFileThatIsTooLargeLiesElsewhere) {
  capnp::MallocMessageBuilder message;
  auto seen = message.initRoot<schema::Event>().getBody().initSupportFileSeen();
  seen.initSha256(32);
  EXPECT_TRUE(named_blobs(message.getRoot<schema::Event>().asReader()).empty());
  seen.setKept(true);
  EXPECT_EQ(named_blobs(message.getRoot<schema::Event>().asReader()).size(), 1u);
}

}  // namespace
}  // namespace ledger
