import Foundation
import Lab

/// A usage line of `--format json`, read without the code that wrote it.
struct Report: Sendable, Decodable {
  /// A process, an application or a remainder.
  struct Row: Sendable, Decodable {
    var name: String
    var pid: Int32?
    var pids: [Int32]?
    var uid: UInt32?
    var kind: String?
    var received: UInt64
    var sent: UInt64
    var receivedRate: Double
    var sentRate: Double
    var exited: Bool?
    /// How many ended processes of one command line these are.
    var processes: Int?
    var match: String?
    var shared: Bool?
    var layer: String?
    var netns: UInt64?
    var cgroup: String?
    var unit: String?
    var container: String?
    var connections: Int?
    var accepted: Int?
    var failed: Int?
    var address: String?

    var usage: HostView { HostView(received: received, sent: sent) }
  }

  /// Bytes both ways.
  struct Usage: Sendable, Decodable {
    var received: UInt64
    var sent: UInt64

    var view: HostView { HostView(received: received, sent: sent) }
  }

  /// Where all bytes went.
  struct Balance: Sendable, Decodable {
    struct Unattributed: Sendable, Decodable {
      var received: UInt64
      var sent: UInt64
      var reasons: [String: UInt64]

      var view: HostView { HostView(received: received, sent: sent) }

      /// Of sockets that were closed before anybody looked, or between the look at them and the one at who holds them:
      /// where a process may not be read, it may be that one.
      var closedUnseen: UInt64 {
        reasons["exited", default: 0] + reasons["no_holder", default: 0]
          + (Machine.isSandboxed ? reasons["denied", default: 0] : 0)
      }
    }

    var total: Usage
    var attributed: Usage
    var forwarded: Usage
    var kernel: Usage
    var unattributed: Unattributed
    var untracked: Usage
    var interfaces: Usage
    /// What is payload without headers.
    var payload: Usage
    /// What filters keep out of the rows.
    var hidden: Usage
    var coverage: Double?

    /// The parts added up.
    var sum: HostView {
      let parts = [attributed.view, forwarded.view, kernel.view, unattributed.view]
      return parts.reduce(HostView()) {
        HostView(received: $0.received + $1.received, sent: $0.sent + $1.sent)
      }
    }
  }

  /// The sum of rows that have ended and are no longer written.
  struct Ended: Sendable, Decodable, Equatable {
    var rows: Int
    var received: UInt64
    var sent: UInt64
  }

  var schema: Int
  var host: String
  var version: String
  var event: String
  var time: String
  /// Seconds; null in a first report, which has no rates.
  var interval: Double?
  var layer: String
  /// All but `untracked`.
  var rows: [Row]
  var ended: Ended
  /// What no flow explains: apart, as a wire's own (ARP) may come at any time.
  var untracked: Row?
  var balance: Balance
  var health: [String: Double]

  /// Decodes a line; nil for another kind of event.
  init?(line: String) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let event = try decoder.decode(Kind.self, from: Data(line.utf8))
    guard event.event == "usage" else { return nil }
    self = try decoder.decode(Report.self, from: Data(line.utf8))
    let place = rows.firstIndex { $0.kind == "remainder" && $0.name == "(untracked)" }
    untracked = place.map { rows.remove(at: $0) }
  }

  private struct Kind: Decodable { var event: String }

  /// Seconds since 1970 of a time in a line.
  static func moment(_ text: String) throws -> Double {
    try Date(text, strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true))
      .timeIntervalSince1970
  }

  /// The row of a process.
  func row(pid: Int32) -> Row? { rows.first { $0.pid == pid } }

  /// What a process moved, nothing when it has no row.
  func usage(pid: Int32) -> HostView { row(pid: pid)?.usage ?? HostView() }

  /// What several processes moved.
  func usage(pids: [Int32]) -> HostView {
    pids.map { usage(pid: $0) }.reduce(HostView()) {
      HostView(received: $0.received + $1.received, sent: $0.sent + $1.sent)
    }
  }

  /// What these processes moved, and all that have ended.
  func usage(ofEndedAnd pids: [Int32]) -> HostView {
    rows.filter { $0.processes != nil }.map(\.usage).reduce(usage(pids: pids)) {
      HostView(received: $0.received + $1.received, sent: $0.sent + $1.sent)
    }
  }

  /// The row of ended processes whose command line holds `words`.
  func ended(_ words: String) -> Row? { rows.first { $0.processes != nil && $0.name.contains(words) } }

  /// The row with this name, of an application or a remainder.
  func row(named name: String) -> Row? { rows.first { $0.name == name } }
}
