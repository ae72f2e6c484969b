import Model
import SystemPackage
import SystemRuntime

/// The records that wait, one file each in a folder; without a usable folder a few are kept in memory, and that is said once.
///
/// A file has the record's text alone. Its name has the rest, `NUMBER.RUN.TIME.EVENT`: the number orders them, and together with
/// that of the run, made at each start, it is the record's own for ever.
struct PublishSpool {
  /// What a name says.
  struct Name: Sendable, Hashable {
    var number: UInt64
    var run: String
    var time: Int64
    var event: PublishedEvent

    /// What all copies of the record have in common, and no other record has.
    var id: String { "\(run)-\(number)" }

    var file: String {
      let digits = String(number)
      let padding = String(repeating: "0", count: max(0, 12 - digits.count))
      return "\(padding)\(digits).\(run).\(time).\(event.rawValue)"
    }

    init(number: UInt64, run: String, time: Int64, event: PublishedEvent) {
      (self.number, self.run, self.time, self.event) = (number, run, time, event)
    }

    /// Reads a name; nil for another's.
    init?(file: String) {
      let parts = file.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 4, parts[0].count == 12, let number = UInt64(parts[0]), let time = Int64(parts[2]),
        let event = PublishedEvent(rawValue: String(parts[3])), parts[1].count == 16,
        parts[1].allSatisfy(\.isHexDigit)
      else { return nil }
      self.init(number: number, run: String(parts[1]), time: time, event: event)
      guard self.file == file else { return nil }
    }
  }

  /// What became of reading a record.
  enum Reading {
    case read(Record)
    /// It may be read later: why not now.
    case later(String)
    case lost
  }

  /// The most records in memory, where the folder cannot be used.
  static let mostInMemory = 256
  /// The longest record that is read.
  private static let mostBytes = 64 << 20
  /// What a file uses of the disk is a multiple of this.
  private static let block = 4096

  private let path: String?
  private let folder: DurableFolder?
  /// The folder is this program's own as long as this lives.
  private let own: OwnFolder?
  private let run: String
  private let warn: @Sendable (Warning) -> Void
  private var next: UInt64 = 0
  private var names: [UInt64: Name] = [:]
  private var inMemory: [UInt64: [UInt8]] = [:]
  /// Files of what has arrived or was dropped that are still there.
  private var leftovers: [String] = []
  private var isFailing = false
  /// False while files were made whose names may not be on the disk.
  private var isSynced = true

  /// Where records wait, for people.
  var place: String { (path ?? "memory").escapingControlCharacters }

  /// Takes the folder at `path`, and makes it where there is none.
  init(_ path: String?, run: String, warn: @escaping @Sendable (Warning) -> Void) {
    (self.run, self.warn) = (run, warn)
    var opened: (OwnFolder, DurableFolder)?
    var why = "as HOME is not set there is no folder"
    if let path {
      do throws(Errno) { opened = (try OwnFolder(path), try DurableFolder(path)) } catch {
        why = "\(path) cannot be used: \(error == .wouldBlock ? "another program has it" : "\(error)")"
      }
    }
    (own, folder) = (opened?.0, opened?.1)
    self.path = opened == nil ? nil : path
    if opened == nil { warn(Self.unusable("\(why). Name another folder with spool= of [publish].")) }
  }

  /// Returns the numbers, kinds and sizes of what waits there from earlier runs, oldest first.
  mutating func load() -> [(number: UInt64, event: PublishedEvent, size: Int)] {
    guard let folder else { return [] }
    var files: [String] = []
    do throws(Errno) { files = try folder.names() } catch { fail(error) }
    let known = files.compactMap(Name.init).sorted { ($0.number, $0.run) < ($1.number, $1.run) }
    var found: [(number: UInt64, event: PublishedEvent, size: Int)] = []
    next = 0
    for name in known {
      // Two runs may have used one number, where the folder of one was another's before: here the second gets the next.
      let number = max(name.number, next)
      names[number] = name
      next = number + 1
      // What cannot be looked at now may be read later.
      found.append((number, name.event, Self.size((try? folder.size(of: name.file)) ?? Self.block)))
    }
    let foreign = files.count - known.count
    if foreign > 0 {
      warn(
        Warning(
          code: "publish_spool_foreign",
          text: "\(foreign) files in \(place) are no records that wait: look at them and remove them."))
    }
    return found
  }

