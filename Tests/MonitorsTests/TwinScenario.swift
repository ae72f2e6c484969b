import Lab
import Model
import SystemRuntime
import Testing

@testable import Monitors

/// What happens on a host, step by step, and what its monitor says of it.
struct TwinScenario: CustomTestStringConvertible, Sendable {
  enum Step: Sendable {
    /// A process starts, at this time of the host, with these sockets.
    case start(Int32, String, at: UInt64, holds: [UInt64] = [])
    /// A process ends, and its descriptors with it.
    case end(Int32)
    /// A process runs another program.
    case exec(Int32, String)
    /// A process has a socket from now on.
    case open(Int32, UInt64)
    /// A process has a socket no longer.
    case close(Int32, UInt64)
    /// A socket is made; see `FakeHost.addSocket`.
    case socket(UInt64, String)
    /// A socket is gone.
    case noSocket(UInt64)
    /// What the entry of a flow has counted.
    case flow(String, UInt64, UInt64, zone: UInt16 = 0, isOffloaded: Bool = false)
    /// An entry leaves the table.
    case noFlow(String)
    /// So many seconds pass.
    case pause(Int)
    /// A second later the monitor says this: `PID@START NAME RECEIVED/SENT` for each process, or the row's name, and
    /// which processes have ended, and which run something else without having moved anything since: `PID@START NAME`.
    case says([String], ended: [String] = [], renamed: [String] = [])
  }

  let testDescription: String
  let steps: [Step]

  init(_ name: String, _ steps: [Step]) {
    testDescription = name
    self.steps = steps
  }

  /// Takes all steps. At each reading the parts of the balance are what the table's flows moved.
  func run() throws {
    let host = FakeHost()
    let monitor = try host.monitor()
    var now = Instant.now
    for (number, step) in steps.enumerated() {
      switch step {
      case .start(let pid, let name, let time, let sockets):
        host.proc.add(pid, start: time, arguments: Array("\(name)\0".utf8))
        for socket in sockets { host.proc.hold(pid, Int32(socket), socket) }
      case .end(let pid): host.proc.end(pid)
      case .exec(let pid, let name): host.proc.write("\(pid)/cmdline", Array("\(name)\0".utf8))
      case .open(let pid, let socket): host.proc.hold(pid, Int32(socket), socket)
      case .close(let pid, let socket): host.proc.close(pid, Int32(socket))
      case .socket(let inode, let text): host.addSocket(inode, text)
      case .noSocket(let inode): host.removeSocket(inode)
      case .flow(let ends, let original, let reply, let zone, let isOffloaded):
        host.setFlow(ends, zone: zone, original, reply, isOffloaded: isOffloaded)
      case .noFlow(let ends): host.removeFlow(ends)
      case .pause(let seconds): now += .seconds(seconds)
      case .says(let rows, let ended, let renamed):
        host.writeFiles()
        now += .seconds(1)
        let measurement = try monitor.readings(until: now)
        #expect(measurement.readings.map(\.summary).sorted() == rows.sorted(), "step \(number)")
        #expect(measurement.exited.map { "\($0.pid)@\($0.startTime)" } == ended, "step \(number)")
        let names = measurement.renamed.map {
          "\($0.identity.pid)@\($0.identity.startTime) \($0.commandLine)"
        }
        #expect(names == renamed, "step \(number)")
        let balance = measurement.balance
        #expect(balance.total.sum == host.takeMoved(), "step \(number)")
        #expect(measurement.readings.reduce(.zero) { $0 + $1.usage } == balance.total, "step \(number)")
        #expect(measurement.health.malformed == 0, "step \(number)")
      }
    }
  }
}

extension Reading {
  /// Whose it is, what was received and sent, and how sure that is where it is not quite.
  var summary: String {
    var who = owner.remainderName ?? ""
    if case .process(let identity) = owner {
      who = "\(identity.pid)@\(identity.startTime) \(process?.commandLine ?? "")"
    }
    return "\(who) \(usage.received)/\(usage.sent)" + (certainty.isShared ? " shared" : "")
      + (certainty.match == .relaxed ? " relaxed" : "")
  }
}
