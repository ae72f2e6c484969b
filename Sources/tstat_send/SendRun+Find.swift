import Model
import Program
import SystemRuntime
import Tstat

/// What is to be sent, and what is passed over.
extension SendRun {
  /// The directories that are to be sent now.
  mutating func find() throws(SendFailure) -> [LogDirectory] {
    let found: LogDirectories
    do throws(LogDirectoryError) { found = try LogDirectories(below: root) } catch {
      throw SendFailure(error)
    }
    let unfinished = remark(found)
    let live = SettleRule(command.settle.duration).live(among: found.found, at: .now())
    for directory in found.found where directory.hasLeftProgress && marks { clean(directory) }
    return found.found.enumerated().compactMap { index, directory in
      if directory.isProcessed || unfinished.contains(directory.path) { return nil }
      guard let reason = live[index] else { return directory }
      writer.live(directory, reason)
      return nil
    }
  }

  /// Removes the state file that a run left which was killed after it had set the mark.
  private func clean(_ directory: LogDirectory) {
    do throws(LogDirectoryError) { try OpenLogDirectory(directory, in: root).removeProgress() } catch {
      writer.note("\(error)")
    }
  }

  /// Says what was passed over; returns the directories with a log that is a link or no file at all.
  private mutating func remark(_ found: LogDirectories) -> Set<String> {
    let processed = Set(found.found.lazy.filter(\.isProcessed).map(\.path))
    var unfinished: Set<String> = []
    for remark in found.remarks {
      let isOfDirectory = remark.path.hasSuffix(".out")
      let folder = String(remark.path[..<(remark.path.lastIndex(of: "/") ?? remark.path.startIndex)])
      switch remark.reason {
      case .unreadable where isOfDirectory: hasBadData = true
      case .link where !isOfDirectory, .notPlain, .plainTaken:
        // It was said before that was sent.
        guard !processed.contains(folder) else { continue }
        if remark.reason != .plainTaken {
          hasBadData = true
          unfinished.insert(folder)
        }
      default: break
      }
      writer.remark(remark)
    }
    if found.remarksLeftOut > 0 { writer.warn("\(found.remarksLeftOut) more were passed over.") }
    return unfinished
  }
}
