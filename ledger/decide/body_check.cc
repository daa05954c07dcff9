#include "ledger/decide/body_check.h"

#include <capnp/any.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/decide/checks.h"

namespace ledger {
namespace {

using base::Status;

constexpr uint16_t kNotInUnion = 0xFFFF;  // schema.capnp: Field.noDiscriminant
constexpr size_t kSha256Bytes = 32;

struct StructPlan;

/// What to look at in a value of some type.
struct TypePlan {
  enum class Kind { kNothing, kText, kSha256, kStruct, kList } kind = Kind::kNothing;
  const StructPlan* of_struct = nullptr;       // kStruct
  std::unique_ptr<TypePlan> element = nullptr;  // kList
};

/// A struct's schema, reduced to what is looked at: asking the schema itself for each command would cost more than deciding it.
struct StructPlan {
  struct Member {
    std::string name;
    uint16_t discriminant;  // kNotInUnion, or of the union's member it belongs to
    uint32_t offset;        // of an enumerant in 16 bits, of a pointer in the pointers
    uint16_t standard;      // what an enumerant is combined with
    uint16_t enumerants;
    TypePlan type;            // of a pointer
    const StructPlan* group;  // in the same words
  };
  uint32_t discriminant_offset = 0;  // in 16 bits
  uint16_t union_members = 0;        // 0 = there is no union
  std::vector<Member> enums, pointers, groups;
};

/// Plans made once for each struct. A schema's plan never changes, so each thread keeps its own.
class Plans {
 public:
  const StructPlan& of(capnp::StructSchema schema) {
    auto [at, fresh] = plans_.try_emplace(schema.getProto().getId());
    if (!fresh) return *at->second;
    StructPlan& plan = *(at->second = std::make_unique<StructPlan>());  // before its members: a struct may hold itself
    const auto proto = schema.getProto().getStruct();
    plan.discriminant_offset = proto.getDiscriminantOffset();
    plan.union_members = proto.getDiscriminantCount();
    for (auto field : schema.getFields()) add(plan, field);
    return plan;
  }

 private:
  void add(StructPlan& plan, capnp::StructSchema::Field field) {
    const auto proto = field.getProto();
    StructPlan::Member member{proto.getName().cStr(), proto.getDiscriminantValue(), 0, 0, 0, {}, nullptr};
    if (proto.isGroup()) {
      member.group = &of(field.getType().asStruct());
      plan.groups.push_back(std::move(member));
      return;
    }
    member.offset = proto.getSlot().getOffset();
    if (field.getType().isEnum()) {
      member.standard = proto.getSlot().getDefaultValue().getEnum();
      member.enumerants = static_cast<uint16_t>(field.getType().asEnum().getEnumerants().size());
      plan.enums.push_back(std::move(member));
      return;
    }
    member.type = type_plan(field.getType());
    if (member.type.kind != TypePlan::Kind::kNothing) plan.pointers.push_back(std::move(member));
  }

  TypePlan type_plan(capnp::Type type) {
    if (type.isText()) return {.kind = TypePlan::Kind::kText};
    if (type.isData()) return {.kind = TypePlan::Kind::kSha256};
    if (type.isStruct()) return {.kind = TypePlan::Kind::kStruct, .of_struct = &of(type.asStruct())};
    if (type.isList()) {
      TypePlan element = type_plan(type.asList().getElementType());
      if (element.kind == TypePlan::Kind::kList) throw std::logic_error("lists of lists are not looked into yet");
      return {.kind = TypePlan::Kind::kList, .element = std::make_unique<TypePlan>(std::move(element))};
    }
    return {};
  }

  std::unordered_map<uint64_t, std::unique_ptr<StructPlan>> plans_;
};

/// Where in the body a value stands; put into words only when something is wrong with it.
struct Place {
  const Place* outer;
  std::string_view name;
  std::optional<uint32_t> index = std::nullopt;

  std::string words() const {
    if (!outer) return std::string(name);
    return index ? fmt::format("{}[{}]", outer->words(), *index) : fmt::format("{}.{}", outer->words(), name);
  }
};

class BodyCheck {
 public:
  explicit BodyCheck(size_t text_limit) : text_limit_(text_limit) {}

