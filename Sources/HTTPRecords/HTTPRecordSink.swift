public import Curl
public import Model
import SystemRuntime

/// Posts records to a web server, each until the server has said that it has it.
///
/// A record whose answer was lost is posted again with the same Idempotency-Key, by which the server knows that it is the
/// same. A thread of its own decides what is posted when; another one posts.
public final class HTTPRecordSink: RecordSink {
  /// How it goes about it.
  public struct Options: Sendable, Hashable {
    /// How long nothing may be delivered before it gives up; nil to go on for ever.
    public var patience: Duration? {
      get { limits.patience }
      set { limits.patience = newValue }
    }
    /// Whether a server that nobody has reached yet is waited for as well; else the first refused connection is the end.
    public var waitsForFirst: Bool {
      get { limits.waitsForFirst }
      set { limits.waitsForFirst = newValue }
    }
    /// The most records that are under way at once, each by a connection of its own.
    public var connections = 16
    var limits = PostSchedule.Limits()

    /// The usual ones.
    public init() {}
  }

  private let inbox: Inbox<PostLoop.Event>
  private let reporter: Reporter<RecordOutcome>

  /// Starts its threads. What comes of the records is passed to `report`, in turn, on a thread of the sink. Errors: a
  /// thread or descriptor was not to be had.
  public init(
    _ configuration: HTTPRecordsConfiguration, options: Options = Options(),
    report: @escaping @Sendable (RecordOutcome) -> Void
  ) throws(CurlError) {
    let connections = max(1, options.connections)
    let transfers = try TransferThread("http", places: connections, capacity: connections)
    let reporter = Reporter(report)
    do throws(KernelError) {
      let inbox = try Inbox<PostLoop.Event>()
      (self.inbox, self.reporter) = (inbox, reporter)
      let schedule = PostSchedule(limits: options.limits, places: connections)
      try WorkerThread.start("http records") {
        var loop = PostLoop(configuration, schedule, transfers, inbox, reporter)
        loop.run()
      }
    } catch { throw .noThread("\(error)") }
  }

  deinit { stop() }

  /// Takes a record to deliver, and returns at once. Numbers must grow: the oldest is posted first.
  public func submit(_ record: Record, number: UInt64) { inbox.post(.submitted(record, number)) }

  /// Ends at once. It waits until a report that is being made is over, so it must not be called by what is reported to.
  public func stop() {
    reporter.close()
    inbox.post(.stopped)
  }
}

/// What the thread of a sink does.
struct PostLoop {
  enum Event: Sendable {
    case submitted(Record, UInt64)
    case ended(UInt64, TransferOutcome)
    case stopped
  }

  private let configuration: HTTPRecordsConfiguration
  private let transfers: TransferThread
  private let inbox: Inbox<Event>
  private let reporter: Reporter<RecordOutcome>
  private var schedule: PostSchedule
  private var records: [UInt64: Record] = [:]

  init(
    _ configuration: HTTPRecordsConfiguration, _ schedule: PostSchedule, _ transfers: TransferThread,
    _ inbox: Inbox<Event>, _ reporter: Reporter<RecordOutcome>
  ) {
    (self.configuration, self.schedule, self.transfers) = (configuration, schedule, transfers)
    (self.inbox, self.reporter) = (inbox, reporter)
  }

  /// Posts until the sink is stopped or has failed.
  mutating func run() {
    defer { transfers.stop() }
    while true {
      inbox.waker.wait(timeout: schedule.due.map { max(.zero, $0 - .now) })
      for event in inbox.take() {
        guard take(event) else { return }
      }
      while let number = schedule.start(at: .now) {
        guard post(number) else { return }
      }
    }
  }

  /// False at the end.
  private mutating func take(_ event: Event) -> Bool {
    switch event {
    case .stopped: return false
    case .submitted(let record, let number):
      records[number] = record
      schedule.add(number)
      return true
    case .ended(let number, .http(let response)):
      return finish(
        number, HTTPVerdict(response, server: configuration.server, section: configuration.section))
    case .ended(let number, .failed(let failure)):
      return finish(
        number, HTTPVerdict(failure, server: configuration.server, section: configuration.section))
    // The thread that posts has ended before this one.
    case .ended(_, .cancelled), .ended(_, .mail): return fail()
    }
  }

  private mutating func finish(_ number: UInt64, _ verdict: HTTPVerdict) -> Bool {
    for action in schedule.finish(number, verdict, at: .now) {
      switch action {
      case .delivered(let number):
        records[number] = nil
        reporter.tell(.delivered(number))
      case .refused(let number, let failure):
        records[number] = nil
        reporter.tell(.refused(number, failure))
      case .notice(let text): reporter.tell(.notice(text))
      case .failed(let failure):
        reporter.tell(.failed(failure))
        return false
      }
    }
    return true
  }

  /// Says that nothing more is posted though nobody has ended this sink.
  private func fail() -> Bool {
    reporter.tell(.failed(RecordFailure(.later, "the thread that posts records has ended: try again.")))
    return false
  }

  private mutating func post(_ number: UInt64) -> Bool {
    guard let record = records[number] else { return true }
    guard record.body.count <= HTTPRequest.mostSent else {
      let text =
        "a record has \(record.body.count) bytes, and at most \(HTTPRequest.mostSent) are posted: leave it out."
      return finish(number, .refused(RecordFailure(.data, text)))
    }
    do throws(CurlError) {
      try transfers.submit(.http(configuration.request(for: record))) { [inbox] outcome in
        inbox.post(.ended(number, outcome))
      }
      return true
    } catch {
      switch error {
      case .stopped: return fail()
      case .full, .noThread: return finish(number, .busy("no connection can be made (\(error))", after: nil))
      case .unusable(let what):
        return finish(number, .ended(RecordFailure(.configuration, "a record cannot be posted: \(what)")))
      }
    }
  }
}
