import Lab
import Testing

/// What sockets of TCP and UDP see of a target.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct HostTests {
  @Test(arguments: ["10.9.0.5", "fd09:2::5"])
  func `TCP is refused, open or silent`(target: String) async throws {
    let site = try await Site("[target \(target)]\ndelay = 1")
    func connect(wait: Int) async throws -> String {
      try await site.python(
        """
        try:
          s = socket.create_connection(("\(target)", 80), \(wait))
          s.close()
          print("connected")
        except ConnectionRefusedError: print("refused")
        except TimeoutError: print("silent")
        """)
    }
    #expect(try await connect(wait: 100) == "refused\n")
    try await site.network.set("target \(target) tcp open")
    #expect(try await connect(wait: 100) == "connected\n")
    try await site.network.set("target \(target) tcp silent")
    #expect(try await connect(wait: 1) == "silent\n")
    let counts = try #require(try await site.network.stop().targets[target])
    #expect(
      counts.answered >= 2 && counts.ignored >= 1 && counts.malformed == 0 && counts.sum == counts.received)
  }

  @Test func `an open port ends its connection too`() async throws {
    let site = try await Site("[target 10.9.0.5]\ntcp = open")
    let text = try await site.python(
      """
      s = socket.create_connection(("10.9.0.5", 443), 100)
      s.shutdown(socket.SHUT_WR)
      print(s.recv(10))
      """)
    #expect(text == "b''\n")
  }

  @Test(arguments: ["10.9.0.5", "fd09:2::5"])
  func `UDP is closed, echoed or silent`(target: String) async throws {
    let site = try await Site("[target \(target)]")
    func exchange(wait: Int) async throws -> String {
      try await site.python(
        """
        s = socket.socket(socket.AF_INET6 if ":" in "\(target)" else socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(("\(target)", 9))
        s.settimeout(\(wait))
        s.send(b"hello")
        try: print(s.recv(100))
        except ConnectionRefusedError: print("refused")
        except TimeoutError: print("silent")
        """)
    }
    #expect(try await exchange(wait: 100) == "refused\n")
    try await site.network.set("target \(target) udp echo")
    #expect(try await exchange(wait: 100) == "b'hello'\n")
    try await site.network.set("target \(target) udp silent")
    #expect(try await exchange(wait: 1) == "silent\n")
  }

  @Test(arguments: ["10.9.0.5", "fd09:2::5"])
  func `a firewalled target may answer by a prohibition`(target: String) async throws {
    let site = try await Site("[target \(target)]\necho = no")
    let v6 = target.contains(":")
    #expect(try await Probes.answers("echo \(target) 3", in: site.host, of: site.network).isEmpty)
    try await site.network.set("target \(target) answer prohibited")
    for kind in ["echo", "udp"] {
      let answers = try await Probes.answers("\(kind) \(target) 3", in: site.host, of: site.network)
      #expect(answers.count == 3)
      #expect(answers.allSatisfy { $0.from == target && $0.type == (v6 ? 1 : 3) && $0.code == (v6 ? 1 : 13) })
    }
  }

  @Test(arguments: ["10.9.0.5", "fd09:2::5"])
  func `a port unreachable is about its datagram`(target: String) async throws {
    let site = try await Site("[target \(target)]")
    let v6 = target.contains(":")
    let answers = try await Probes.answers("udp \(target) 20", in: site.host, of: site.network)
    #expect(answers.compactMap(\.probe) == Array(0..<20))
    #expect(answers.allSatisfy { $0.type == (v6 ? 1 : 3) && $0.code == (v6 ? 4 : 3) && $0.valid != false })
  }

  @Test func `a probe with a wrong checksum is not answered`() async throws {
    let site = try await Site("[target 10.9.0.5]")
    _ = try await site.python(
      """
      s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
      s.sendto(bytes([8, 0, 1, 2, 0, 1, 0, 1]), ("10.9.0.5", 0))
      """)
    let counters = try await site.network.counters("the packet") { $0.targets["10.9.0.5"]?.received == 1 }
    #expect(counters.targets["10.9.0.5"]?.malformed == 1)
  }

  @Test func `answers come with what is left of their hop limit`() async throws {
    let site = try await Site(
      "[target 10.9.0.5]\nttl = 64\npath = 10.9.1.1 10.9.1.2\n[hop 10.9.1.2]\nttl = 128")
    let reply = try await Probes.answers("echo 10.9.0.5 1", in: site.host, of: site.network)
    #expect(reply.map(\.ttl) == [62])
    let expired = try await Probes.answers("echo 10.9.0.5 1 2", in: site.host, of: site.network)
    #expect(expired.map(\.ttl) == [127])
  }
}
