import Glibc
import Kernel
import Model

/// Names the process behind each new connection of short-lived programs, at once, and compares with what they say
/// of themselves.
///
/// BWMON_NETNS names the network namespace of the programs, BWMON_CLIENTS their command line without the namespace.
/// The finder is made outside it: the kernel tells of processes only in the host's.
struct OwnersInstrument: Instrument {
  private final class Parts {
    var finder: OwnerFinder
    var lookup: SocketLookup
    let flows: FlowNews

    init() throws {
      let usesNews = Environment.value("BWMON_NEWS") != "0"
      finder = try OwnerFinder(usesNews: usesNews, at: .now)
      if let error = finder.newsError { throw error }
      try NamespaceEntry.enter(Environment.value("BWMON_NETNS") ?? "")
      lookup = try SocketLookup()
      flows = try FlowNews()
      _ = PromptThread.prepare()
    }
  }

  private struct Answer {
    var heard: Int64
    var found: Int64
    var pid: Int32?
    var command: String?
    var hadInode: Bool
  }

  /// A socket that the short search did not find.
  private struct Pending {
    var flow: FlowTuple
    var socket: SocketEntry
    // Where its answer stands among those of its port.
    var index: Int
  }

  private let parts: Parts
  private var pending: [Pending] = []
  private let clients: [String]
  private let port: UInt16

  init() throws {
    parts = try Parts()
    clients = (Environment.value("BWMON_CLIENTS") ?? "").split(separator: " ").map(String.init)
    port = clients.count > 3 ? UInt16(clients[3]) ?? 0 : 0
  }

  mutating func measure() throws -> [(name: String, value: Double)] {
    let run = try ClientRun(clients)
    var answers: [UInt16: [Answer]] = [:]
    var isRunning = true
    var hasMore = false
    let cpu = try Cost.of {
      while isRunning {
        var waits = [
          pollfd(fd: parts.flows.descriptor, events: Int16(POLLIN), revents: 0),
          pollfd(fd: run.output, events: Int16(POLLIN), revents: 0),
          pollfd(fd: parts.finder.eventDescriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        // In bounds: the array and its count.
        _ = unsafe poll(&waits, 3, hasMore || !pending.isEmpty ? 0 : 1_000)
        while let flow = parts.flows.next() { try answer(flow, &answers) }
        if hasMore || waits[2].revents != 0 {
          hasMore = parts.finder.handleProcessEvents(limit: 1)
        } else if let next = pending.popLast() {
          searchAll(next, &answers)
        }
        if waits[1].revents != 0 { isRunning = run.read() }
      }
    }
    return figures(run.reports, answers, cpu)
  }

  private func searchAll(_ pending: Pending, _ answers: inout [UInt16: [Answer]]) {
    let parts = parts
    let owner = parts.finder.owner(ofInode: pending.socket.inode, uid: pending.socket.uid, at: .now) {
      guard !parts.flows.hasNext else { return false }
      let again = try? parts.lookup.socket(
        .tcp, local: pending.flow.source, remote: pending.flow.destination)
      return again?.socket.inode == pending.socket.inode
    }?.owner
    guard let owner else { return }
    let port = pending.flow.source.port
    answers[port]?[pending.index].pid = owner.pid
    answers[port]?[pending.index].found = Self.now()
    answers[port]?[pending.index].command = parts.finder.description(of: owner)?.commandLine
  }

  private mutating func answer(_ flow: FlowTuple, _ answers: inout [UInt16: [Answer]]) throws {
    guard flow.destination.port == port else { return }
    let heard = Self.now()
    parts.finder.glimpse()
    let found = try parts.lookup.socket(.tcp, local: flow.source, remote: flow.destination)
    let owner = found.flatMap {
      parts.finder.owner(ofInode: $0.socket.inode, uid: $0.socket.uid)?.owner
    }
    let time = Self.now()
    if owner == nil, let found, found.socket.inode != 0 {
      let index = answers[flow.source.port]?.count ?? 0
      pending.append(Pending(flow: flow, socket: found.socket, index: index))
    }
    let answer = Answer(
      heard: heard, found: time, pid: owner?.pid,
      command: owner.flatMap { parts.finder.description(of: $0)?.commandLine },
      hadInode: found.map { $0.socket.inode != 0 } ?? false)
    answers[flow.source.port, default: []].append(answer)
  }

  private func figures(
    _ reports: [ClientRun.Report], _ answers: [UInt16: [Answer]], _ cpu: Cost
  ) -> [(name: String, value: Double)] {
    var fromEvent: [Double] = []
    var fromConnect: [Double] = []
    var wrong = 0
    var nameless = 0
    var unheard = 0
    var closed = 0
    for report in reports {
      // The kernel gives a port again after a while.
      guard let answer = answers[report.port]?.first(where: { $0.heard >= report.connected }) else {
        unheard += 1
        continue
      }
      guard let pid = answer.pid else {
        if !answer.hadInode { closed += 1 }
        continue
      }
      if pid != report.pid { wrong += 1 }
      if answer.command?.contains("owners") != true { nameless += 1 }
      fromEvent.append(Double(answer.found - answer.heard) / 1e3)
      fromConnect.append(Double(answer.found - report.connected) / 1e3)
    }
    let trials = Double(max(reports.count, 1))
    return [
      ("trials", Double(reports.count)), ("named", Double(fromEvent.count) / trials * 100),
      ("wrong", Double(wrong)), ("nameless", Double(nameless)), ("unheard", Double(unheard)),
      ("closed", Double(closed)),
      ("median", Self.quantile(fromEvent, 0.5)), ("p99", Self.quantile(fromEvent, 0.99)),
      ("connect_median", Self.quantile(fromConnect, 0.5)), ("connect_p99", Self.quantile(fromConnect, 0.99)),
      ("cpu", cpu.cpu / trials * 1e3), ("looks", Double(parts.finder.looks)),
      ("cut", Double(parts.finder.counters.cutShort)), ("lost", Double(parts.finder.counters.lostNews)),
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
