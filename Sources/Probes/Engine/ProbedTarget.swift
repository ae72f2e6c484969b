import Model
import SystemRuntime

/// A job, and how far its probes are.
///
/// A class, because several of its parts change with each message: a value in a dictionary is copied in and out for each.
final class ProbedTarget {
  /// The kinds of probes that have deadlines of their own; `wakes` has room for so many.
  enum Kind: UInt8, Sendable, CaseIterable { case ping, trace, scan, connect }

  // What each message touches stands together and first: of thousands of targets none is in the processor's cache.

  /// What its tokens have.
  let number: UInt32
  let family: EchoSocket.Family
  /// What is asked for with each request, out of the job.
  let address: IPAddress
  let zone: UInt32
  let payload: Int
  /// When each kind is to be looked at, as the deadline queue has it: another entry is out of date.
  private var wakes = InlineArray<4, Instant?>(repeating: nil)
  var ping: PingSchedule?
  let job: ProbeJob
  var trace: TraceSchedule?
  var scan: ScanSchedule?
  var connect: ConnectSchedule?

  /// Prepares the probes of `job`. `start` says when rounds begin of which one comes each so long, and of which so many targets
  /// may begin in a second.
  init(_ number: UInt32, _ job: ProbeJob, start: (Duration?, Int) -> Instant) {
    self.number = number
    self.job = job
    address = job.target.address
    zone = job.zone
    payload = job.ping?.payload ?? 0
    family = EchoSocket.Family(of: job.target.address)
    ping = job.ping.map { PingSchedule($0, start: start($0.interval, 1000)) }
    trace = job.trace.map { TraceSchedule($0, start: start($0.interval, 100)) }
    scan = job.scan.map { ScanSchedule($0, start: start($0.interval, 100)) }
    connect = job.connect.map { ConnectSchedule($0, start: start($0.interval, 100)) }
  }

  /// When `kind` is to be looked at; nil when nothing is left to do.
  func wake(_ kind: Kind) -> Instant? {
    switch kind {
    case .ping: ping?.wake
    case .trace: trace?.wake
    case .scan: scan?.wake
    case .connect: connect?.wake
    }
  }

  /// True when `kind` is to be looked at `time` and at no other.
  func isDue(_ kind: Kind, at time: Instant) -> Bool { wakes[Int(kind.rawValue)] == time }

  /// Takes note that `kind` is to be looked at `time`; returns false when that was so before.
  func setWake(_ kind: Kind, to time: Instant?) -> Bool {
    guard wakes[Int(kind.rawValue)] != time else { return false }
    wakes[Int(kind.rawValue)] = time
    return true
  }

  /// The token of a request.
  func token(_ part: EchoTokenPart) -> EchoToken {
    EchoToken(target: number, round: part.round, number: part.number)
  }

  /// Begins no round any more; those that run go on.
  func finish() {
    ping?.finish()
    trace?.finish()
    scan?.finish()
    connect?.finish()
  }

  /// True when nothing is left to do.
  var isOver: Bool { Kind.allCases.allSatisfy { wake($0) == nil } }
}
