#include "ledger/views/instruments.h"

#include <algorithm>

#include "ledger/views/edit.h"

namespace ledger {
namespace {

/// Calls `change` on the row of `instrument`, if there is one.
template <typename Change>
void for_instrument(Rows& rows, std::string_view instrument, Change&& change) {
  RowEdit<schema::InstrumentRow> row(rows, ViewId::kInstruments, InstrumentsView::row_key(instrument));
  if (!row.found()) return;
  change(*row);
  row.save();
}

void count_run(Rows& rows, std::string_view instrument, uint64_t run_number, bool detected) {
  std::string mark = InstrumentsView::run_mark(instrument, run_number);
  bool fresh = !rows.get(ViewId::kInstruments, mark).has_value();
  if (fresh) rows.put(ViewId::kInstruments, mark, "");
  if (!fresh && !detected) return;
  for_instrument(rows, instrument, [&](schema::InstrumentRow::Builder row) {
    if (fresh) row.setRuns(row.getRuns() + 1);
    if (detected) row.setLastRun(std::max(row.getLastRun(), run_number));
  });
}

void fold_script(schema::Event::Reader event, schema::ScriptRegistered::Reader registered, Rows& rows) {
  std::string_view instrument = view(registered.getInstrument());
  for_instrument(rows, instrument, [&](schema::InstrumentRow::Builder row) {
    row.setScript(registered);
    row.setScriptSeq(event.getSeq());
  });
  capnp::MallocMessageBuilder message;
  auto script = message.initRoot<schema::ScriptRow>();
  script.setSeq(event.getSeq());
  script.setRegisteredAt(event.getTime());
  script.setScript(registered);
  rows.put(ViewId::kInstruments, InstrumentsView::script_key(instrument, event.getSeq()), canonical_bytes(script.asReader()));
}

}  // namespace

std::string InstrumentsView::row_key(std::string_view instrument) { return kind_key('i', text_key(instrument)); }

void InstrumentsView::fold(schema::Event::Reader event, Rows& rows) const {
  using Instrument = schema::InstrumentRow::Builder;
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::INSTRUMENT_CONFIGURED: {
      auto configured = body.getInstrumentConfigured();
      RowEdit<schema::InstrumentRow> row(rows, id(), row_key(view(configured.getInstrument())));
      row->setConfig(configured);
      row->setConfiguredSeq(event.getSeq());
      return row.save();
    }
    case schema::Event::Body::INSTRUMENT_PAUSED: {
      auto paused = body.getInstrumentPaused();
      return for_instrument(rows, view(paused.getInstrument()), [&](Instrument row) {
        row.setPaused(true);
        set_decision(row.initPauseReason(), paused.getReason(), event.getSeq());
        row.setPausedBy(event.getActor().getName());
        row.setPausedAt(event.getTime());
      });
    }
    case schema::Event::Body::INSTRUMENT_RESUMED:
      return for_instrument(rows, view(body.getInstrumentResumed().getInstrument()), [&](Instrument row) {
        row.setPaused(false);
        row.initPauseReason();
        row.setPausedBy("");
        row.setPausedAt(0);
      });
    case schema::Event::Body::SCRIPT_REGISTERED: return fold_script(event, body.getScriptRegistered(), rows);
    case schema::Event::Body::RUN_DETECTED: {
      auto run = body.getRunDetected().getRun();
      return count_run(rows, view(run.getInstrument()), run.getRunNumber(), true);
    }
    case schema::Event::Body::RAW_FILE_REFUSED: {
      auto refused = body.getRawFileRefused();
      if (refused.getRunNumber() == 0) return;
      return count_run(rows, view(refused.getInstrument()), refused.getRunNumber(), false);
    }
    default: return;
  }
}

}  // namespace ledger
