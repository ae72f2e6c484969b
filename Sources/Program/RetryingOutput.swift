import Model
public import SystemRuntime

/// Standard output of a program that goes on while it cannot be written, as on a full disk: up to 4 MiB wait and are
/// written when that is over.
public struct RetryingOutput {
  private var queue = OutputQueue()
  private var recovery = Recovery<KernelError>()
  private let retries: Bool
  /// How many of `skipped` were said.
  private var saidSkipped: UInt64 = 0
  private let say: (_ text: String, _ isResolved: Bool) -> Void

  /// Makes an output that retries, and otherwise throws. `say` gets a sentence when writing begins to fail, and one when
  /// that is over.
  public init(retries: Bool = true, say: @escaping (_ text: String, _ isResolved: Bool) -> Void) {
    (self.retries, self.say) = (retries, say)
  }

  /// The same, said on standard error.
  public init(retries: Bool = true, _ diagnostics: Diagnostics) {
    self.init(retries: retries) { if $1 { diagnostics.note($0) } else { diagnostics.warning($0) } }
  }

  /// Texts that were left out because no more than 4 MiB wait, since start.
  public var skipped: UInt64 { queue.skipped }

  /// True while it cannot be written: what waits is tried again with the next text, or by `flush`.
  public var isFailing: Bool { recovery.failure != nil }

  /// Adds `text` and writes what the reader takes now; `written` also where it has to wait until writing works again.
  public mutating func write(_ text: consuming [UInt8]) throws(KernelError) -> WriteOutcome {
    queue.add(text)
    return try flush()
  }

  /// Writes what the reader takes now of what waits.
  public mutating func flush() throws(KernelError) -> WriteOutcome {
    do throws(KernelError) {
      let outcome = try queue.flush()
      if outcome != .closed, let since = recovery.succeed() {
        let seconds = (Instant.now - since).components.seconds
        let lost = takeUnsaidSkipped()
        let loss = lost == 0 ? "" : "; \(lost) writes had no room and are lost"
        say("standard output is written again, after \(seconds) s\(loss)", true)
      }
      return outcome
    } catch {
      guard retries else { throw error }
      if recovery.fail(error, at: .now) {
        say("\(error) Up to 4 MiB wait until then, and all else goes on.", false)
      }
      return .written
    }
  }

  /// What a slow reader left no room for, once nothing waits any more and if it was not said before. `what` is what the
  /// texts are, such as records.
  public mutating func takeLossBySlowReader(of what: String) -> String? {
    let lost = takeUnsaidSkipped()
    return lost == 0 ? nil : "\(lost) \(what) had no room, because nobody read them in time: read faster"
  }

  private mutating func takeUnsaidSkipped() -> UInt64 {
    defer { saidSkipped = queue.skipped }
    return queue.skipped - saidSkipped
  }

  /// Writes what waits, for at most `limit`; what is left then is lost. Errors: it cannot be written.
  public mutating func finish(within limit: Duration) throws(KernelError) { try queue.finish(within: limit) }
}
