import Model
import SystemRuntime
import Tstat

/// What is confirmed, onto the disk.
extension SendRun {
  /// Marks what is confirmed as a whole, and records what is confirmed in part.
  mutating func settle() throws(SendFailure) {
    for record in window.takeComplete() {
      guard let entry = open.removeValue(forKey: record.directory) else { continue }
      let isWhole = entry.isWhole && record.refused.isEmpty
      let isMarked = marks && isWhole ? try mark(entry) : false
      // What of it was confirmed is not sent again by each run until its logs are whole.
      if !isWhole { try save(record, of: entry) }
      if record.refused.count > 1 {
        writer.error(
          "\(entry.directory.directory.path): \(record.refused.count) messages in all were refused.")
      }
      writer.finished(record.directory, entry.directory.directory, isMarked: isMarked)
    }
    let isDue = .now - savedAt >= Self.delay
    try record(all: isDue)
    if isDue { savedAt = .now }
  }

  /// Marks a directory, unless its logs have grown since they were read.
  private func mark(_ entry: Open) throws(SendFailure) -> Bool {
    do throws(LogDirectoryError) {
      guard try entry.directory.refreshed().logs == entry.logs else {
        throw .changed(path: entry.directory.directory.path)
      }
      try entry.directory.markProcessed()
      return true
    } catch {
      switch error {
      // It is gone with its logs, or there is more to send: nothing is to be marked.
      case .vanished, .changed: writer.warn("\(error)")
      default: throw SendFailure(error)
      }
      return false
    }
  }

  /// The other side does not take a message: the others go on, and the directory is not marked. A broker that takes one no more
  /// for now takes no other: its run ends.
  mutating func leave(_ number: UInt64, _ failure: RecordFailure) throws(SendFailure) {
    switch failure.kind {
    case .data: hasBadData = true
    case .later where !destination.connectsFirst: isUnfinished = true
    case .later, .configuration: throw SendFailure(failure)
    }
    guard let (number, slice) = window.refuse(number), let entry = open[number] else { return }
    let path = entry.directory.directory.path
    let count = window.refusedCount(of: number)
    if !entry.hasSaidRefusal { writer.error("message \(slice + 1) of \(path) is left out: \(failure)") }
    open[number]?.hasSaidRefusal = true
    guard count > Self.mostRefused, let record = window.drop(number) else { return }
    open[number] = nil
    writer.error("\(path) is left: \(count) messages were refused.")
    try save(record, of: entry)
    writer.finished(number, entry.directory.directory, isMarked: false)
  }

  private func save(_ record: SendWindow.Record, of entry: Open) throws(SendFailure) {
    // Of what was only refused nothing is to be remembered.
    guard keepsProgress, record.acknowledged > record.refused.count else { return }
    do throws(LogDirectoryError) {
      try entry.directory.save(
        SendProgress(entry.fingerprint, acknowledged: record.acknowledged, refused: record.refused))
    } catch {
      guard case .vanished = error else { throw SendFailure(error) }
    }
  }

  mutating func record(all: Bool) throws(SendFailure) {
    for record in window.worthRecording(all: all) {
      if let entry = open[record.directory] { try save(record, of: entry) }
      window.recorded(record)
    }
  }
}
