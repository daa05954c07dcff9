#include "tests/golden/golden.h"

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <capnp/schema.h>
#include <fmt/format.h>

#include <set>

#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "schema/document.capnp.h"
#include "schema/event.capnp.h"

namespace golden {
namespace {

using capnp::schema::Type;

/// Sets every field; of a union the member at `place`. Values count up, so that no two fields have the same.
class Filler {
 public:
  void fill(capnp::DynamicStruct::Builder message) {
    for (auto field : message.getSchema().getNonUnionFields()) fill(message, field);
    const auto members = message.getSchema().getUnionFields();
    if (members.size() > 0) fill(message, members[next_ % members.size()]);
  }
  void fill(capnp::DynamicStruct::Builder message, capnp::StructSchema::Field field) {
    const auto type = field.getType();
    ++next_;
    switch (type.which()) {
      case Type::VOID: message.set(field, capnp::VOID); break;
      case Type::STRUCT: fill(field.getProto().isGroup() ? message.get(field).as<capnp::DynamicStruct>() : message.init(field).as<capnp::DynamicStruct>()); break;
      case Type::LIST: {
        auto list = message.init(field, 1).as<capnp::DynamicList>();
        if (type.asList().whichElementType() == Type::STRUCT) {
          fill(list[0].as<capnp::DynamicStruct>());
        } else {
          list.set(0, scalar(type.asList().getElementType()));
        }
        break;
      }
      default: message.set(field, scalar(type));
    }
  }

