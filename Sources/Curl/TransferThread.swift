import Model
import CCurl
import SystemRuntime

/// One thread for many requests to web servers, and one more for each mail that is under way: a server that is slow or silent
/// keeps neither its caller nor another transfer waiting.
///
/// So many run at once, so many more wait, and what is beyond that is refused. When the last reference goes, all transfers
/// are cancelled and the thread ends.
public final class TransferThread: Sendable {
  private let queue: TransferQueue

  /// Starts the thread; `name` is what ps(1) shows. At most `places` transfers run, at most `capacity` wait.
  public init(_ name: String = "transfers", places: Int = 64, capacity: Int = 1024) throws(CurlError) {
    let queue = try TransferQueue(capacity: max(1, capacity))
    self.queue = queue
    do throws(KernelError) {
      try WorkerThread.start(name) { TransferLoop(queue, places: max(1, places)).run() }
    } catch { throw .noThread("\(error)") }
  }

  deinit { queue.stop() }

  /// Begins a transfer as soon as there is a place, and calls `completion` once, on the thread of transfers: it must not
  /// wait for anything. Its limits of time count from the beginning. Errors: too many wait, or a value cannot be used.
  @discardableResult
  public func submit(
    _ transfer: TransferRequest, completion: @escaping @Sendable (TransferOutcome) -> Void
  ) throws(CurlError) -> TransferID {
    switch transfer {
    case .http(let request): try request.check()
    case .mail(let session): try session.check()
    }
    return try queue.submit(transfer, completion)
  }

  /// Ends a transfer, whose completion is called with `.cancelled` unless it was called already.
  public func cancel(_ id: TransferID) { queue.cancel(id) }

  /// Ends all transfers, and takes no more.
  public func stop() { queue.stop() }
}

/// What the thread of transfers does.
private final class TransferLoop {
  private struct Running {
    let entry: TransferQueue.Entry
    let curl: CurlTransfer
    let start: Instant
    /// What a first attempt said of the certificate.
    let verdict: String?
    /// True for a mail that was cancelled: its thread is about to end it.
    var isCancelled = false
  }

  private let queue: TransferQueue
  private let places: Int
  private var running: [UInt64: Running] = [:]

  init(_ queue: TransferQueue, places: Int) {
    self.queue = queue
    self.places = places
  }

  /// Runs until the queue is stopped.
  func run() {
    while true {
      let work = queue.take(room: places - running.count)
      for entry in work.withdrawn { entry.completion(.cancelled) }
      for number in work.isStopped ? Array(running.keys) : work.cancelled { cancel(number) }
      for (number, code) in work.mails { finish(running.removeValue(forKey: number), code) }
      if work.isStopped, running.isEmpty { return }
      for entry in work.begun { begin(entry) }
      unsafe ccurl_loop_perform(queue.loop)
      finishEnded()
      // What has ended, or was cancelled, has left a place that another may wait for.
      if running.count < places, queue.hasWaiting { continue }
      unsafe ccurl_loop_wait(queue.loop, 60_000)
    }
  }

  private func cancel(_ number: UInt64) {
    guard let entry = running[number]?.entry else { return }
    switch entry.transfer {
    case .http:
      queue.end(number)
      if detach(number) != nil { entry.completion(.cancelled) }
    case .mail:
      if let curl = running[number]?.curl { unsafe ccurl_give_up(curl.pointer) }
      running[number]?.isCancelled = true
    }
  }

  private func begin(_ entry: TransferQueue.Entry) {
    let now = Instant.now
    let (verifies, limit) =
      switch entry.transfer {
      case .http(let request): (request.verification != .none, request.limits.whole)
      case .mail(let session): (session.verifies, session.limits.whole)
      }
    start(entry, verifies: verifies, whole: limit, verdict: nil, at: now)
  }

  private func start(
    _ entry: TransferQueue.Entry, verifies: Bool, whole: Duration, verdict: String?,
    at start: Instant
  ) {
    do throws(CurlError) {
      let curl = try CurlTransfer(entry.number, entry.transfer, verifies: verifies, whole: whole)
      running[entry.number] = Running(entry: entry, curl: curl, start: start, verdict: verdict)
      switch entry.transfer {
      case .http:
        let code = unsafe ccurl_loop_add(queue.loop, curl.pointer)
        guard code == 0 else { throw .noThread("libcurl does not take a transfer.") }
      case .mail: try runMail(entry.number, curl)
      }
    } catch {
      running[entry.number] = nil
      queue.end(entry.number)
      entry.completion(Self.failure(of: entry.transfer, "\(error)"))
    }
  }

  /// Runs a mail on a thread of its own: libcurl waits in it for answers, which would hold up all other transfers.
  private func runMail(_ number: UInt64, _ curl: CurlTransfer) throws(CurlError) {
    // `running` keeps the transfer until its thread has said that it is over.
    nonisolated(unsafe) let pointer = unsafe curl.pointer
    do throws(KernelError) {
      try WorkerThread.start("mail") { [queue] in queue.endMail(number, code: unsafe ccurl_run(pointer)) }
    } catch { throw .noThread("\(error)") }
  }

  private static func failure(of transfer: TransferRequest, _ why: String) -> TransferOutcome {
    switch transfer {
    case .http: .failed(TransferFailure(.unusable, why))
    case .mail: .mail(.permanent(why))
    }
  }

  /// Takes a transfer out of libcurl's loop.
  private func detach(_ number: UInt64) -> Running? {
    guard let ended = running.removeValue(forKey: number) else { return nil }
    unsafe ccurl_loop_remove(queue.loop, ended.curl.pointer)
    return ended
  }

  /// Tells of each transfer that has ended.
  private func finishEnded() {
    var code: CInt = 0
    while case let number = unsafe ccurl_loop_next(queue.loop, &code), number != 0 {
      let ended = detach(number)
      if let ended, tryAgain(ended, after: code) { continue }
      finish(ended, code)
    }
  }

  private func finish(_ ended: Running?, _ code: CInt) {
    guard let ended else { return }
    queue.end(ended.entry.number)
    let outcome = ended.curl.outcome(of: ended.entry.transfer, code: code, verdict: ended.verdict)
    ended.entry.completion(ended.isCancelled && code != CurlCode.ok ? .cancelled : outcome)
  }

  /// A probe that only reports on the certificate asks again without looking at it, within the same time.
  private func tryAgain(_ ended: Running, after code: CInt) -> Bool {
    guard case .http(let request) = ended.entry.transfer, request.verification == .reported,
      code == CurlCode.certificate, ended.verdict == nil
    else { return false }
    let rest = request.limits.whole - (Instant.now - ended.start)
    start(
      ended.entry, verifies: false, whole: max(rest, .milliseconds(1)), verdict: ended.curl.reason(code),
      at: ended.start)
    return true
  }
}
