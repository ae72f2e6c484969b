public import Model
import Synchronization
import SystemPackage
import SystemRuntime

/// What fires, in a file: another start of the program continues with it. What it is the program knows, by `Alert`.
///
/// The program that reports calls `save` and never waits for the disk; `run` writes in a task of its own. Of several that are
/// saved meanwhile the last is written.
public struct FiringFile<Alert: Sendable>: Sendable {
  /// The file as it is to be.
  public struct Content: Sendable {
    /// What is written; nil where nothing fires, and there is to be no file.
    public var bytes: [UInt8]?
    /// What was left out because it has no room; nil for nothing.
    public var omission: Warning?

    /// Makes it.
    public init(bytes: [UInt8]?, omission: Warning? = nil) { (self.bytes, self.omission) = (bytes, omission) }
  }

  /// What fired at the end of the last run.
  public let found: [Alert]

  private static var name: String { "firing.json" }

  private let path: String?
  private let program: String
  /// The folder is this program's own as long as this lives; nil while there is none.
  private let own: OwnFolder?
  /// Another program had the folder at the start.
  private let isTaken: Bool
  private let snapshots: AsyncStream<Content>
  private let saved: AsyncStream<Content>.Continuation
  private let warn: @Sendable (Warning) -> Void
  private let unsaved = Unsaved()

  /// Takes the folder at an absolute `path` for `program` alone, and reads what is there. Where there is none above
  /// it, it is made as soon as something fires; without a `path` nothing is kept. What cannot be used is warned of. `decode` reads
  /// the file; nil for one that is damaged, or of another version.
  public init(
    in path: String?, program: String, decode: ([UInt8]) -> [Alert]?,
    warn: @escaping @Sendable (Warning) -> Void
  ) {
    self.program = program
    self.warn = warn
    (snapshots, saved) = AsyncStream.makeStream(of: Content.self, bufferingPolicy: .bufferingNewest(1))
    guard let path else {
      (self.path, own, isTaken, found) = (nil, nil, false, [])
      return
    }
    do throws(Errno) {
      // It makes none above it.
      _ = try DurableFolder(path)
      own = try OwnFolder(path)
      isTaken = false
      self.path = path
      found = Self.read(path, decode, warn: warn)
    } catch {
      // There is none as long as nothing fires; another one that has it may be about to end.
      let mayCome = error == .noSuchFileOrDirectory || error == .wouldBlock
      (self.path, own, isTaken, found) = (mayCome ? path : nil, nil, error == .wouldBlock, [])
      if error != .noSuchFileOrDirectory { warn(Self.unusable(path, program, error)) }
    }
  }

  /// Whether what was saved last could not be written: then it is to be saved again.
  public var isUnsaved: Bool { unsaved.isSet.load(ordering: .relaxed) }

  /// Has `content` written, in place of that of before; returns at once.
  public func save(_ content: Content) { saved.yield(content) }

  /// Has `run` end when all is written.
  public func finish() { saved.finish() }

  /// Writes what is saved until `finish`; to be called once.
  public func run() async {
    guard let path else { return }
    var own = own
    // Said at the start, where another program has the folder.
    var isFailing = isTaken
    var isIncomplete = false
    for await content in snapshots {
      if let omission = content.omission, !isIncomplete {
        isIncomplete = true
        warn(omission)
      }
      do throws(Errno) {
        if own == nil { own = try OwnFolder(path) }
        let folder = try DurableFolder(path)
        if let bytes = content.bytes {
          try folder.write(bytes, to: Self.name)
          // A file that is removed needs no room, so that it can be does not say that one can be written.
          if isFailing { warn(Self.usable(path)) }
          isFailing = false
        } else {
          try folder.remove(Self.name)
        }
        unsaved.isSet.store(false, ordering: .relaxed)
      } catch {
        if !isFailing { warn(Self.unusable(path, program, error)) }
        isFailing = true
        unsaved.isSet.store(true, ordering: .relaxed)
      }
    }
    withExtendedLifetime(own) {}
  }

  private static func read(
    _ path: String, _ decode: ([UInt8]) -> [Alert]?, warn: (Warning) -> Void
  ) -> [Alert] {
    let why: String
    do throws(Errno) {
      let bytes = try DurableFolder(path).read(name, limit: JSONReader.mostBytes)
      if let alerts = decode(bytes) { return alerts }
      why = "it is damaged, or of another version"
    } catch {
      if error == .noSuchFileOrDirectory { return [] }
      why = "\(error)"
    }
    warn(
      Warning(
        code: "alerts_unreadable",
        text:
          "\(path)/\(name) cannot be read (\(why)): alerts of before are raised again if they still fire. If this is "
          .escapingControlCharacters + "said at every start, remove it."))
    return []
  }

  private static func usable(_ path: String) -> Warning {
    Warning(
      code: "alerts_unkept", text: "what fires is kept in \(path) again.".escapingControlCharacters,
      isResolved: true)
  }

  private static func unusable(_ path: String, _ program: String, _ error: Errno) -> Warning {
    let why = error == .wouldBlock ? "another \(program) has it" : error.description
    return Warning(
      code: "alerts_unkept",
      text:
        "what fires cannot be kept in \(path) (\(why)), so it fires again after a restart: let this program write there, or "
        .escapingControlCharacters + "name another folder with --spool.")
  }
}

/// What the task that writes says to the loop that saves.
private final class Unsaved: Sendable {
  let isSet = Atomic<Bool>(false)
}
