/// How a namespace's connection tracking is asked and set, without the code under test.
extension NetworkNamespace {
  /// Makes the kernel track and count the connections of this namespace.
  public func trackConnections(counting: Bool = true) async throws {
    // Segments that a busy machine delivers out of the window pass as INVALID, which nobody counts. What was seen is
    // still there when a busy machine comes to ask for it.
    let settings =
      ["acct=\(counting ? 1 : 0)", "tcp_be_liberal=1"]
      + [
        "udp_timeout", "udp_timeout_stream", "icmp_timeout", "icmpv6_timeout", "tcp_timeout_close",
        "tcp_timeout_time_wait",
      ].map { "\($0)=600" }
    try await run(["sysctl", "-qw"] + settings.map { "net.netfilter.nf_conntrack_\($0)" })
    try await nft(
      """
      table inet lab_tracking
      delete table inet lab_tracking
      table inet lab_tracking {
        chain every { type filter hook prerouting priority 0; ct state new counter; }
      }
      """)
  }

  /// Translates the source of what leaves by an interface to the address of that.
  public func masquerade(out interface: String) async throws {
    try await nft(
      """
      table ip lab_nat
      delete table ip lab_nat
      table ip lab_nat {
        chain out { type nat hook postrouting priority srcnat; oifname "\(interface)" masquerade; }
      }
      """)
  }

  /// Loads rules of nft(8).
  public func nft(_ rules: String) async throws {
    let folder = try ScratchFolder()
    try await run(["nft", "-f", try folder.write(rules + "\n", to: "rules")])
  }

  /// The connection table as conntrack(8) prints it.
  public func connections() async throws -> [ConntrackEntry] {
    try await run("conntrack -L -o extended").split(separator: "\n").map { try ConntrackEntry(String($0)) }
  }

  /// The connection table once nothing in it moves any more: the same in two looks, `pause` apart.
  ///
  /// An acknowledgement may come 200 ms after the last byte, and what a busy machine did not acknowledge is sent again
  /// after as long (TCP_DELACK_MAX and TCP_RTO_MIN in include/net/tcp.h).
  public func quietConnections(pause: Duration = .milliseconds(250)) async throws -> [ConntrackEntry] {
    var last = try await connections()
    return try await eventually("a quiet connection table", state: { "\(last)" }) {
      try await Task.sleep(for: pause)
      let now = try await connections()
      defer { last = now }
      return now == last ? now : nil
    }
  }

  /// Waits until programs have read all that has come over TCP, and the other hosts have acknowledged what was sent.
  public func waitUntilRead() async throws {
    var sockets = ""
    try await eventually("empty queues", state: { sockets }) {
      sockets = try await run("ss -Htn state established state fin-wait-1 state last-ack state closing")
      // The state, then what waits to be read and to be acknowledged.
      let isBusy = sockets.split(separator: "\n").contains {
        $0.split(separator: " ")[1...2].contains { $0 != "0" }
      }
      return isBusy ? nil : ()
    }
  }

  /// The quiet connection table once both ends of every TCP connection in it have closed; a busy server may do so long
  /// after its client.
  public func closedConnections() async throws -> [ConntrackEntry] {
    try await eventually("the end of all connections") {
      let table = try await run("conntrack -L")
      return ["SYN_", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK"].contains(where: table.contains)
        ? nil : ()
    }
    return try await quietConnections()
  }

  /// Empties the connection table.
  public func forgetConnections() async throws {
    try await run("conntrack -F")
  }

  /// Bytes that the interface has received and sent, frame headers included (ip -s link).
  public func interfaceBytes(_ interface: String) async throws -> (received: UInt64, sent: UInt64) {
    let folder = "/sys/class/net/\(interface)/statistics"
    let numbers = try await run("cat \(folder)/rx_bytes \(folder)/tx_bytes").split(separator: "\n")
      .compactMap { UInt64($0) }
    guard numbers.count == 2 else { throw LabError.malformed("\(numbers)") }
    return (numbers[0], numbers[1])
  }

  /// Counts from here on, by nft, what comes in for and goes out from local sockets, at layer 3; of ICMPv6 only echoes,
  /// as neighbours ask for each other at any time.
  public func countPackets() async throws {
    try await nft(
      """
      table inet lab_count
      delete table inet lab_count
      table inet lab_count {
        counter received {}
        counter sent {}
        chain neighbours { icmpv6 type != { echo-request, echo-reply } accept; }
        chain in { type filter hook input priority 0; jump neighbours; counter name received; }
        chain out { type filter hook output priority 0; jump neighbours; counter name sent; }
      }
      """)
  }

  /// What `countPackets` has counted.
  public func countedBytes() async throws -> (received: UInt64, sent: UInt64) {
    let text = try await run("nft list counters table inet lab_count")
    func bytes(_ name: String) throws -> UInt64 {
      let words = text.components(after: "counter \(name)")
      guard let place = words.firstIndex(of: "bytes"), let value = UInt64(words[place + 1]) else {
        throw LabError.malformed(text)
      }
      return value
    }
    return (try bytes("received"), try bytes("sent"))
  }
}

extension String {
  fileprivate func components(after mark: String) -> [Substring] {
    let words = split(whereSeparator: \.isWhitespace)
    let marks = mark.split(separator: " ")
    guard let place = words.indices.first(where: { words[$0...].starts(with: marks) }) else { return [] }
    return Array(words[place...])
  }
}
