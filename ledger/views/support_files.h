// Support files: what variables' values name, by the content last seen. Rows: schema/row.capnp, SupportFileRow.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"

namespace ledger {

/// Keys of ViewId::kSupportFiles:
///   'f' instrument 00 path 00   -> SupportFileRow
class SupportFilesView final : public View {
 public:
  static std::string prefix(std::string_view instrument);
  static std::string row_key(std::string_view instrument, std::string_view path);

  ViewId id() const override { return ViewId::kSupportFiles; }
  const char* name() const override { return "support_files"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