  /// Returns the number of a new record.
  mutating func nextNumber() -> UInt64 {
    defer { next += 1 }
    return next
  }

  /// Writes a record, which is on the disk after `sync()`; false when there is no place for it.
  mutating func store(_ number: UInt64, _ event: PublishedEvent, time: Int64, _ body: [UInt8]) -> Bool {
    let name = Name(number: number, run: run, time: time, event: event)
    let isWritten = attempt { folder throws(Errno) in
      try folder.write(body, to: name.file, namesLater: true)
    }
    if isWritten {
      isSynced = false
    } else {
      guard inMemory.count < Self.mostInMemory else { return false }
      inMemory[number] = body
    }
    names[number] = name
    return true
  }

  /// Waits until what was stored is on the disk.
  mutating func sync() {
    guard !isSynced else { return }
    isSynced = attempt { folder throws(Errno) in try folder.sync() }
  }

  /// Reads a record.
  func record(_ number: UInt64, host: String) -> Reading {
    guard let name = names[number] else { return .lost }
    do throws(Errno) {
      let kept = inMemory[number]
      guard let body = kept == nil ? try read(name.file) : kept else { return .lost }
      return .read(
        Record(
          id: name.id, body: body, time: name.time,
          headers: [Record.Header("x-event", .text(name.event.rawValue))],
          routingKey: name.event.routingKey(host: host)))
    } catch {
      switch error {
      // It is gone, or is a link or no plain file.
      case .noSuchFileOrDirectory, .invalidArgument, .tooManySymbolicLinkLevels: return .lost
      default: return .later(error.description)
      }
    }
  }

  /// The bytes of a file; nil for one that is too long.
  private func read(_ file: String) throws(Errno) -> [UInt8]? {
    guard let folder else { return nil }
    // No more room than the file needs is made for it.
    let size = try folder.size(of: file)
    guard size <= Self.mostBytes else { return nil }
    let bytes = try folder.read(file, limit: size)
    return bytes.count <= size ? bytes : nil
  }

  /// Removes records that have arrived or were dropped; after a crash of the machine some may be there again.
  mutating func remove(_ numbers: [UInt64]) {
    for number in numbers {
      let name = names.removeValue(forKey: number)
      if inMemory.removeValue(forKey: number) == nil, let name { leftovers.append(name.file) }
    }
    guard let folder else { return }
    do throws(Errno) { try clear(folder) } catch { fail(error) }
  }

  /// How many records are in no file.
  var countOfUnsaved: Int { inMemory.count }

  /// What a record of so many bytes uses of the disk.
  static func size(_ bytes: Int) -> Int { max(1, (bytes + block - 1) / block) * block }

  private mutating func clear(_ folder: DurableFolder) throws(Errno) {
    while let file = leftovers.last {
      try folder.remove(file, namesLater: true)
      leftovers.removeLast()
    }
  }

  /// Writes something to the folder; false where that is not possible, which is said once until it is.
  private mutating func attempt(_ body: (DurableFolder) throws(Errno) -> Void) -> Bool {
    guard let folder else { return false }
    do throws(Errno) {
      // First, as it makes room.
      try clear(folder)
      try body(folder)
    } catch {
      fail(error)
      return false
    }
    if isFailing {
      isFailing = false
      warn(
        Warning(
          code: "publish_spool_unusable", text: "what is published waits in \(place) again.", isResolved: true
        ))
    }
    return true
  }

  private mutating func fail(_ error: Errno) {
    guard !isFailing else { return }
    isFailing = true
    warn(
      Self.unusable(
        "\(place) cannot be used (\(error.description)): free space there, and let this program write to it.")
    )
  }

  private static func unusable(_ why: String) -> Warning {
    Warning(
      code: "publish_spool_unusable",
      text:
        "what is published can wait in memory alone, at most \(mostInMemory) records: \(why)"
        .escapingControlCharacters)
  }
}
