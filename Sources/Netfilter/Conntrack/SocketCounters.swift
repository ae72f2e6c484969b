import Model
import SystemRuntime

/// Counts what the connection table does not: TCP connections that are older than its accounting, by their sockets.
///
/// While a socket lives it is asked for what it has carried; the kernel reports its end (`SocketDestroyEvents`): the
/// only witness of what moved after the last look. That is payload without headers, for sockets of this network
/// namespace. Costs nothing while all flows are counted.
package struct SocketCounters: ~Copyable {
  /// Of so many connections the sockets are asked for, 5 to 10 us each; the others stay uncounted.
  package static let limit = 512

  /// The two ends of a socket, its own first.
  private struct Ends: Hashable {
    package let local: Endpoint
    package let remote: Endpoint
  }

  private var lookup: SocketLookup?
  private var events: SocketDestroyEvents?
  private var known: [FlowIdentity: FlowCounters] = [:]
  private let open: () throws(KernelError) -> SocketDestroyEvents
  private var isUnsupported = false

  /// Times that the kernel could not report an end, or the living, since start.
  package private(set) var losses: UInt64 = 0

  /// Asks nothing before there are flows to complete; `open` subscribes to the events of ends.
  package init(
    open: @escaping () throws(KernelError) -> SocketDestroyEvents = { () throws(KernelError) in
      try SocketDestroyEvents()
    }
  ) {
    self.open = open
  }

  /// Sets the counters of the living `flows` that have none; they never fall. Where the kernel does not report sockets,
  /// they stay as they are, which `Preflight` says; what fails now and then is a loss.
  package mutating func complete(_ flows: inout [Flow]) {
    guard !isUnsupported else { return }
    do throws(KernelError) { try ask(&flows) } catch {
      for index in flows.indices where !flows[index].isCounted {
        flows[index].counters = known[flows[index].identity] ?? FlowCounters()
      }
      lookup = nil
      events = nil
      switch error {
      case .unsupported, .notPermitted: isUnsupported = true
      default: losses += 1
      }
    }
  }

  private mutating func ask(_ flows: inout [Flow]) throws(KernelError) {
    let uncounted = flows.indices.filter { !flows[$0].isCounted && flows[$0].original.transport == .tcp }
    guard !uncounted.isEmpty else {
      lookup = nil
      events = nil
      known = [:]
      return
    }
    // Before the sockets are asked for: one that ends in between is reported the next time.
    let ended = try takeEnded()
    var room = Self.limit - known.count
    var next: [FlowIdentity: FlowCounters] = [:]
    for index in uncounted {
      let flow = flows[index]
      let key = flow.identity
      if known[key] == nil { room -= 1 }
      guard var counters = known[key] ?? (room >= 0 ? FlowCounters() : nil) else { continue }
      let client = try carried(flow.original, ended)
      let server = client == nil ? try carried(flow.reply, ended)?.reversed : nil
      if let usage = client ?? server {
        counters.originalBytes = max(counters.originalBytes, usage.sent)
        counters.replyBytes = max(counters.replyBytes, usage.received)
      }
      flows[index].counters = counters
      next[key] = counters
    }
    known = next
  }

  /// What the sockets that ended since the last call had carried.
  private mutating func takeEnded() throws(KernelError) -> [Ends: Usage] {
    if events == nil { events = try open() }
    let before = events?.losses ?? 0
    var ended: [Ends: Usage] = [:]
    _ = try events?.receive(limit: .max) { ended[Ends(local: $0.local, remote: $0.remote)] = $0.payload }
    losses += (events?.losses ?? 0) - before
    return ended
  }

  /// What the socket that sends `tuple` has carried; nil where there is none.
  private mutating func carried(
    _ tuple: FlowTuple, _ ended: [Ends: Usage]
  ) throws(KernelError) -> Usage? {
    if lookup == nil { lookup = try SocketLookup() }
    let living = try lookup?.socket(.tcp, local: tuple.source, remote: tuple.destination, wantsPayload: true)
    return living?.payload ?? ended[Ends(local: tuple.source, remote: tuple.destination)]
  }
}
