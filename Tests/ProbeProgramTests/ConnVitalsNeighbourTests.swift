import Foundation
import Lab
import Testing

/// The time of a ping begins when it is on the wire, not when it waits for its neighbour's address (P6: ARP is excluded).
@Suite(.needs(.namespaces), .timeLimit(.minutes(10)))
struct ConnVitalsNeighbourTests {
  /// Answers requests for B's hardware address when they are 900 ms old: the kernel asks again after a second.
  private static let lateAnswers = """
    import socket, sys, time
    address, hardware = socket.inet_aton(sys.argv[1]), open('/sys/class/net/eth0/address').read().strip()
    own = bytes.fromhex(hardware.replace(':', ''))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    wire.bind(('eth0', 0x0806))
    print('ready')
    while True:
      frame = wire.recv(2048)
      # A request (operation 1) for the address.
      if frame[20:22] == b'\\0\\1' and frame[38:42] == address:
        time.sleep(0.9)
        asker = frame[22:32]
        wire.send(asker[:6] + own + b'\\x08\\6' + b'\\0\\1\\x08\\0\\6\\4\\0\\2' + own + address + asker)
        print('answered')
    """

  @Test(arguments: SocketKind.allCases)
  func `the first ping is no longer than the others where the neighbour is not known yet`(
    kind: SocketKind
  ) async throws {
    let lab = try await Topology()
    try await kind.permit(in: lab.a)
    // B itself does not answer, and does not ask for A.
    try await lab.b.setSysctl("net.ipv4.conf.eth0.arp_ignore", to: "8")
    let hardware = try await lab.a.run(["cat", "/sys/class/net/eth0/address"])
      .trimmingCharacters(in: .whitespacesAndNewlines)
    try await lab.b.ip("neigh replace 10.77.1.1 lladdr \(hardware) nud permanent dev eth0")
    let answers = try lab.b.start(["python3", "-uc", Self.lateAnswers, "10.77.1.2"])
    try await answers.output.first("that it listens") { $0 == "ready" ? () : nil }
    try await lab.a.ip("neigh flush dev eth0")
    let events = try await lab.a.events("-p 3 --timeout 60 10.77.1.2")
    #expect(answers.output.lines.contains("answered"), "the situation did not arise")
    let ping = try #require(events.first { $0.kind == "ping" })
    #expect(ping.loss == 0)
    // Waiting for the neighbour took 900 ms.
    #expect(try #require(ping.max) < 450, "\(ping)")
    try await answers.stop()
  }

  /// Who says so after three seconds is this host itself, which is no hop, however many were asked for meanwhile.
  @Test(arguments: SocketKind.allCases, ["10.77.1.99", "fd77::99"])
  func `a trace to a neighbour that is not there has no hop`(kind: SocketKind, target: String) async throws {
    let lab = try await Topology()
    try await kind.permit(in: lab.a)
    let events = try await lab.a.events("-tP --hops 30 --hop-timeout 1 \(target)")
    let trace = try #require(events.first)
    #expect(trace.ending == "stopped" && trace.path.isEmpty, "\(trace)")
    #expect(trace.error == "host unreachable", "\(trace)")
  }

  @Test func `nor has one of UDP`() async throws {
    let lab = try await Topology()
    try await lab.a.closePingSockets()
    let copy = try await CopyForEveryone(of: "connvitals")
    let child = try await lab.a.connvitals(
      "-tP --format json --hop-timeout 1 10.77.1.99", as: CopyForEveryone.nobody, program: copy.path)
    let trace = try ProbeEvent(line: try #require(child.output.lines.first))
    #expect(trace.ending == "stopped" && trace.path.isEmpty, "\(trace)")
  }
}
