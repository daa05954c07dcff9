#include "ledger/views/files.h"

#include "ledger/views/edit.h"

namespace ledger {
namespace {

/// The row is written anew each time: only the last decision about a file counts.
void put(Rows& rows, std::string_view instrument, schema::RawFile::Reader file, uint64_t run_number, uint64_t seq,
         const schema::Reason::Reader* refusal) {
  SmallMessage message;
  auto row = message.initRoot<schema::FileRow>();
  row.setFile(file);
  row.setRunNumber(run_number);
  row.setSeq(seq);
  if (refusal != nullptr) {
    row.setRefused(true);
    set_decision(row.initReason(), *refusal, seq);
  }
  rows.put(ViewId::kFiles, FilesView::row_key(instrument, view(file.getPath())), built_bytes(message));
}

void put_all(Rows& rows, schema::RunDetected::Reader detected, uint64_t seq) {
  auto run = detected.getRun();
  for (auto file : detected.getFiles()) put(rows, view(run.getInstrument()), file, run.getRunNumber(), seq, nullptr);
}

}  // namespace

void FilesView::fold(schema::Event::Reader event, Rows& rows) const {
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::RUN_DETECTED: return put_all(rows, body.getRunDetected(), event.getSeq());
    case schema::Event::Body::RUN_REVISED: return put_all(rows, body.getRunRevised(), event.getSeq());
    case schema::Event::Body::RUN_ANNOTATED: {
      auto annotated = body.getRunAnnotated();
      if (annotated.getFile().getPath().size() == 0) return;
      return put(rows, view(annotated.getRun().getInstrument()), annotated.getFile(), annotated.getRun().getRunNumber(),
                 event.getSeq(), nullptr);
    }
    case schema::Event::Body::RAW_FILE_REFUSED: {
      auto refused = body.getRawFileRefused();
      auto reason = refused.getReason();
      return put(rows, view(refused.getInstrument()), refused.getFile(), refused.getRunNumber(), event.getSeq(), &reason);
    }
    default: return;
  }
}

}  // namespace ledger
