import Model
import SystemPackage
import SystemRuntime

/// What this host lacks to ask a service: it says nothing of the service. Does no I/O.
enum ServiceShortage: Sendable, Hashable {
  /// A system call failed for want of descriptors or memory.
  case means(Errno)
  /// The same for a hop of a trace by UDP.
  case hops(Errno)
  /// All local ports towards the service are in use.
  case ports
  /// So many are asked at a time that its turn did not come in time.
  case turn
  /// What asks web servers cannot begin: why, and what to do.
  case transfers(String)

  /// The shortage that `error` stands for; nil where it tells of the way or of the peer. `hasSource` says whether this host has an
  /// address to send from: without one, EADDRNOTAVAIL means that (ip(7), ipv6(7)).
  init?(_ error: Errno, hasSource: () -> Bool) {
    if error.isShortage {
      self = .means(error)
    } else if error == .addressNotAvailable, hasSource() {
      self = .ports
    } else {
      return nil
    }
  }

  /// What is said in place of an answer.
  var reason: String {
    switch self {
    case .means(let error), .hops(let error): "not asked: \(error)"
    case .ports: "not asked: no local port is free"
    case .turn: "not asked: too many others are asked at a time"
    case .transfers: "not asked: no transfer can begin"
    }
  }

  /// A sentence for an administrator.
  var sentence: String {
    let start = "some services cannot be asked, and nothing is known of them until this is over: "
    return switch self {
    case .means(let error): "\(start)\(error). \(error.remedy(limit: nil))"
    case .hops(let error):
      "some hops of traces cannot be asked, and are shown as without a reply until this is over: \(error). "
        + error.remedy(limit: nil)
    case .ports: "\(start)no local port is free. \(Errno.addressNotAvailable.remedy(limit: nil))"
    case .turn:
      "\(start)too many are asked at a time. Ask fewer or less often, or raise the limit of descriptors "
        + "(`ulimit -Hn`, LimitNOFILE=)."
    case .transfers(let why): "\(start)\(why)"
    }
  }
}

/// Says a shortage when it begins, and not again while it goes on. Does no I/O.
struct ShortageNotice: Sendable {
  /// A shortage that was away for so long begins again.
  static let pause = Duration.seconds(600)

  private var last: [ServiceShortage: Instant] = [:]

  /// Takes note of a shortage; returns whether it is to be said.
  mutating func isNew(_ shortage: ServiceShortage, at now: Instant) -> Bool {
    last = last.filter { now - $0.value < Self.pause }
    defer { last[shortage] = now }
    return last[shortage] == nil
  }
}

/// How many services may be asked at a time, so that each finds a descriptor. Does no I/O.
struct ServicePlaces: Sendable, Hashable {
  /// Web servers.
  let web: Int
  /// Other connections.
  let connections: Int

  /// Divides what a limit of so many descriptors leaves: up to a half of it, and at most 256, are for all else that the program
  /// has open. A web server may take two: one that is closed, and the one after it.
  init(descriptors limit: Int) {
    let spare = max(2, limit - min(256, limit / 2))
    web = min(512, max(1, spare / 3))
    connections = min(4096, max(1, spare - 2 * web))
  }
}