  Status check(capnp::AnyStruct::Reader value, const StructPlan& plan, const Place& place) const {
    const auto data = value.getDataSection();
    const auto number = [&](uint32_t offset) {
      const size_t at = size_t{2} * offset;
      return static_cast<uint16_t>(at + 1 < data.size() ? data[at] | data[at + 1] << 8 : 0);
    };
    const uint16_t active = plan.union_members > 0 ? number(plan.discriminant_offset) : kNotInUnion;
    if (plan.union_members > 0 && active >= plan.union_members) {
      return refuse(base::Code::kUnsupportedVersion, place.words(),
                    " says something this release does not know; use clients of the same release");
    }
    const auto counts = [&](const StructPlan::Member& member) {
      return member.discriminant == kNotInUnion || member.discriminant == active;
    };
    for (const auto& member : plan.enums) {
      if (!counts(member) || (number(member.offset) ^ member.standard) < member.enumerants) continue;
      return refuse(base::Code::kUnsupportedVersion, Place{&place, member.name}.words(),
                    " has a value this release does not know; use clients of the same release");
    }
    const auto pointers = value.getPointerSection();
    for (const auto& member : plan.pointers) {
      if (!counts(member) || member.offset >= pointers.size() || pointers[member.offset].isNull()) continue;
      LEDGER_CHECK(check(pointers[member.offset], member.type, {&place, member.name}));
    }
    for (const auto& member : plan.groups) {
      if (counts(member)) LEDGER_CHECK(check(value, *member.group, {&place, member.name}));
    }
    return Status::ok();
  }

 private:
  Status check(capnp::AnyPointer::Reader value, const TypePlan& type, const Place& place) const {
    switch (type.kind) {
      case TypePlan::Kind::kNothing: break;
      case TypePlan::Kind::kText: return check_text(view(value.getAs<capnp::Text>()), place);
      case TypePlan::Kind::kSha256: return check_sha256(value.getAs<capnp::Data>().size(), place);
      case TypePlan::Kind::kStruct: return check(value.getAs<capnp::AnyStruct>(), *type.of_struct, place);
      case TypePlan::Kind::kList: return check_list(value, *type.element, place);
    }
    return Status::ok();
  }

  Status check_list(capnp::AnyPointer::Reader value, const TypePlan& element, const Place& place) const {
    const auto list = value.getAs<capnp::AnyList>();
    if (list.size() > kMaxListItems) {
      return invalid(place.words(), fmt::format(" has {} items; at most {} are taken", list.size(), kMaxListItems));
    }
    uint32_t i = 0;
    if (element.kind == TypePlan::Kind::kStruct) {
      for (auto item : list.as<capnp::List<capnp::AnyStruct>>()) {
        LEDGER_CHECK(check(item, *element.of_struct, {&place, {}, i++}));
      }
    } else if (element.kind == TypePlan::Kind::kText) {
      for (auto item : value.getAs<capnp::List<capnp::Text>>()) LEDGER_CHECK(check_text(view(item), {&place, {}, i++}));
    } else if (element.kind == TypePlan::Kind::kSha256) {
      for (auto item : value.getAs<capnp::List<capnp::Data>>()) LEDGER_CHECK(check_sha256(item.size(), {&place, {}, i++}));
    }
    return Status::ok();
  }

  Status check_text(std::string_view text, const Place& place) const {
    if (text.size() > text_limit_)
      return invalid(place.words(), fmt::format(" has {} bytes; at most {} are taken", text.size(), text_limit_));
    if (text.find('\0') != std::string_view::npos) return invalid(place.words(), " holds a NUL character; leave it out");
    if (!base::is_utf8(text)) return invalid(place.words(), " is not UTF-8; convert it first");
    return Status::ok();
  }

  Status check_sha256(size_t size, const Place& place) const {
    if (size == 0 || size == kSha256Bytes) return Status::ok();
    return invalid(place.words(), fmt::format(" has {} bytes; a SHA-256 has {}", size, kSha256Bytes));
  }

  const size_t text_limit_;
};

}  // namespace

Status check_body(capnp::DynamicStruct::Reader body, std::string_view what, size_t text_limit) {
  const uint64_t size = body.totalSize().wordCount * sizeof(capnp::word);
  if (size > kMaxBodyBytes) {
    return invalid(
        what, fmt::format(" has {} bytes; at most {} are taken: say it in fewer words or several commands", size, kMaxBodyBytes));
  }
  thread_local Plans plans;
  return BodyCheck(text_limit).check(body.as<capnp::AnyStruct>(), plans.of(body.getSchema()), {nullptr, what});
}

}  // namespace ledger
