public import Model
public import SystemRuntime
import Synchronization

/// Publishes records to RabbitMQ, and reports each that the broker has confirmed.
///
/// One thread has the connection. It publishes what is submitted at once, keeps each record until it is confirmed, and
/// publishes it again with the same message id where the connection was lost.
public final class RabbitPublisher: RecordSink {
  /// How long what may last.
  public struct Limits: Sendable, Hashable {
    /// Connecting, logging in, a request: each.
    public var connect = Duration.seconds(10)
    /// Without a confirmation while a record waits for one, over as many connections as it takes; nil is for ever.
    public var unconfirmed: Duration? = .seconds(60)
    /// The broker blocks the connection (connection.blocked), as when it lacks memory or disk; nil is for ever.
    public var blocked: Duration? = .seconds(60)
    /// False to fail where the first attempt to connect does; true to try again as after a loss.
    public var waitsForFirst = false

    /// Makes the usual limits, of a program that a timer starts.
    public init() {}
  }

  private let mailbox: PublisherMailbox

  /// Starts the thread, which connects at once. `appID` names the program in each message, and it and `version` to the
  /// broker. Outcomes are reported on the thread: `report` must not wait for anything. Errors: no descriptor or thread was
  /// to be had.
  public init(
    _ configuration: RabbitConfiguration, appID: String, version: String = "", limits: Limits = Limits(),
    report: @escaping @Sendable (RecordOutcome) -> Void
  ) throws(KernelError) {
    let mailbox = try PublisherMailbox()
    self.mailbox = mailbox
    try WorkerThread.start("rabbitmq") {
      PublisherLoop(
        configuration, appID: appID, version: version, limits: limits, mailbox: mailbox, report: report
      )
      .run()
    }
  }

  deinit { mailbox.stop() }

  /// Takes a record to deliver.
  public func submit(_ record: Record, number: UInt64) {
    mailbox.submit(ConfirmWindow.Entry(number: number, record: record))
  }

  /// Ends: the thread closes the connection and goes.
  public func stop() { mailbox.stop() }

  /// Ends, and waits until the thread has closed the connection, but no longer than `limit`: a broker notes who goes without
  /// a word. Only one caller may wait.
  public func stop(waiting limit: Duration) {
    mailbox.stop()
    mailbox.ended.wait(timeout: limit)
    mailbox.interrupt()
  }
}

/// What callers and the thread of a publisher share.
final class PublisherMailbox: Sendable {
  /// What was submitted and not taken yet.
  let inbox: Inbox<ConfirmWindow.Entry>
  /// Used when the thread goes.
  let ended: Waker

  private struct State {
    var isStopped = false
    var connection: RabbitConnection?
  }

  private let state = Mutex(State())

  init() throws(KernelError) {
    inbox = try Inbox()
    ended = try Waker()
  }

  func submit(_ entry: ConfirmWindow.Entry) {
    if !isStopped { inbox.post(entry) }
  }

  func stop() {
    state.withLock { state in
      // Once: the farewell that follows is not to be ended.
      if state.isStopped { return }
      state.isStopped = true
      // The thread may be waiting in it for an answer.
      state.connection?.interrupt()
    }
    inbox.waker.wake()
  }

  /// Ends what the thread waits for, the farewell too.
  func interrupt() { state.withLock { $0.connection?.interrupt() } }

  var isStopped: Bool { state.withLock { $0.isStopped } }

  /// Lets `stop()` interrupt this connection; nil is none.
  func note(_ connection: RabbitConnection?) {
    let isStopped = state.withLock { state in
      state.connection = connection
      return state.isStopped
    }
    if isStopped { connection?.interrupt() }
  }
}
