import Lab
import Testing

/// Answers that are none.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct GarbageTests {
  /// What is wrong with an answer, and how to know it.
  struct Kind: Sendable, CustomTestStringConvertible {
    let name: String
    let isSuch: @Sendable (Probes.Answer, String) -> Bool

    var testDescription: String { name }
  }

  static let kinds = [
    Kind(name: "checksum") { answer, _ in answer.valid == false },
    Kind(name: "truncated") { answer, _ in answer.size == 16 && answer.valid != false },
    Kind(name: "identifier") { answer, _ in answer.stranger == true && answer.valid != false },
    Kind(name: "sequence") { answer, _ in !(0..<10).contains(answer.probe ?? 0) && answer.valid != false },
    Kind(name: "source") { answer, target in answer.from != target && answer.valid != false },
    Kind(name: "payload") { answer, _ in answer.same == false && answer.valid != false },
  ]

  @Test(arguments: kinds, ["10.9.0.5", "fd09:2::5"])
  func `an echo reply is spoilt`(kind: Kind, target: String) async throws {
    let site = try await Site("[target \(target)]\ngarbage = 100 \(kind.name)")
    let answers = try await Probes.answers("echo \(target) 10", in: site.host, of: site.network)
    // Of IPv6 the kernel takes none with a wrong checksum.
    let isTaken = !target.contains(":") || kind.name != "checksum"
    #expect(answers.count == (isTaken ? 10 : 0))
    #expect(answers.allSatisfy { kind.isSuch($0, target) }, "\(answers)")
    let counts = try #require(try await site.network.stop().targets[target])
    #expect(counts.garbage == 10 && counts.answered == 0 && counts.sum == 10)
  }

  @Test(arguments: kinds.dropFirst())
  func `noise comes before the answer`(kind: Kind) async throws {
    let site = try await Site("[target 10.9.0.5]\nnoise = 100 \(kind.name)\ndelay = 2")
    let answers = try await Probes.answers("echo 10.9.0.5 1", in: site.host, of: site.network)
    #expect(answers.count == 2)
    #expect(kind.isSuch(try #require(answers.first), "10.9.0.5"))
    let genuine = try #require(answers.last)
    #expect(genuine.probe == 0 && genuine.same == true && genuine.from == "10.9.0.5" && genuine.valid == true)
    let counts = try #require(try await site.network.stop().targets["10.9.0.5"])
    #expect(counts.noise == 1 && counts.answered == 1)
  }

  @Test func `an error quotes too little`() async throws {
    let site = try await Site(
      "[target 10.9.0.5]\ngarbage = 100 truncated\n[target fd09:2::5]\ngarbage = 100 truncated")
    for (target, quoted) in [("10.9.0.5", 10), ("fd09:2::5", 20)] {
      let answers = try await Probes.answers("udp \(target) 3", in: site.host, of: site.network)
      #expect(answers.map(\.quoted) == [quoted, quoted, quoted])
      #expect(answers.allSatisfy { $0.probe == nil && $0.valid != false })
    }
  }

  @Test(arguments: ["identifier", "sequence"], ["10.9.0.5", "fd09:2::5"])
  func `an error is about another probe`(kind: String, target: String) async throws {
    let hop = target.contains(":") ? "fd09:1::1" : "10.9.1.1"
    let site = try await Site("[hop \(hop)]\ngarbage = 100 \(kind)\n[target \(target)]\npath = \(hop)")
    let answers = try await Probes.answers("echo \(target) 10 1", in: site.host, of: site.network)
    #expect(answers.count == 10)
    #expect(answers.allSatisfy { (0..<10).contains($0.probe ?? 0) == (kind == "identifier") }, "\(answers)")
    #expect(try await site.network.stop().hops[hop]?.garbage == 10)
  }

  @Test func `ping takes a reply with changed data, and says so`() async throws {
    let site = try await Site("[target 10.9.0.5]\ngarbage = 100 payload")
    let text = try await site.text("ping -n -c 1 10.9.0.5")
    #expect(text.contains("wrong data byte"), "\(text)")
  }
}
