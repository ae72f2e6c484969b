import Lab
import Testing

/// What ping(8) and a counting sender see of a target.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct EchoTests {
  @Test(arguments: ["10.9.0.5", "fd09:2::5"])
  func `a round trip lasts at least its delay`(target: String) async throws {
    let site = try await Site("[target \(target)]\ndelay = 60.5\njitter = 5")
    let text = try await site.text("ping -n -c 5 -i 0.2 \(target)")
    let times = Site.milliseconds(text)
    #expect(!times.isEmpty, "\(text)")
    // ping(8) rounds.
    #expect(times.allSatisfy { $0 >= 60.4 }, "\(text)")
    #expect(try await site.network.stop().targets[target]?.answered == 5)
  }

  @Test func `a hop's time is its own`() async throws {
    let site = try await Site("[hop 10.9.1.1]\ndelay = 80\n[target 10.9.0.5]\npath = 10.9.1.1\ndelay = 40")
    let text = try await site.text("traceroute -n -q 1 -w 60 10.9.0.5")
    let times = Site.milliseconds(text)
    #expect(times.count == 2 && times[0] >= 80 && times[1] >= 40, "\(text)")
  }

  @Test(arguments: ["10.9.0.5", "fd09:2::5"], ["echo", "udp"])
  func `loss, duplicates and reordering are as counted`(target: String, kind: String) async throws {
    let site = try await Site(
      "[target \(target)]\nloss = 30\nduplicate = 5\nreorder = 25 30\ndelay = 5")
    let answers = try await Probes.answers("\(kind) \(target) 1000", in: site.host, of: site.network)
    let counts = try #require(try await site.network.stop().targets[target])
    #expect(counts.received == 1000 && counts.received == counts.sum, "\(counts)")
    #expect((200...400).contains(counts.lost) && (15...60).contains(counts.duplicated), "\(counts)")
    #expect((100...250).contains(counts.reordered), "\(counts)")
    let numbers = answers.compactMap(\.probe)
    #expect(Set(numbers).count == counts.answered)
    #expect(numbers.count == counts.answered + counts.duplicated)
    #expect(answers.allSatisfy { $0.valid != false && $0.from == target })
    #expect(numbers != numbers.sorted())
  }

  @Test func `the same seed loses the same`() async throws {
    var runs = [[Int]]()
    for seed in [7, 7, 8] {
      let site = try await Site("[target 10.9.0.5]\nloss = 50", settings: "seed = \(seed)")
      let answers = try await Probes.answers("echo 10.9.0.5 100", in: site.host, of: site.network)
      runs.append(answers.compactMap(\.probe).sorted())
    }
    #expect(runs[0] == runs[1])
    #expect(runs[0] != runs[2])
  }

  @Test func `ping calls a second copy a duplicate`() async throws {
    let site = try await Site("[target 10.9.0.5]\nduplicate = 100\n[target fd09:2::5]\nduplicate = 100")
    for target in ["10.9.0.5", "fd09:2::5"] {
      let text = try await site.text("ping -n -c 3 -i 0.2 \(target)")
      #expect(text.contains("DUP!") && text.contains("duplicates"), "\(text)")
    }
  }

  @Test func `a late answer comes late`() async throws {
    let site = try await Site("[target 10.9.0.5]\nlate = 100 700")
    let start = ContinuousClock.now
    let answers = try await Probes.answers("echo 10.9.0.5 1", in: site.host, of: site.network)
    #expect(ContinuousClock.now - start >= .milliseconds(700))
    #expect(answers.count == 1)
    #expect(try await site.network.stop().targets["10.9.0.5"]?.late == 1)
  }

  @Test func `all hosts of a prefix answer, each from its own address`() async throws {
    let site = try await Site("[target 10.10.0.0/16]\n[target 10.10.3.0/24]\nsilent = yes")
    for target in ["10.10.0.1", "10.10.255.254"] {
      let text = try await site.text("ping -n -c 1 \(target)")
      #expect(text.contains("bytes from \(target)"), "\(text)")
    }
    let silent = try await Probes.answers("echo 10.10.3.7 5", in: site.host, of: site.network)
    #expect(silent.isEmpty)
    let counters = try await site.network.stop()
    #expect(counters.targets["10.10.0.0/16"]?.answered == 2)
    #expect(counters.targets["10.10.3.0/24"]?.ignored == 5)
  }

  @Test func `an answer for which there is no room is counted`() async throws {
    let site = try await Site("[target 10.9.0.5]\ndelay = 1500", settings: "queue = 10")
    let answers = try await Probes.answers("echo 10.9.0.5 100", in: site.host, of: site.network)
    let counts = try #require(try await site.network.stop().targets["10.9.0.5"])
    #expect(counts.overflow > 0 && counts.received == counts.sum, "\(counts)")
    #expect(answers.count == counts.answered)
  }
}
