import Curl
public import Model
import Synchronization
import SystemPackage
public import SystemRuntime

/// Sends reports by mail, each once, over failures of the server, of the network and of this program.
///
/// A report is in its folder until a server has taken it. Where a connection is lost between the end of a mail and the
/// server's answer nobody can know whether it was taken: it is sent again with the same Message-ID, by which servers and
/// programs of mail know that it is the same.
public struct MailService: Sendable {
  private enum Order: Sendable {
    case report(MailReport, isRepetition: Bool, state: [UInt8]?)
    case state([UInt8])
    case reload(MailConfigurations)
    case finish(within: Duration, state: [UInt8]?)
  }

  private enum Happening: Sendable {
    case order(Order)
    case closed
    case ended(String, MailOutcome?)
    case isDue
    case tooLate
  }

  private let orders: AsyncStream<Order>
  private let submitted: AsyncStream<Order>.Continuation
  private let waiting = WaitingCount()
  private let waitingStates = WaitingCount()
  private let configurations: MailConfigurations
  private let path: String?
  private let folder: @Sendable () -> OwnFolder?
  private let host: String
  private let now: @Sendable () -> Timestamp
  private let warn: @Sendable (Warning) -> Void
  var pauses = SpoolSchedule.Pauses()

  /// The most reports that wait for `run` to look at them.
  static let capacity = 1024
  /// The most states that wait for `run` to write them down.
  static let stateCapacity = 16

  /// Makes a service that sends as `configurations` say, and keeps what waits in `folder`; where that is nil, in memory
  /// alone. It is asked for its folder when there is a configuration for the first time; until then nothing is mailed. `host`
  /// stands in each Message-ID, `now` is asked for the times, `warn` is called with what to say.
  public init(
    _ configurations: MailConfigurations, path: String? = nil,
    folder: @escaping @Sendable () -> OwnFolder?, host: String,
    now: @escaping @Sendable () -> Timestamp, warn: @escaping @Sendable (Warning) -> Void
  ) {
    (orders, submitted) = AsyncStream.makeStream(of: Order.self, bufferingPolicy: .unbounded)
    self.configurations = configurations
    self.path = path
    self.folder = folder
    self.host = host
    self.now = now
    self.warn = warn
  }

  /// Takes a report of `stream`, for the mail configuration in the file `configuration`; never waits. Reports of one stream
  /// that wait are sent in one mail, a line feed between; a repetition is left out where one waits. False when so many wait
  /// that this one is not taken. With `state` that is kept as soon as the report is, before it is sent.
  @discardableResult
  public func submit(
    subject: String, body: String, stream: String, configuration: String, isRepetition: Bool = false,
    state: [UInt8]? = nil
  ) -> Bool {
    guard waiting.add(upTo: Self.capacity) else { return false }
    let time = now()
    let random = MessageID.digits(of: [String(UInt64.random(in: .min ... .max))])
    let report = MailReport(
      stream: stream, configuration: configuration, subject: subject, body: body,
      messageID: "\(max(0, time.seconds)).\(random)@\(MessageID.host(host))", created: time)
    submitted.yield(.report(report, isRepetition: isRepetition, state: state))
    return true
  }

  /// Has `state` kept in the folder beside the reports, in place of the one before, for `SpoolFolder.state` of the next start;
  /// never waits. False when so many wait to be written that this one is not taken.
  public func keep(_ state: [UInt8]) -> Bool {
    guard waitingStates.add(upTo: Self.stateCapacity) else { return false }
    submitted.yield(.state(state))
    return true
  }

  /// Sends as `configurations` say from now on; what failed is tried at once.
  public func reload(_ configurations: MailConfigurations) { submitted.yield(.reload(configurations)) }

  /// Has `run` end: what waits has one attempt more as far as `duration` allows, and is in the folder after that. With `state`
  /// that is kept.
  public func finish(within duration: Duration, state: [UInt8]? = nil) {
    submitted.yield(.finish(within: duration, state: state))
    submitted.finish()
  }

