import Model
import Tstat

/// What is confirmed, onto the disk.
extension SendRun {
  /// Marks what is confirmed as a whole, and records what is confirmed in part.
  mutating func settle() throws(SendFailure) {
    for number in window.takeComplete() {
      guard let entry = open.removeValue(forKey: number) else { continue }
      let isMarked = marks && entry.isWhole ? try mark(entry) : false
      writer.finished(number, entry.directory.directory, isMarked: isMarked)
    }
    try record(all: false)
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

  /// The other side does not take what a message says: its directory is left, and the others go on.
  mutating func leave(_ number: UInt64, _ failure: RecordFailure) throws(SendFailure) {
    guard failure.kind == .data else { throw SendFailure(failure) }
    guard let news = window.refuse(number), let entry = open.removeValue(forKey: news.directory) else {
      return
    }
    hasBadData = true
    writer.error("\(entry.directory.directory.path) is left: \(failure)")
    if keepsProgress, news.acknowledged > 0 { try save(news.acknowledged, of: entry) }
    writer.finished(news.directory, entry.directory.directory, isMarked: false)
  }

  private func save(_ count: Int, of entry: Open) throws(SendFailure) {
    do throws(LogDirectoryError) {
      try entry.directory.save(SendProgress(entry.fingerprint, acknowledged: count))
    } catch {
      guard case .vanished = error else { throw SendFailure(error) }
    }
  }

  mutating func record(all: Bool) throws(SendFailure) {
    for news in window.worthRecording(all: all) {
      if keepsProgress, let entry = open[news.directory] { try save(news.acknowledged, of: entry) }
      window.recorded(news)
    }
  }
}