 private:
  capnp::DynamicValue::Reader scalar(capnp::Type type) {
    switch (type.which()) {
      case Type::BOOL: return true;
      case Type::FLOAT64: return static_cast<double>(next_) + 0.5;
      case Type::ENUM: {
        const auto enumerants = type.asEnum().getEnumerants();
        return capnp::DynamicEnum(enumerants[1 + next_ % (enumerants.size() - 1)]);
      }
      case Type::TEXT:
        text_ = fmt::format("text {}", next_);
        return capnp::Text::Reader(text_.c_str(), text_.size());
      case Type::DATA:
        text_ = fmt::format("{:032}", next_);
        return capnp::Data::Reader(reinterpret_cast<const kj::byte*>(text_.data()), text_.size());
      case Type::INT8:
      case Type::INT16:
      case Type::INT32:
      case Type::INT64: return static_cast<int64_t>(next_);
      default: return static_cast<uint64_t>(next_);
    }
  }
  std::string text_;
  uint64_t next_ = 0;
};

template <typename T>
std::string filled_document() {
  capnp::MallocMessageBuilder message;
  Filler().fill(capnp::toDynamic(message.initRoot<T>()));
  return ledger::canonical_bytes(message.getRoot<T>().asReader());
}

template <typename T>
std::string text_of(std::string_view bytes) {
  ledger::Row<T> row(bytes);
  return kj::str(capnp::toDynamic(row.get())).cStr();
}

std::string name_of(capnp::Schema schema) {
  const std::string name = schema.getProto().getDisplayName().cStr();
  return name.substr(name.find(':') + 1);
}

std::string type_name(capnp::Type type) {
  switch (type.which()) {
    case Type::STRUCT: return name_of(type.asStruct());
    case Type::ENUM: return name_of(type.asEnum());
    case Type::LIST: return "List(" + type_name(type.asList().getElementType()) + ")";
    default: return fmt::format("type {}", static_cast<int>(type.which()));
  }
}

void describe(capnp::Type type, std::set<std::string>& seen, std::vector<std::string>& lines) {
  if (type.isList()) return describe(type.asList().getElementType(), seen, lines);
  if (type.isEnum()) {
    if (!seen.insert(name_of(type.asEnum())).second) return;
    for (auto each : type.asEnum().getEnumerants())
      lines.push_back(fmt::format("{}.{} = {}", name_of(type.asEnum()), each.getProto().getName().cStr(), each.getOrdinal()));
  }
  if (!type.isStruct() || !seen.insert(name_of(type.asStruct())).second) return;
  for (auto field : type.asStruct().getFields()) {
    const auto proto = field.getProto();
    std::string line = fmt::format("{}.{}", name_of(type.asStruct()), proto.getName().cStr());
    if (proto.getDiscriminantValue() != capnp::schema::Field::NO_DISCRIMINANT) line += fmt::format(" member {}", proto.getDiscriminantValue());
    if (proto.isGroup()) {
      lines.push_back(line + " group");
    } else {
      lines.push_back(fmt::format("{} @{} offset {} {}", line, proto.getOrdinal().getExplicit(), proto.getSlot().getOffset(), type_name(field.getType())));
    }
    describe(field.getType(), seen, lines);
  }
}

}  // namespace

std::vector<std::string> every_event() {
  std::vector<std::string> events;
  const auto members = capnp::Schema::from<schema::Event::Body>().getUnionFields();
  for (auto member : members) {
    if (member.getProto().getName() == "unset") continue;
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<schema::Event>();
    event.setSeq(events.size() + 1);
    event.setTime(1'793'534'400'000'000'000 + static_cast<int64_t>(events.size()));
    event.setCommandId("command");
    event.getActor().setKind(schema::Actor::Kind::PERSON);
    event.getActor().setName("alice");
    event.getActor().setProof("test");
    event.setCause(events.size());
    Filler().fill(capnp::toDynamic(event.getBody()), member);
    events.emplace_back(ledger::as_bytes(ledger::canonical_event(event.asReader()).value()));
  }
  return events;
}

std::vector<std::string> every_document() {
  return {filled_document<schema::VariableSet>(), filled_document<schema::OutputManifest>(), filled_document<schema::Environment>(),
          filled_document<schema::JobSources>(), filled_document<schema::CampaignPlan>()};
}

std::string event_text(std::string_view bytes) { return text_of<schema::Event>(bytes); }
std::string document_text(size_t which, std::string_view bytes) {
  switch (which) {
    case 0: return text_of<schema::VariableSet>(bytes);
    case 1: return text_of<schema::OutputManifest>(bytes);
    case 2: return text_of<schema::Environment>(bytes);
    case 3: return text_of<schema::JobSources>(bytes);
    default: return text_of<schema::CampaignPlan>(bytes);
  }
}

std::vector<std::string> schema_lines() {
  std::set<std::string> seen;
  std::vector<std::string> lines;
  describe(capnp::Type::from<schema::Event>(), seen, lines);
  describe(capnp::Type::from<schema::VariableSet>(), seen, lines);
  describe(capnp::Type::from<schema::OutputManifest>(), seen, lines);
  describe(capnp::Type::from<schema::Environment>(), seen, lines);
  describe(capnp::Type::from<schema::JobSources>(), seen, lines);
  describe(capnp::Type::from<schema::CampaignPlan>(), seen, lines);
  return lines;
}

std::string without_later_fields(std::string text, const std::vector<std::string>& frozen) {
  const std::set<std::string> known(frozen.begin(), frozen.end());
  for (const std::string& line : schema_lines()) {
    const size_t dot = line.find('.'), ordinal = line.find(" @");
    if (known.contains(line) || ordinal == std::string::npos || line.find(" member ") != std::string::npos) continue;
    const std::string name = line.substr(dot + 1, ordinal - dot - 1), type = line.substr(line.rfind(' ') + 1);
    std::vector<std::string> values = {"0", "false"};
    for (const std::string& each : schema_lines()) {
      if (each.starts_with(type + ".") && each.ends_with(" = 0")) values.push_back(each.substr(type.size() + 1, each.size() - type.size() - 5));
    }
    for (const std::string& value : values) {
      const std::string shown = ", " + name + " = " + value;
      for (size_t at = text.find(shown); at != std::string::npos; at = text.find(shown, at)) {
        const char after = text[at + shown.size()];
        if (after == ',' || after == ')') {
          text.erase(at, shown.size());
        } else {
          at += shown.size();
        }
      }
    }
  }
  return text;
}

std::string packed(const std::vector<std::string>& records) {
  std::string file;
  for (const std::string& record : records) {
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(record.size() >> shift & 0xFF);
    file += record;
  }
  return file;
}

std::vector<std::string> unpacked(std::string_view file) {
  std::vector<std::string> records;
  while (file.size() >= 4) {
    size_t size = 0;
    for (size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<uint8_t>(file[i]);
    records.emplace_back(file.substr(4, size));
    file.remove_prefix(std::min(file.size(), 4 + size));
  }
  return records;
}

}  // namespace golden
