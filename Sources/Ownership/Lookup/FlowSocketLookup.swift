import Model
import Netfilter

/// The sockets that a new flow may have: of this network namespace, and where that is wanted of others.
struct FlowSocketLookup: ~Copyable {
  /// A socket with an end of a flow.
  struct Found {
    var socket: SocketEntry
    /// True for one of another network namespace.
    var isElsewhere: Bool
    /// How sure it is that no other has this end.
    var match = Certainty.Match.exact
  }

  /// Flows that are looked at again after the next look which namespaces there are.
  static let capacity = 256

  /// Flows that there was no room for and that a new namespace may have had, since start; what a router passes on is
  /// not missed.
  private(set) var dropped: UInt64 = 0
  /// Answers that could not be understood, since start.
  var malformed: UInt64 {
    let others = elsewhere?.malformed ?? 0
    switch here {
    case .some(let lookup): return lookup.malformed + others
    case .none: return others
    }
  }
  private var surplus: UInt64 = 0
  // Nil where this kernel or a sandbox has no diagnostics.
  private var here: SocketLookup?
  private let elsewhere: NamespaceSockets?
  private var strangers: [Flow] = []

  init(_ here: consuming SocketLookup?, _ elsewhere: NamespaceSockets?) {
    self.here = here
    self.elsewhere = elsewhere
  }

  /// The socket with this end of a flow; nil when there is none or it cannot be asked for.
  mutating func held(_ tuple: FlowTuple, at now: Instant) -> Found? {
    if let answer = try? here?.socket(tuple.transport, local: tuple.source, remote: tuple.destination) {
      return Found(socket: answer.socket, isElsewhere: false)
    }
    guard let elsewhere, let socket = elsewhere.socket(tuple, at: now) else { return nil }
    return Found(socket: socket, isElsewhere: true, match: elsewhere.isComplete ? .exact : .relaxed)
  }

  /// The TCP socket of this network namespace that listens at this end.
  mutating func listener(_ tuple: FlowTuple) -> SocketEntry? {
    guard tuple.transport == .tcp else { return nil }
    return (try? here?.listener(at: tuple.source))?.socket
  }

  /// True when a TCP socket listens at this end.
  mutating func isListening(_ tuple: FlowTuple, at now: Instant) -> Bool {
    guard tuple.transport == .tcp else { return false }
    return listener(tuple) != nil || elsewhere?.isListening(at: tuple.source, at: now) ?? false
  }

  /// Notes a flow of which no socket was found: a namespace that is not known yet may have it.
  mutating func noteStranger(_ flow: Flow) {
    guard elsewhere?.mayHave(flow) ?? false else { return }
    if strangers.count < Self.capacity { strangers.append(flow) } else { surplus += 1 }
  }

  /// When `strangers(at:)` has something to do; nil when it has not.
  var due: Instant? {
    let refresh = strangers.isEmpty ? nil : elsewhere?.nextRefresh
    return [refresh, elsewhere?.nextRelease].compactMap(\.self).min()
  }

  /// Looks which namespaces there are if that is due and needed, and returns the flows to be looked at again; closes
  /// what was not used for a while.
  mutating func strangers(at now: Instant) -> [Flow] {
    elsewhere?.release(at: now)
    guard !strangers.isEmpty, let refresh = elsewhere?.nextRefresh, now >= refresh else { return [] }
    elsewhere?.refresh(at: now)
    if elsewhere?.foundNew == true { dropped += surplus }
    defer { (strangers, surplus) = ([], 0) }
    return strangers
  }
}
