// Messages built here, as they are stored: the bytes must be those Cap'n Proto itself calls canonical, whatever was built and however
// it lies in memory.
#include "ledger/canonical.h"

#include <capnp/dynamic.h>
#include <gtest/gtest.h>

#include <random>

#include "schema/event.capnp.h"
#include "schema/row.capnp.h"

namespace {

using capnp::DynamicStruct;
using capnp::DynamicValue;

/// Fills messages with anything their schema allows.
class Anything {
 public:
  explicit Anything(uint32_t seed) : random_(seed) {}

  void fill(DynamicStruct::Builder builder, int depth = 0) {
    for (auto field : builder.getSchema().getNonUnionFields()) {
      if (one_in(2)) fill(builder, field, depth);
    }
    const auto variants = builder.getSchema().getUnionFields();
    if (variants.size() > 0) fill(builder, variants[random_() % variants.size()], depth);
  }

 private:
  bool one_in(uint32_t times) { return random_() % times == 0; }

  void fill(DynamicStruct::Builder builder, capnp::StructSchema::Field field, int depth) {
    if (field.getProto().isGroup()) return fill(builder.init(field).as<DynamicStruct>(), depth);
    const auto type = field.getType();
    if (type.isStruct()) {
      if (depth < 4) fill(builder.init(field).as<DynamicStruct>(), depth + 1);
    } else if (type.isList()) {
      if (depth < 4) fill(builder.init(field, random_() % 4).as<capnp::DynamicList>(), depth + 1);
    } else if (type.isText() || type.isData()) {
      fill_blob(builder, field, type.isText());
    } else if (!type.isAnyPointer()) {
      builder.set(field, number(type));
    }
  }

  void fill_blob(DynamicStruct::Builder builder, capnp::StructSchema::Field field, bool is_text) {
    const std::string bytes(random_() % 20, one_in(3) && !is_text ? '\0' : 'x');
    if (is_text) {
      builder.set(field, capnp::Text::Reader(bytes));
      if (one_in(4)) builder.set(field, capnp::Text::Reader("set again, which leaves a hole"));
    } else {
      builder.set(field, ledger::data(bytes));
    }
  }

  void fill(capnp::DynamicList::Builder list, int depth) {
    const auto type = list.getSchema().getElementType();
    for (uint32_t i = 0; i < list.size(); ++i) {
      if (type.isStruct()) {
        if (!one_in(3)) fill(list[i].as<DynamicStruct>(), depth);
      } else if (type.isText()) {
        if (!one_in(3)) list.set(i, capnp::Text::Reader("element"));
      } else if (!type.isData()) {
        list.set(i, number(type));
      }
    }
  }

  DynamicValue::Reader number(capnp::Type type) {
    if (type.isVoid()) return capnp::VOID;
    if (type.isBool()) return one_in(2);
    if (type.isEnum()) return capnp::DynamicEnum(type.asEnum(), static_cast<uint16_t>(random_() % type.asEnum().getEnumerants().size()));
    return one_in(3) ? 0u : random_() % 100u;
  }

  std::mt19937 random_;
};

template <typename T>
void expect_canonical(uint32_t seed, capnp::MessageBuilder& message) {
  Anything(seed).fill(capnp::toDynamic(message.initRoot<T>()));
  const auto expected = capnp::canonicalize(message.getRoot<T>().asReader());
  const auto words = ledger::built_words(message);
  ASSERT_TRUE(words.asBytes() == expected.asPtr().asBytes()) << "seed " << seed;
}

TEST(CanonicalTest, BuiltMessagesAreStoredInTheFormCapnProtoCallsCanonical) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    capnp::MallocMessageBuilder event, row, job;
    expect_canonical<schema::Event>(seed, event);
    expect_canonical<schema::RunRow>(seed, row);
    expect_canonical<schema::JobRow>(seed, job);
  }
}

TEST(CanonicalTest, MessageInManySegmentsIsStoredAsOne) {
  size_t segments = 0;
  for (uint32_t seed = 0; seed < 500; ++seed) {
    // So small that objects lie apart from their pointers.
    capnp::MallocMessageBuilder event(1 + seed % 8, capnp::AllocationStrategy::FIXED_SIZE);
    expect_canonical<schema::Event>(seed, event);
    segments = std::max(segments, event.getSegmentsForOutput().size());
  }
  EXPECT_GT(segments, 20u);
}

TEST(CanonicalTest, ObjectMadeBeforeItsPlaceIsStoredWhereItBelongs) {
  // Its segment is full, so that the word that says where it is lies in a third one.
  capnp::MallocMessageBuilder message(1, capnp::AllocationStrategy::FIXED_SIZE);
  auto problems = message.getOrphanage().newOrphan<capnp::List<capnp::Text>>(2);
  problems.get().set(0, "first");
  problems.get().set(1, "second");
  auto run = message.getOrphanage().newOrphan<schema::RunKey>();
  run.get().setRunNumber(28001);
  auto row = message.initRoot<schema::RunRow>();
  row.adoptProblems(kj::mv(problems));
  row.adoptRun(kj::mv(run));
  const auto expected = capnp::canonicalize(row.asReader());
  EXPECT_TRUE(ledger::built_words(message).asBytes() == expected.asPtr().asBytes());
}

TEST(CanonicalTest, EmptyValuesAreKeptAsEmpty) {
  capnp::MallocMessageBuilder message;
  auto row = message.initRoot<schema::RunRow>();
  row.initRun();
  row.initProblems(0);
  row.setTitle("");
  const auto expected = capnp::canonicalize(row.asReader());
  EXPECT_TRUE(ledger::built_words(message).asBytes() == expected.asPtr().asBytes());
}

}  // namespace
