import Model
public import SystemRuntime

/// Standard output of a program that goes on while it cannot be written, as on a full disk: what has room waits and is
/// written when that is over.
public struct PatientOutput {
  private var queue = OutputQueue()
  private var recovery = Recovery<KernelError>()
  private let isPatient: Bool
  private let say: (_ text: String, _ isResolved: Bool) -> Void

  /// Makes an output whose failures are thrown unless it is patient; then `say` gets a sentence when they begin, and one
  /// when they are over.
  public init(isPatient: Bool = true, say: @escaping (_ text: String, _ isResolved: Bool) -> Void) {
    (self.isPatient, self.say) = (isPatient, say)
  }

  /// Texts that were left out because no more than 4 MiB wait, since start.
  public var skipped: UInt64 { queue.skipped }

  /// True while it cannot be written: what waits is tried again with the next text, or by `flush`.
  public var isFailing: Bool { recovery.failure != nil }

  /// Adds `text` and writes what the reader takes now; `written` also where it has to wait until writing works again.
  public mutating func write(_ text: consuming [UInt8]) throws(KernelError) -> StandardOutput.Outcome {
    queue.add(text)
    return try flush()
  }

  /// Writes what the reader takes now of what waits.
  public mutating func flush() throws(KernelError) -> StandardOutput.Outcome {
    do throws(KernelError) {
      let outcome = try queue.flush()
      if outcome != .closed, let since = recovery.succeed() {
        let seconds = (Instant.now - since).components.seconds
        say("standard output is written again, after \(seconds) s", true)
      }
      return outcome
    } catch {
      guard isPatient else { throw error }
      if recovery.fail(error, at: .now) {
        say("\(error) Up to 4 MiB wait until then, and all else goes on.", false)
      }
      return .written
    }
  }

  /// Writes what waits, for at most `limit`; what is left then is lost. Errors: it cannot be written.
  public mutating func finish(within limit: Duration) throws(KernelError) { try queue.finish(within: limit) }
}
