import Model
import SystemPackage
import SystemRuntime

/// The reports that wait, one file each in a folder; without a usable folder they are kept in memory alone, and that is
/// said once.
///
/// `NAME.waiting` is a report that no server has seen; `NAME.sending` one that a server may have, as an attempt is under way
/// or ended without an answer. The name changes before the first byte is sent, so that this is known after a crash too.
struct SpoolFiles<Report: SpoolReport> {
  private static var waiting: String { ".waiting" }
  private static var sending: String { ".sending" }
  /// What the program keeps beside the reports, and what could not be read of it.
  static var state: String { "program.state" }
  static var damagedState: String { "program.damaged" }
  /// The longest file: the longest text, each of its bytes as an escape, and the rest.
  private static var mostBytes: Int { JSONReader.mostBytes }

  private let path: String?
  private let folder: DurableFolder?
  private let warn: @Sendable (Warning) -> Void
  /// Which files there are, and their states.
  private var states: [String: String] = [:]
  /// Files of what was sent or dropped that could not be removed: a next start must not send them again.
  private var leftovers: Set<String> = []
  /// Why the folder cannot be used, while it cannot.
  private var failure: Errno?
  private var sequence: UInt64 = 0
  /// Why the program's state on the disk is an older one; nil when it is not.
  private(set) var stateFailure: Errno?

  /// Where it is, for people.
  var place: String { path ?? "memory" }

  /// Opens the folder at `path`, and makes it where there is none.
  init(_ path: String?, warn: @escaping @Sendable (Warning) -> Void) {
    self.path = path
    self.warn = warn
    guard let path else {
      folder = nil
      return
    }
    do throws(Errno) { folder = try DurableFolder(path) } catch {
      folder = nil
      fail(error)
    }
  }

  /// Reads all reports that wait, oldest first. Files that are none are left alone and said once.
  mutating func load() -> [SpoolEntry<Report>] {
    guard let folder else { return [] }
    var entries: [SpoolEntry<Report>] = []
    var foreign: [String] = []
    do throws(Errno) {
      for file in try folder.names() where file != Self.state && file != Self.damagedState {
        guard entries.count < Report.mostEntries, let state = Self.state(of: file),
          let report = Self.report(file, folder)
        else {
          foreign.append(file)
          continue
        }
        let name = String(file.dropLast(state.count))
        // A crash between two names of a file cannot leave both: a rename is one step.
        states[name] = state
        entries.append(SpoolEntry(name: name, report: report, isSealed: state == Self.sending))
      }
    } catch { fail(error) }
    if let first = foreign.first, let path {
      let others = foreign.count > 1 ? " and \(foreign.count - 1) others" : ""
      warn(
        Warning(
          code: "\(Report.words.code)_foreign",
          text:
            "\(path)/\(first)\(others) cannot be read as \(Report.words.plural) that wait: look at them and remove them."
            .escapingControlCharacters))
    }
    // Names of a restart come after those that are there, also when the clock went back.
    sequence =
      entries.compactMap { UInt64($0.name.prefix { $0 != "-" }) }.filter { $0 < 1 << 62 }.max().map { $0 + 1 }
      ?? 0
    return entries
  }

  /// The name of a new report, later in order than all before; to be called after `load`.
  mutating func nextName() -> String {
    defer { sequence += 1 }
    let digits = String(sequence)
    return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
  }

  /// Writes a report, new or changed. False where that failed.
  @discardableResult mutating func store(_ entry: SpoolEntry<Report>) -> Bool {
    let state = entry.isSealed ? Self.sending : Self.waiting
    let isWritten = attempt { folder throws(Errno) in
      try folder.write(entry.report.file, to: entry.name + state)
    }
    guard isWritten else { return false }
    // Where an earlier change of its name failed.
    if let old = states[entry.name], old != state { leftovers.insert(entry.name + old) }
    states[entry.name] = state
    leftovers.remove(entry.name + state)
    if !leftovers.isEmpty { _ = attempt { _ throws(Errno) in } }
    return true
  }

  /// Notes that a server may have the report from now on, or that it certainly has not.
  mutating func mark(_ entry: SpoolEntry<Report>, isSeen: Bool) {
    let new = isSeen ? Self.sending : Self.waiting
    guard let old = states[entry.name] else {
      var entry = entry
      entry.isSealed = isSeen
      store(entry)
      return
    }
    guard old != new else { return }
    let isRenamed = attempt { folder throws(Errno) in
      try folder.rename(entry.name + old, to: entry.name + new)
    }
    if isRenamed { states[entry.name] = new }
  }

  /// Removes the file of a report that was sent or dropped.
  mutating func remove(_ name: String) {
    guard let state = states.removeValue(forKey: name) else { return }
    leftovers.insert(name + state)
    _ = attempt { _ throws(Errno) in }
  }

  /// Whether it is in a file.
  func holds(_ name: String) -> Bool { states[name] != nil }

  /// Writes the program's state, in place of the one before; none has no file.
  mutating func keep(_ state: [UInt8]) {
    let isWritten = attempt { folder throws(Errno) in
      if state.isEmpty {
        try folder.remove(Self.state)
      } else {
        try folder.write(state, to: Self.state)
      }
    }
    stateFailure = isWritten ? nil : failure
  }

  /// How many of these are in no file.
  func countOfUnsaved(_ entries: [SpoolEntry<Report>]) -> Int { entries.count { !holds($0.name) } }

  private static func state(of file: String) -> String? {
    [waiting, sending].first { file.hasSuffix($0) && file.count > $0.count }
  }

  private static func report(_ file: String, _ folder: DurableFolder) -> Report? {
    do throws(Errno) {
      let bytes = try folder.read(file, limit: mostBytes)
      return bytes.count <= mostBytes ? Report(file: bytes) : nil
    } catch { return nil }
  }

  /// Does something with the folder; false where that is not possible, which is said once until it is.
  private mutating func attempt(_ body: (DurableFolder) throws(Errno) -> Void) -> Bool {
    guard let folder else { return false }
    do throws(Errno) {
      // First, as they make room.
      for file in leftovers {
        try folder.remove(file)
        leftovers.remove(file)
      }
      try body(folder)
    } catch {
      fail(error)
      return false
    }
    if failure != nil {
      failure = nil
      warn(
        Warning(
          code: "\(Report.words.code)_unusable",
          text: "\(Report.words.plural) that wait are kept in \(place) again.".escapingControlCharacters,
          isResolved: true))
    }
    return true
  }

  private mutating func fail(_ error: Errno) {
    let isSaid = failure != nil
    failure = error
    if isSaid { return }
    warn(
      Warning(
        code: "\(Report.words.code)_unusable",
        text:
          "the \(Report.words.plural) that wait cannot be kept in \(place.escapingControlCharacters) (\(error.description)), only in memory: "
          + "free space there, and let this program write to it."))
  }
}
