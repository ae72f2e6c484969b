import SystemRuntime
import Tstat

/// A run: what was found is planned for, removed and said.
struct Cull {
  let root: LogRoot
  let ttl: Int
  let maxBytes: Int64?
  let isDryRun: Bool
  var writer: CullWriter

  /// Whether something could not be removed or looked at.
  private(set) var hasFailed = false
  private var saysLocks = true

  init(root: LogRoot, ttl: Int, maxBytes: Int64?, isDryRun: Bool, writer: CullWriter) {
    self.root = root
    self.ttl = ttl
    self.maxBytes = maxBytes
    self.isDryRun = isDryRun
    self.writer = writer
  }

  /// Removes what is to be removed. Errors: standard output cannot be written.
  mutating func run(_ directories: LogDirectories) throws(KernelError) {
    remark(directories)
    let now = FileTime.now()
    let live = SettleRule.standard.live(among: directories.found, at: now, includesProcessed: true)
    let bytes = maxBytes == nil ? [] : measure(directories.found)
    var plan = CullPlan(
      directories.found, bytes: bytes, live: live, ttlHours: ttl, maxBytes: maxBytes, now: now)
    while let removal = plan.next() {
      if try remove(plan.directories[removal.index], removal.cause) { plan.removed(removal.index) }
    }
    for (index, directory) in plan.directories.enumerated() {
      if let reason = plan.reason(index) { try writer.kept(directory.path, reason) }
    }
    if let maxBytes, plan.totalBytes > maxBytes {
      writer.warn(
        "all log directories together still take \(plan.totalBytes) bytes, more than --max-bytes \(maxBytes): what is left was not "
          + "sent, is still written or could not be removed. See with --verbose which it is.")
    }
    try writer.finish()
  }

  /// Says what was passed over.
  private mutating func remark(_ directories: LogDirectories) {
    for remark in directories.remarks {
      switch remark.reason {
      case .unreadable:
        writer.warn(remark.description)
        // Other folders, such as lost+found, are nobody's logs.
        if remark.path.hasSuffix(".out") { hasFailed = true }
      case .tooDeep, .notText: writer.warn(remark.description)
      case .vanished, .link, .notPlain, .plainTaken: writer.note(remark.description)
      }
    }
    if directories.remarksLeftOut > 0 {
      writer.warn("\(directories.remarksLeftOut) more were passed over.")
    }
  }

  /// What each takes on the disk; one that cannot be looked at counts nothing.
  private mutating func measure(_ directories: [LogDirectory]) -> [Int64] {
    directories.map { directory in
      do throws(LogDirectoryError) { return try DirectoryRemoval.bytes(of: directory, in: root) } catch {
        fails(error)
        return 0
      }
    }
  }

  /// Removes a directory, or only looks in a dry run; returns whether it is gone then.
  private mutating func remove(
    _ directory: LogDirectory, _ cause: CullPlan.Cause
  ) throws(KernelError) -> Bool {
    let removal: DirectoryRemoval
    do throws(LogDirectoryError) { removal = try DirectoryRemoval(of: directory, in: root) } catch {
      fails(error)
      if case .vanished = error { return true }
      return false
    }
    if saysLocks, let missing = removal.missingLock {
      saysLocks = false
      writer.warn("\(missing)")
    }
    writer.begin(directory.path)
    guard !isDryRun else {
      try writer.removed(directory.path, cause, bytes: removal.bytes)
      return true
    }
    let outcome = removal.remove()
    if let failure = outcome.failure {
      fails(failure)
      try writer.failed(directory.path, bytes: outcome.freedBytes, failure)
      return false
    }
    try writer.removed(directory.path, cause, bytes: outcome.freedBytes)
    return true
  }

  private mutating func fails(_ error: LogDirectoryError) {
    if error.passesByItself { return writer.note("\(error)") }
    hasFailed = true
    writer.error(error)
  }
}
