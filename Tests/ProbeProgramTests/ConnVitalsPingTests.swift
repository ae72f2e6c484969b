import Foundation
import Lab
import Testing

/// connvitals' pings before a network that loses, delays, doubles and forges.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct ConnVitalsPingTests {
  static let targets = ["10.9.0.5", "fd09:2::5"]

  @Test(arguments: SocketKind.allCases)
  func `loss is what the network lost, to the packet`(kind: SocketKind) async throws {
    let site = try await ProbeSite(
      """
      [target 10.10.0.0/16]
      loss = 30
      duplicate = 5
      reorder = 25 30
      [target fd09:2::/64]
      loss = 10
      duplicate = 5
      reorder = 25 30
      """)
    try await kind.permit(in: site.host)
    let hosts = (1...20).flatMap { ["10.10.0.\($0)", "fd09:2::\($0)"] }
    let events = try await site.host.events("-p 250 --timeout 10 " + hosts.joined(separator: " "))
    #expect(Set(events.map(\.target)) == Set(hosts) && events.count == hosts.count)
    let counters = try await site.network.counters("the end of all answers") { $0.waiting == 0 }
    for (target, isV6) in [("10.10.0.0/16", false), ("fd09:2::/64", true)] {
      let counts = try #require(counters.targets[target])
      let own = events.filter { $0.address.contains(":") == isV6 }
      #expect(counts.received == 5000 && own.allSatisfy { $0.sent == 250 && $0.late == 0 }, "\(counts)")
      #expect(own.reduce(0) { $0 + ($1.received ?? 0) } == counts.answered, "\(counts)")
      for event in own {
        let lost = 250 - (event.received ?? 0)
        #expect(abs((event.loss ?? -1) - Double(lost) / 2.5) < 0.001)
      }
      // The second copy of the last reply comes when nobody waits any more.
      let duplicates = own.reduce(0) { $0 + ($1.duplicates ?? 0) }
      #expect(
        (counts.duplicated - own.count...counts.duplicated).contains(duplicates), "\(duplicates), \(counts)")
    }
  }

  /// A burst of a hundred takes a second: most replies come within it, and each too late.
  @Test(arguments: SocketKind.allCases)
  func `what comes after its time is late, and no reply and no duplicate`(kind: SocketKind) async throws {
    let site = try await ProbeSite("[target 10.9.0.5]\ndelay = 400\n[target fd09:2::5]\ndelay = 400")
    try await kind.permit(in: site.host)
    let events = try await site.host.events("-p 100 --timeout 0.2 \(Self.targets.joined(separator: " "))")
    #expect(events.count == 2)
    for event in events {
      #expect(event.loss == 100 && event.received == 0 && event.duplicates == 0, "\(event)")
      #expect(event.late ?? 0 > 0, "\(event)")
    }
  }

  @Test(arguments: targets)
  func `a long way is a long time, not a loss`(target: String) async throws {
    let site = try await ProbeSite("[target \(target)]\ndelay = 200")
    let child = try await site.host.connvitals("-p 5 \(target)")
    #expect(child.status == .exited(0) && child.errors.text.isEmpty)
    #expect(child.output.lines.count == 2 && child.output.lines[0] == target)
    let numbers = child.output.lines[1].split(separator: "\t").compactMap { Double($0) }
    #expect(child.output.lines[1].wholeMatch(of: #/\d+\.\d{3}(\t\d+\.\d{3}){4}/#) != nil)
    #expect(numbers.prefix(3).allSatisfy { $0 >= 200 } && numbers.last == 0, "\(numbers)")
  }

  @Test(arguments: [("10.9.0.5", "10.9.1.2"), ("fd09:2::5", "fd09:1::2")], SocketKind.allCases)
  func `a packet too big for the way is named, with what would pass`(
    way: (target: String, hop: String), kind: SocketKind
  ) async throws {
    let first = way.hop.dropLast() + "1"
    let site = try await ProbeSite(
      "[target \(way.target)]\npath = \(first) \(way.hop)\n[hop \(way.hop)]\nanswer = too-big 1300")
    try await kind.permit(in: site.host)
    let events = try await site.host.events("-p 2 --payload-size 1400 \(way.target)")
    let event = try #require(events.first)
    #expect(event.loss == 100 && event.error?.contains("too big") == true, "\(event)")
    #expect(event.error?.contains("1300") == true && event.error?.contains(way.hop) == true, "\(event)")
    let small = try await site.host.events("-p 2 --payload-size 1000 \(way.target)")
    #expect(small.first?.loss == 0)
  }

  @Test(arguments: ["checksum", "identifier", "sequence", "source"], SocketKind.allCases)
  func `what is no reply of the host to this request counts for nothing`(
    forgery: String, kind: SocketKind
  ) async throws {
    for target in Self.targets {
      let site = try await ProbeSite("[target \(target)]\nnoise = 100 \(forgery)\ndelay = 5")
      try await kind.permit(in: site.host)
      let noisy = try #require(try await site.host.events("-p 10 --timeout 10 \(target)").first)
      #expect(noisy.received == 10 && noisy.duplicates == 0 && noisy.late == 0, "\(target): \(noisy)")
      // No answer but the forged one.
      try await site.network.set("target \(target) garbage 100 \(forgery)")
      let forged = try #require(try await site.host.events("-p 3 --timeout 0.2 \(target)").first)
      #expect(forged.received == 0 && forged.loss == 100, "\(target): \(forged)")
    }
  }

  @Test(arguments: ["truncated", "payload"])
  func `a reply whose rest is cut off or changed is one`(change: String) async throws {
    // Hosts such as 8.8.8.8 cut what they return.
    let site = try await ProbeSite("[target 10.9.0.5]\ngarbage = 100 \(change)")
    let event = try #require(try await site.host.events("-p 10 --timeout 10 10.9.0.5").first)
    #expect(event.received == 10)
  }

  @Test(arguments: SocketKind.allCases, [41, 0])
  func `two copies at one host have their own replies`(kind: SocketKind, payload: Int) async throws {
    let site = try await ProbeSite("[target 10.9.0.5]\nloss = 40\ndelay = 3\n[target fd09:2::5]\nloss = 40")
    try await kind.permit(in: site.host)
    let line = "-p 200 --timeout 10 --payload-size \(payload) 10.9.0.5 fd09:2::5"
    async let first = site.host.events(line)
    async let second = site.host.events(line)
    let events = try await first + second
    let counters = try await site.network.counters("the end of all answers") { $0.waiting == 0 }
    for target in Self.targets {
      let own = events.filter { $0.target == target }
      #expect(own.count == 2 && own.allSatisfy { $0.duplicates == 0 && $0.late == 0 })
      let counts = counters.targets[target]
      #expect(counts?.received == 400)
      #expect(own.reduce(0) { $0 + ($1.received ?? 0) } == counts?.answered, "\(target)")
    }
  }

  @Test func `what does not answer, and where no way leads, has the line of a loss`() async throws {
    let site = try await ProbeSite(
      "[target 10.9.0.5]\nsilent = yes\n[target 10.9.0.6]\nanswer = prohibited\n[target fd09:2::7]\nanswer = unreachable 0",
      settings: "routes = 10.9.0.0/16 fd09::/16")
    try await site.host.ip("route add unreachable 10.8.0.0/16")
    let hosts = ["10.9.0.5", "10.9.0.6", "fd09:2::7", "10.8.0.1", "192.0.2.1", "2001:db8::1"]
    let child = try await site.host.connvitals("-p 3 --timeout 0.3 \(hosts.joined(separator: " "))")
    #expect(child.status == .exited(0))
    let loss = "-1.000\t-1.000\t-1.000\t-1.000\t100.000"
    #expect(child.output.lines == hosts.flatMap { [$0, loss] }, "\(child.errors.text)")
    let json = try await site.host.connvitals("-j -p 3 --timeout 0.3 192.0.2.1")
    let record = try OriginalRecord(line: try #require(json.output.lines.first))
    #expect(record.ping?.loss == 100 && record.ping?.min == -1)
    let event = try #require(try await site.host.events("-p 1 10.9.0.6").first)
    #expect(event.error?.contains("10.9.0.6") == true, "\(event)")
  }
}
