import Foundation
import Lab
import Testing

/// A host that runs out of descriptors or ports says nothing of those whom it asks.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10)))
struct ProbeShortageTests {
  @Test func `with few descriptors services are asked one after the other`() async throws {
    let host = try await NetworkNamespace()
    let services = try await Services(["http", "https", "mysql"], in: host)
    let names = (1...24).map { "127.0.0.\($0)" }
    let child = try await host.connvitals(
      "-sP --timeout 60 \(names.joined(separator: " "))", as: ["prlimit", "--nofile=48:48"])
    #expect(child.status == .exited(0) && child.errors.text.isEmpty, "\(child.errors.text)")
    let scans = child.output.lines.filter { $0.contains("\t") }
    #expect(scans.count == names.count && !scans.contains { $0.contains("None") }, "\(child.output.text)")
    #expect(services.connections("mysql") == names.count)
  }

  /// Takes all further descriptors from a process, or gives them back.
  private func limit(_ process: ChildProcess, to count: String) async throws {
    try await run(["prlimit", "--pid", "\(process.pid)", "--nofile=\(count):"])
  }

  @Test func `connmonitor leaves out what it had no descriptor for, says so once, and goes on`() async throws
  {
    let host = try await NetworkNamespace()
    let services = try await Services(["http", "https", "mysql"], in: host)
    let monitor = try Monitor("127.0.0.1 ping=0 scan=50 timestamp=false", in: host)
    let output = monitor.process.output
    func scans() -> [String] { output.lines.filter { $0.contains("\t") } }
    func more(_ what: String) async throws {
      let before = scans().count
      try await eventually(what, state: { monitor.process.errors.text }) {
        scans().count >= before + 3 ? () : nil
      }
    }
    try await more("scans")
    try await limit(monitor.process, to: "3")
    let text = try await monitor.message("Too many open files")
    #expect(text.hasPrefix("WW: some services cannot be asked") && text.contains("LimitNOFILE="), "\(text)")
    try await limit(monitor.process, to: "1024")
    try await more("scans again")
    try await limit(monitor.process, to: "3")
    try await limit(monitor.process, to: "1024")
    try await more("scans once more")
    #expect(try await monitor.endsWell())
    #expect(!scans().contains { $0.contains("None") }, "\(scans())")
    #expect(monitor.process.errors.lines.count == 1, "\(monitor.process.errors.text)")
    _ = services
  }

  @Test func `where no local port is free, nothing is said of the service`() async throws {
    let host = try await NetworkNamespace()
    let services = try await Services(["http", "mysql"], in: host)
    try await host.setSysctl("net.ipv4.ip_local_port_range", to: "40000 40001")
    let holder = try host.start([
      "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3306 4<>/dev/tcp/127.0.0.1/3306 && echo held && read",
    ])
    try await holder.output.first("two connections") { $0 == "held" ? () : nil }
    let child = try await host.connvitals("-sP --format json 127.0.0.1")
    #expect(child.status == .exited(0))
    let event = try ProbeEvent(line: try #require(child.output.lines.first))
    #expect(event.mysql?.error == "not asked: no local port is free", "\(child.output.text)")
    #expect(event.http?.status == 200)
    let said = child.errors.lines
    #expect(said.count == 1 && said[0].contains("net.ipv4.ip_local_port_range"), "\(said)")
    holder.closeInput()
    _ = try await holder.ended()
    _ = services
  }
}
