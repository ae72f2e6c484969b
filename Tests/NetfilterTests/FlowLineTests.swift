import Lab
import Model
import Testing

@testable import Netfilter

@Suite struct FlowLineTests {
  private static func parse(_ line: String) -> Flow? { FlowLine.parse(Array(line.utf8)[...]) }

  /// Lines of Linux 6.18, one of the older `ip_conntrack`, with what they mean.
  private static let lines: [(line: String, summary: String)] = [
    (
      "ipv4     2 tcp      6 119 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=47526 dport=9999 packets=5 bytes=271 "
        + "src=127.0.0.1 dst=127.0.0.1 sport=9999 dport=47526 packets=3 bytes=164 [ASSURED] mark=0 zone=0 use=2",
      "6 127.0.0.1:47526>127.0.0.1:9999 127.0.0.1:9999>127.0.0.1:47526 271/5 164/3 zone 0"
    ),
    (
      "ipv6     10 udp      17 30 src=0000:0000:0000:0000:0000:0000:0000:0001 "
        + "dst=2001:0db8:0000:0000:0000:0000:0000:0002 sport=54248 dport=53 packets=1 bytes=50 [UNREPLIED] "
        + "src=2001:0db8:0000:0000:0000:0000:0000:0002 dst=0000:0000:0000:0000:0000:0000:0000:0001 sport=53 "
        + "dport=54248 packets=0 bytes=0 mark=0 zone=12 use=2",
      "17 [::1]:54248>[2001:db8::2]:53 [2001:db8::2]:53>[::1]:54248 50/1 0/0 zone 12"
    ),
    (
      "ipv4     2 icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=9179 packets=1 bytes=84 src=10.0.0.2 "
        + "dst=10.0.0.1 type=0 code=0 id=9179 packets=1 bytes=84 mark=0 zone=0 use=2",
      "1 10.0.0.1:9179>10.0.0.2:2048 10.0.0.2:9179>10.0.0.1:0 84/1 84/1 zone 0"
    ),
    (
      "ipv4     2 gre      47 29 timeout=30, stream_timeout=180 src=10.0.0.1 dst=10.0.0.2 srckey=0x1f dstkey=0x0 "
        + "packets=1 bytes=124 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 srckey=0x0 dstkey=0x1f packets=0 bytes=0 mark=0",
      "47 10.0.0.1:31>10.0.0.2:0 10.0.0.2:0>10.0.0.1:31 124/1 0/0 zone 0"
    ),
    (
      "ipv4     2 unknown  253 599 src=127.0.0.1 dst=127.0.0.1 packets=1 bytes=1020 [UNREPLIED] src=127.0.0.1 "
        + "dst=127.0.0.1 packets=0 bytes=0 mark=0 use=1",
      "253 127.0.0.1:0>127.0.0.1:0 127.0.0.1:0>127.0.0.1:0 1020/1 0/0 zone 0"
    ),
    (
      "ipv4     2 tcp      6 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 packets=5 bytes=271 src=10.0.0.2 dst=10.0.0.1 "
        + "sport=2 dport=1 packets=3 bytes=164 [HW_OFFLOAD] mark=0 zone=0 use=2",
      "6 10.0.0.1:1>10.0.0.2:2 10.0.0.2:2>10.0.0.1:1 271/5 164/3 zone 0 offloaded"
    ),
    (
      "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 packets=5 bytes=271 src=10.0.0.2 "
        + "dst=10.0.0.1 sport=2 dport=1 packets=3 bytes=164 [ASSURED] mark=0 secmark=0 use=1",
      "6 10.0.0.1:1>10.0.0.2:2 10.0.0.2:2>10.0.0.1:1 271/5 164/3 zone 0"
    ),
    (
      "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 "
        + "sport=2 dport=1 [ASSURED] mark=0 use=1",
      "6 10.0.0.1:1>10.0.0.2:2 10.0.0.2:2>10.0.0.1:1 0/0 0/0 zone 0 uncounted"
    ),
  ]

  private static func summary(_ flow: Flow) -> String {
    func text(_ tuple: FlowTuple) -> String { "\(tuple.source)>\(tuple.destination)" }
    let counters = flow.counters
    return "\(flow.original.transport.rawValue) \(text(flow.original)) \(text(flow.reply)) "
      + "\(counters.originalBytes)/\(counters.originalPackets) \(counters.replyBytes)/\(counters.replyPackets) "
      + "zone \(flow.zone)" + (flow.isOffloaded ? " offloaded" : "") + (flow.isCounted ? "" : " uncounted")
  }

  @Test(arguments: lines) func `lines of every kind`(line: String, summary: String) throws {
    #expect(Self.summary(try #require(Self.parse(line))) == summary)
  }

  @Test(arguments: [
    "", " ", "ipv4", "ipv4 2", "ipv4 2 tcp", "ipv4 2 tcp six 119", "ipv4 2 tcp 256 1 src=1.2.3.4 dst=1.2.3.4",
    "ipv4 2 tcp 6 119", "ipv4 2 tcp 6 1 src=1.2.3.4 dst=1.2.3.5", "ipv4 2 tcp 6 1 src= dst=",
    "src=1.2.3.4 dst=1.2.3.5",
    "ipv4 2 tcp 6 1 src=1.2.3 dst=1.2.3.4 src=1.2.3.4 dst=1.2.3.4",
    "ipv4 2 tcp 6 1 src=1.2.3.4 dst=1.2.3.5 sport=65536 dport=1 src=1.2.3.4 dst=1.2.3.4",
    "ipv4 2 tcp 6 1 src=1.2.3.4 dst=1.2.3.5 sport=1 dport=1 bytes=-1 src=1.2.3.4 dst=1.2.3.4",
    "ipv4 2 icmp 1 1 src=1.2.3.4 dst=1.2.3.5 type=256 src=1.2.3.4 dst=1.2.3.4",
    "ipv4 2 gre 47 1 src=1.2.3.4 dst=1.2.3.5 srckey=x src=1.2.3.4 dst=1.2.3.4",
    "ipv4 2 tcp 6 1 src=1.2.3.4 dst=1.2.3.5 src=1.2.3.4 dst=1.2.3.5 src=1.2.3.4 dst=1.2.3.5",
  ])
  func `what is no entry is refused`(line: String) { #expect(Self.parse(line) == nil) }

  @Test func `prefixes and random changes never trap`() {
    var generator = SplitMix64(seed: 2)
    for (line, _) in Self.lines {
      let bytes = Array(line.utf8)
      for count in 0...bytes.count { _ = FlowLine.parse(bytes[..<count]) }
      for _ in 0..<1000 {
        var changed = bytes
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
          changed[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
            in: 0...255, using: &generator)
        }
        _ = FlowLine.parse(changed[...])
      }
    }
  }
}