  /// Sends until `finish`; to be called once. Where the task is cancelled, it ends at once.
  public func run() async {
    // The folder is this program's own as long as this lives.
    var own: OwnFolder?
    var spool = opened(configurations, &own)
    var deadline: Instant?
    var timer: Instant?
    var isEnding = false
    var transfers = LazyTransfers()
    await withTaskGroup(of: Happening.self) { group in
      group.addTask { await next() }
      // What is in the folder already.
      group.addTask { .isDue }
      while let happening = await group.next() {
        switch happening {
        case .order(let order):
          switch order {
          case .report(let report, let isRepetition, let state):
            spool?.add(report, repetition: isRepetition, state: state)
          case .state(let state): spool?.keep(state)
          case .reload(let new):
            transfers = LazyTransfers()
            if spool == nil { spool = opened(new, &own) } else { spool?.use(new) }
          case .finish(let duration, let state):
            deadline = .now + duration
            spool?.keep(state)
            spool?.restart()
            group.addTask { await sleep(until: .now + duration, then: .tooLate) }
          }
          group.addTask { await next() }
        case .ended(let name, let outcome): spool?.finish(name, outcome, at: .now)
        case .isDue: timer = nil
        case .closed where deadline != nil: break
        case .tooLate, .closed:
          isEnding = true
          group.cancelAll()
        }
        if isEnding { continue }
        while let start = spool?.start(at: .now) {
          let thread = transfers.thread()
          group.addTask {
            .ended(start.entry.name, await send(start.entry.report, start.configuration, by: thread))
          }
        }
        let due = spool?.due(at: .now)
        if let deadline, spool?.isSending != true, due.map({ $0 > deadline }) ?? true {
          isEnding = true
          group.cancelAll()
        } else if let due, timer.map({ due < $0 }) ?? true {
          timer = due
          group.addTask { await sleep(until: due, then: .isDue) }
        }
      }
    }
    spool?.sayWhatIsLost()
    withExtendedLifetime(own) {}
  }

  /// The spool, from the first configuration on.
  private func opened(_ configurations: MailConfigurations, _ own: inout OwnFolder?) -> Spool? {
    if configurations.isEmpty, !hasWaiting { return nil }
    own = folder()
    return Spool(
      files: SpoolFiles(own?.path, warn: warn), configurations: configurations, pauses: pauses, warn: warn)
  }

  /// Whether mails of an earlier run wait: that nothing says any more how to send them is to be said.
  private var hasWaiting: Bool {
    guard let path else { return false }
    do throws(Errno) {
      // It is not made for that.
      _ = try OpenFile(path, isFolder: true)
      return try DurableFolder(path).names().contains { $0.hasSuffix(".waiting") || $0.hasSuffix(".sending") }
    } catch { return false }
  }

  private func send(
    _ report: MailReport, _ configuration: MailConfiguration, by thread: Result<TransferThread, CurlError>
  ) async -> MailOutcome? {
    let transfers: TransferThread
    do throws(CurlError) { transfers = try thread.get() } catch {
      return .transient("\(error)", mayHaveArrived: false)
    }
    let message = report.message(configuration, date: now())
    return await configuration.send(
      message.bytes, to: report.recipients ?? configuration.to, by: transfers)
  }

  private func next() async -> Happening {
    for await order in orders {
      switch order {
      case .report: waiting.remove()
      case .state: waitingStates.remove()
      case .reload, .finish: break
      }
      return .order(order)
    }
    return .closed
  }

  private func sleep(until time: Instant, then happening: Happening) async -> Happening {
    try? await Task.sleep(for: time - .now)
    return happening
  }
}

/// The transfers of all mails, from the first mail on.
private struct LazyTransfers {
  private var started: TransferThread?

  mutating func thread() -> Result<TransferThread, CurlError> {
    if let started { return .success(started) }
    do throws(CurlError) {
      let thread = try TransferThread("mail")
      started = thread
      return .success(thread)
    } catch { return .failure(error) }
  }
}

/// Counts what was submitted and not yet taken, for callers and the service.
private final class WaitingCount: Sendable {
  private let count = Atomic<Int>(0)

  func add(upTo limit: Int) -> Bool {
    if count.add(1, ordering: .relaxed).newValue <= limit { return true }
    remove()
    return false
  }

  func remove() { count.subtract(1, ordering: .relaxed) }
}
