#include "tools/document.h"

#include <capnp/any.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <kj/exception.h>

#include "tools/event_text.h"

namespace tools {
namespace {

/// The words of a message's one segment.
std::string bytes_of_message(capnp::MessageBuilder& message) {
  const auto segments = message.getSegmentsForOutput();
  EXPECT_EQ(segments.size(), 1u);
  const auto bytes = segments[0].asBytes();
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

TEST(DocumentTest, AShortEventWithAListOfMillionsIsNotPutInWords) {
  // Symptom: an event of a few hundred bytes kept the command line busy for minutes, and took gigabytes.
  constexpr unsigned kItems = 16u << 20;  // of no bytes each
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<schema::Event>();
  auto set = capnp::toAny(event.getBody().initVariablesSet());
  constexpr unsigned kVariables = 2;  // the third pointer
  set.getPointerSection()[kVariables].initAsListOfAnyStruct(0, 0, kItems);
  const std::string bytes = bytes_of_message(message);
  ASSERT_LT(bytes.size(), 1000u);

  const auto document = Document<schema::Event>::open(bytes);
  ASSERT_TRUE(document.is_ok());
  ASSERT_EQ(schema::Event::Body::VARIABLES_SET, document->get().getBody().which());
  EXPECT_THROW(event_line(document->get(), JobNames()), kj::Exception);
}

TEST(DocumentTest, ALongEventMayBeReadManyTimes) {
  capnp::MallocMessageBuilder message(1u << 20);
  auto variables = message.initRoot<schema::Event>().getBody().initVariablesSet().initVariables(1000);
  for (auto variable : variables) variable.setName("tof_min");
  const auto document = Document<schema::Event>::open(bytes_of_message(message));
  ASSERT_TRUE(document.is_ok());
  const EventLine line = event_line(document->get(), JobNames());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(event_line(document->get(), JobNames()).text, line.text);
}

}  // namespace
}  // namespace tools
