import Foundation
import Lab
import Testing

/// connvitals' flags, names, privileges and end.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10)))
struct ConnVitalsTests {
  @Test(arguments: ["--bogus 127.0.0.1", "", "-p -1 127.0.0.1", "-H 0 127.0.0.1", "-j --format json ::1"])
  func `wrong flags are said, and end it with 64`(line: String) async throws {
    let host = try await NetworkNamespace()
    let child = try await host.connvitals(line)
    #expect(child.status == .exited(64) && child.output.text.isEmpty)
    #expect(child.errors.text.contains("Usage: connvitals"), "\(child.errors.text)")
  }

  @Test(arguments: ["-V", "--version", "-V host -t"])
  func `the version is the original's and ours`(line: String) async throws {
    let child = try await NetworkNamespace().connvitals(line)
    #expect(child.status == .exited(0))
    #expect(child.output.text.hasPrefix("connvitals 4.3.2 (bwmon "))
  }

  @Test func `what has no address is said, and the others are asked, each once and in their order`()
    async throws
  {
    let host = try await NetworkNamespace()
    let child = try await host.connvitals("-P 127.0.0.2 name.invalid 127.0.0.1 127.0.0.2")
    #expect(child.status == .exited(0))
    #expect(child.output.lines == ["127.0.0.2", "127.0.0.1"])
    #expect(child.errors.lines.count == 1)
    #expect(
      child.errors.text.hasPrefix("EE: str: Unable to resolve host ( name.invalid ) -\t"),
      "\(child.errors.text)")
    let none = try await host.connvitals("name.invalid other.invalid")
    #expect(none.status == .exited(1) && none.output.text.isEmpty)
    #expect(none.errors.lines.last?.hasPrefix("EE: str: No hosts could be parsed! Exiting... -\t") == true)
  }

  @Test func `without IPv6 it pings, and what has none is lost`() async throws {
    let host = try await NetworkNamespace()
    try await host.setSysctl("net.ipv6.conf.all.disable_ipv6", to: "1")
    let events = try await host.events("-t -p 3 --timeout 10 127.0.0.1 ::1")
    #expect(events.first { $0.address == "127.0.0.1" && $0.kind == "ping" }?.loss == 0)
    #expect(events.first { $0.address == "::1" && $0.kind == "ping" }?.loss == 100)
    #expect(events.first { $0.address == "127.0.0.1" && $0.kind == "trace" }?.path == ["127.0.0.1"])
  }

  @Test func `of no pings all are lost, and -P alone names the host`() async throws {
    let host = try await NetworkNamespace()
    let none = try await host.connvitals("-p 0 127.0.0.1")
    #expect(none.output.lines == ["127.0.0.1", "-1.000\t-1.000\t-1.000\t-1.000\t100.000"])
    let json = try await host.connvitals("-Pj 127.0.0.1")
    #expect(json.output.text == #"{"addr":"127.0.0.1","name":"127.0.0.1"}"# + "\n")
  }

  @Test(arguments: [ChildProcess.Output.closed, .brokenPipe], ["", "--format json", "-j"])
  func `it ends quietly when nobody reads`(output: ChildProcess.Output, format: String) async throws {
    let host = try await NetworkNamespace()
    let child = try await host.connvitals("-p 1 \(format) 127.0.0.1 127.0.0.2", output: output)
    #expect(child.status == .exited(0))
    #expect(child.errors.text.isEmpty)
  }

  @Test func `any user pings and traces where the sysctl permits it`() async throws {
    let host = try await NetworkNamespace()
    let copy = try await CopyForEveryone(of: "connvitals")
    for address in ["127.0.0.1", "::1"] {
      let child = try await host.connvitals(
        "-t -p 3 --timeout 10 --format json \(address)", as: CopyForEveryone.nobody, program: copy.path)
      #expect(child.status == .exited(0) && child.errors.text.isEmpty, "\(child.errors.text)")
      let events = try child.output.lines.map { try ProbeEvent(line: $0) }
      #expect(events.first { $0.kind == "ping" }?.loss == 0)
      #expect(events.first { $0.kind == "trace" }?.path == [address])
    }
  }

  @Test func `where it does not, what to do is said once, and services are asked`() async throws {
    let host = try await NetworkNamespace()
    try await host.closePingSockets()
    let services = try await Services(["mysql"], in: host)
    let copy = try await CopyForEveryone(of: "connvitals")
    let child = try await host.connvitals(
      "-ts -p 3 --timeout 10 127.0.0.1 127.0.0.2", as: CopyForEveryone.nobody, program: copy.path)
    #expect(child.status == .exited(0))
    let loss = "-1.000\t-1.000\t-1.000\t-1.000\t100.000"
    let lines = child.output.lines.map {
      $0 == loss ? $0 : $0.replacing(#/\d+\.\d{3}(?=, 5|$)/#, with: "T")
    }
    let scan = "None\tNone\tT, 5.7.2"
    // UDP does for traces.
    #expect(
      lines == ["127.0.0.1", loss, "127.0.0.1\tT", scan, "127.0.0.2", loss, "127.0.0.2\tT", scan], "\(lines)")
    let sentences = child.errors.lines.filter { $0.hasPrefix("EE: PermissionError: ") }
    #expect(sentences.count == 1, "\(child.errors.text)")
    for part in [
      "traces use UDP", "sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"",
      "setcap cap_net_raw+ep \(copy.path)",
    ] { #expect(sentences.first?.contains(part) == true, "\(child.errors.text)") }
    let traceOnly = try await host.connvitals("-tP 127.0.0.1", as: CopyForEveryone.nobody, program: copy.path)
    #expect(traceOnly.status == .exited(0) && traceOnly.output.lines.last?.hasPrefix("127.0.0.1\t") == true)
    // What can be done needs no name that has none.
    let unknown = try await host.connvitals("no.invalid", as: CopyForEveryone.nobody, program: copy.path)
    #expect(unknown.status == .exited(1))
    let scanOnly = try await host.connvitals("-sP 127.0.0.1", as: CopyForEveryone.nobody, program: copy.path)
    #expect(
      scanOnly.status == .exited(0)
        && scanOnly.errors.lines.allSatisfy { $0.hasPrefix("WW: Could not connect") })
    try await run(["setcap", "cap_net_raw+ep", copy.path])
    let able = try await host.connvitals(
      "-t -p 3 --timeout 10 127.0.0.1", as: CopyForEveryone.nobody, program: copy.path)
    #expect(able.status == .exited(0) && able.errors.text.isEmpty, "\(able.errors.text)")
    #expect(able.output.lines.count == 3 && able.output.lines[1].hasSuffix("\t0.000"))
    _ = services
  }
}
