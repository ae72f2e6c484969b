public import Model
import SystemPackage
public import SystemRuntime

/// Where webhooks wait on the disk.
public struct WebhookSpool: Sendable {
  private let path: String?
  let folder: @Sendable () -> OwnFolder?
  let now: @Sendable () -> Timestamp

  /// Has them wait in `folder`, which is asked for when there is one at `path`, or a section has a webhook for the first time;
  /// where it is nil, in memory alone. `now` is asked for the times.
  public init(
    path: String? = nil, folder: @escaping @Sendable () -> OwnFolder?,
    now: @escaping @Sendable () -> Timestamp
  ) {
    self.path = path
    self.folder = folder
    self.now = now
  }
}

extension WebhookSpool {
  /// True where an earlier run has made the folder: some may wait there.
  var isThere: Bool {
    guard let path else { return false }
    do throws(Errno) {
      _ = try OpenFile(path, isFolder: true)
      return true
    } catch { return false }
  }
}

/// The deliveries of a queue that wait, run or pause, each in a file as well, until it has ended for good.
struct DeliverySpool {
  private var files: SpoolFiles<WaitingNotification>
  /// After how many attempts each was written.
  private var attempts: [String: Int] = [:]
  /// The folder is this program's own as long as this lives.
  private let own: OwnFolder?
  private let now: @Sendable () -> Timestamp

  /// Takes the folder.
  init(_ spool: WebhookSpool, warn: @escaping @Sendable (Warning) -> Void) {
    own = spool.folder()
    files = SpoolFiles(own?.path, warn: warn)
    now = spool.now
  }

  /// Reads what waits from an earlier run, oldest first: by which name, and how long ago its last attempt ended.
  mutating func load() -> [(name: String, waiting: WaitingNotification, passed: Duration)] {
    let time = now()
    return files.load().map { entry in
      attempts[entry.name] = entry.report.attempts
      // The wall clock may have been set back.
      let passed = Duration.seconds(max(0, time.seconds - entry.report.written.seconds))
      return (entry.name, entry.report, passed)
    }
  }

  /// A delivery with the name of its file.
  mutating func named(_ pending: PendingDelivery) -> PendingDelivery {
    var pending = pending
    pending.name = files.nextName()
    return pending
  }

  /// Whether a delivery is on the disk.
  func holds(_ pending: PendingDelivery) -> Bool { files.holds(pending.name) }

  /// Writes those of `deliveries` that are new or were tried again, and removes the files of all others.
  mutating func keep(_ deliveries: [PendingDelivery]) {
    let names = Set(deliveries.map(\.name))
    // First, as they make room.
    for name in attempts.keys where !names.contains(name) {
      attempts[name] = nil
      files.remove(name)
    }
    for pending in deliveries where attempts[pending.name] != pending.attempts || !holds(pending) {
      write(pending)
    }
  }

  /// Leaves the file of a delivery for the next start, after an attempt more.
  mutating func leave(_ pending: PendingDelivery) {
    if attempts[pending.name] != pending.attempts { write(pending) }
    attempts[pending.name] = nil
  }

  private mutating func write(_ pending: PendingDelivery) {
    attempts[pending.name] = pending.attempts
    let report = WaitingNotification(
      notification: pending.notification, attempts: pending.attempts, written: now())
    files.store(SpoolEntry(name: pending.name, report: report))
  }
}
