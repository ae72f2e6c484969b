import Glibc
import Model
import Netfilter
import Ownership
import SystemRuntime

/// Names the process behind each new connection of short-lived programs, at once, and compares with what they say
/// of themselves.
///
/// BWMON_NETNS names the network namespace of the programs, BWMON_CLIENTS their command line without the namespace.
/// The finder is made outside it: the kernel reports processes only in the host's.
struct OwnersInstrument: Instrument {
  private final class Parts {
    var witness: EarlyAttribution
    let flows: FlowEvents

    init() throws {
      let finder = try OwnerFinder(usesEvents: Environment.value("BWMON_PROCESS_EVENTS") != "0", at: .now)
      if let error = finder.eventError { throw error }
      try NamespaceEntry.enter(Environment.value("BWMON_NETNS") ?? "")
      witness = EarlyAttribution(finder, try SocketLookup(), at: .now)
      flows = try FlowEvents()
    }
  }

  private struct Answer {
    var port: UInt16
    var received: Int64
    var found: Int64 = 0
    var pid: Int32?
    var command: String?
  }

  private let parts: Parts
  /// What was said of each flow; the flow's identifier is its place.
  private var answers: [Answer] = []
  private let clients: [String]
  private let port: UInt16

  init() throws {
    parts = try Parts()
    clients = (Environment.value("BWMON_CLIENTS") ?? "").split(separator: " ").map(String.init)
    port = clients.count > 3 ? UInt16(clients[3]) ?? 0 : 0
  }

  mutating func measure() throws -> [(name: String, value: Double)] {
    let run = try ClientRun(clients)
    answers = []
    var isRunning = true
    var thread = RealTimeThread()
    let cpu = Cost.of {
      while isRunning {
        var waits = [
          pollfd(fd: parts.flows.descriptor, events: Int16(POLLIN), revents: 0),
          pollfd(fd: run.output, events: Int16(POLLIN), revents: 0),
          pollfd(fd: parts.witness.processEventDescriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        let now = Instant.now
        let pause = parts.witness.due(at: now).map { max(0, ($0 - now).inSeconds * 1000).rounded(.up) }
        // In bounds: the array and its count.
        _ = unsafe poll(&waits, 3, CInt(pause ?? 1_000))
        thread.yield(at: .now)
        while let flow = parts.flows.next() { see(flow) }
        parts.witness.idle(at: .now) {
          note($0, $1)
        } isUrgent: { [flows = parts.flows] in
          flows.hasNext
        }
        if waits[1].revents != 0 { isRunning = run.read() }
      }
    }
    return figures(run.reports, cpu)
  }

  private mutating func see(_ tuple: FlowTuple) {
    guard tuple.destination.port == port else { return }
    let reply = FlowTuple(source: tuple.destination, destination: tuple.source, transport: tuple.transport)
    let flow = Flow(
      id: UInt32(answers.count), original: tuple, reply: reply, counters: FlowCounters())
    answers.append(Answer(port: tuple.source.port, received: Self.now()))
    parts.witness.see(flow, at: .now) { note($0, $1) }
  }

  private mutating func note(_ earlyOwner: EarlyOwner, _ description: ProcessDescription?) {
    guard earlyOwner.isClient else { return }
    let place = Int(earlyOwner.flow.id)
    answers[place].found = Self.now()
    answers[place].pid = earlyOwner.process.pid
    answers[place].command = description?.commandLine
  }

  private func figures(_ reports: [ClientRun.Report], _ cpu: Cost) -> [(name: String, value: Double)] {
    let answers = Dictionary(grouping: answers, by: \.port)
    var fromEvent: [Double] = []
    var fromConnect: [Double] = []
    var wrong = 0
    var nameless = 0
    var missed = 0
    for report in reports {
      // The kernel gives a port again after a while.
      guard let answer = answers[report.port]?.first(where: { $0.received >= report.connected }) else {
        missed += 1
        continue
      }
      guard let pid = answer.pid else { continue }
      if pid != report.pid { wrong += 1 }
      if answer.command?.contains("owners") != true { nameless += 1 }
      fromEvent.append(Double(answer.found - answer.received) / 1e3)
      fromConnect.append(Double(answer.found - report.connected) / 1e3)
    }
    let trials = Double(max(reports.count, 1))
    return [
      ("trials", Double(reports.count)), ("named", Double(fromEvent.count) / trials * 100),
      ("wrong", Double(wrong)), ("nameless", Double(nameless)), ("unreported", Double(missed)),
      ("median", Self.quantile(fromEvent, 0.5)), ("p99", Self.quantile(fromEvent, 0.99)),
      ("connect_median", Self.quantile(fromConnect, 0.5)), ("connect_p99", Self.quantile(fromConnect, 0.99)),
      ("cpu", cpu.cpu / trials * 1e3),
    ]
  }

  private static func quantile(_ values: [Double], _ part: Double) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
  }

  private static func now() -> Int64 {
    var time = timespec()
    // The kernel fills the variable it is given.
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
