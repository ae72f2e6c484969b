import Lab
import Model
import Netfilter
import Ownership
import SystemRuntime
import Testing

@testable import Monitors

/// What a reading has once nobody reports any more who used which socket.
@Suite struct WitnessGoneTests {
  private static let ends = "10.0.0.1:4000 192.0.2.9:443"
  private static let process = ProcessIdentity(pid: 7, startTime: 100)

  /// Reports one after the other what it was given.
  private final class Reports: SocketWitness {
    let network: UInt64? = 1
    let isHost = false
    let seesFrames = true
    var condition = WitnessCondition()
    var rest: [WitnessReport] = []

    func report(at now: Instant, of networks: SocketNetworks) -> WitnessReport {
      rest.isEmpty ? WitnessReport() : rest.removeFirst()
    }
  }

  /// A table of files that notes what it is told.
  private final class Table: FlowTable {
    private let files: ProcfsFlowTable
    private(set) var looked = 0

    init(_ files: ProcfsFlowTable) { self.files = files }

    var condition: FlowTableCondition { files.condition }
    func read(into snapshot: inout FlowSnapshot, at now: Instant) throws(KernelError) {
      try files.read(into: &snapshot, at: now)
    }
    func lookUpOwners() { looked += 1 }
  }

  private let host = FakeHost()
  private let witness = Reports()
  private let table: Table
  private let monitor: Monitor
  private let start = Instant.now

  init() throws {
    table = Table(try ProcfsFlowTable(root: host.proc.path))
    monitor = try host.monitor(of: table, witness: witness)
    host.proc.add(7, start: 100, arguments: Array("curl 7\0".utf8), sockets: [3: 7])
    host.addSocket(7, "tcp \(Self.ends)")
  }

  private static func report(
    _ transport: TransportProtocol, _ ends: String, sent: UInt64, isLast: Bool = false
  ) -> WitnessReport {
    let words = ends.split(separator: " ").map(String.init)
    var report = WitnessReport()
    report.uses = [
      WitnessReport.Use(
        SocketEntry(
          transport: transport, isV6: false, local: Scenario.endpoint(words[0]),
          remote: Scenario.endpoint(words[1]), inode: 7, uid: 0),
        in: 1, by: process, Usage(received: 0, sent: sent))
    ]
    report.isLast = isLast
    return report
  }

  private func reading(_ second: Int, bytes: UInt64) throws -> Measurement {
    host.setFlow("tcp \(Self.ends)", zone: 0, bytes, 0, isOffloaded: false)
    host.writeFiles()
    return try monitor.readings(until: start + .seconds(second))
  }

  @Test func `each byte of the table counts once, and the owner is looked up`() throws {
    witness.condition.unseen = 5
    witness.rest = [
      WitnessReport(), Self.report(.tcp, Self.ends, sent: 100),
      Self.report(.tcp, Self.ends, sent: 100, isLast: true),
    ]
    _ = try reading(0, bytes: 1)
    for second in 1...6 {
      let measurement = try reading(second, bytes: 1 + 100 * UInt64(second))
      #expect(measurement.readings.map(\.summary) == ["7@100 curl 7 0/100"], "\(second)")
      #expect(measurement.balance.total == Usage(received: 0, sent: 100))
      #expect(measurement.warnings.filter { $0.code == "witness_lost" }.count == (second == 2 ? 1 : 0))
      #expect(table.looked == (second < 2 ? 0 : 1))
      #expect(measurement.health.dropped == 5)
    }
  }

  /// It waits for the entry, and the loss is not the end of that.
  @Test(arguments: [false, true])
  func `what was moved last has one row, be there an entry or not`(hasEntry: Bool) throws {
    let other = "10.0.0.1:5000 192.0.2.9:53"
    let nothing = WitnessReport()
    witness.rest = [nothing, nothing, nothing, Self.report(.udp, other, sent: 40, isLast: true)]
    for second in 0...2 { _ = try reading(second, bytes: 1) }
    var sum = Usage.zero
    for second in 3...6 {
      if hasEntry, second > 3 { host.setFlow("udp \(other)", zone: 0, 68, 0, isOffloaded: false) }
      sum = try reading(second, bytes: 1).readings.reduce(sum) { $0 + $1.usage }
    }
    #expect(sum == Usage(received: 0, sent: hasEntry ? 68 : 40))
  }

  /// A socket that nobody holds sends datagrams, which each call of a process would explain.
  @Test func `where a use was not reported the kernel is not named for it`() throws {
    host.addSocket(8, "udp *:51820")
    var owners: [String] = []
    for second in 0...9 {
      host.setFlow(
        "udp 10.0.0.1:51820 192.0.2.9:51820", zone: 0, 100 * UInt64(second + 1), 0, isOffloaded: false)
      if second == 4 { witness.condition.unseen = 1 }
      if second == 7 { witness.condition.malformed = 1 }
      let readings = try reading(second, bytes: 1).readings.filter { $0.process == nil }
      owners += readings.map { $0.owner == .kernel ? "kernel" : "nobody" }
    }
    #expect(
      owners == [
        "nobody", "nobody", "kernel", "kernel", "nobody", "nobody", "kernel", "nobody", "nobody", "kernel",
      ])
  }
}
