import Model
import Testing

@testable import Notifications

@Suite struct CommandQueueTests {
  private func command(
    _ rule: String, _ state: Alert.State = .firing, since: Int64 = 0, onResolve: Bool = true
  ) -> Command {
    Command(
      alert: sampleAlert(state, rule: rule, since: since),
      rule: CommandRule(rule: rule, words: ["/bin/true"], runsOnResolve: onResolve))
  }

  private func names(_ commands: [Command]) -> [String] {
    commands.map { command in
      let mark =
        switch command.alert.state {
        case .firing: "+"
        case .repeated(let count): String(count)
        case .resolved: "-"
        }
      return "\(command.rule.rule)\(mark)"
    }
  }

  /// Runs all that waits, one after the other.
  private func drain(_ queue: inout CommandQueue) -> [String] {
    var order = [String]()
    while true {
      let started = queue.start()
      if started.isEmpty { return order }
      order += names(started)
      for command in started { queue.finish(rule: command.rule.rule) }
    }
  }

  @Test func `four run at once, in order`() {
    var queue = CommandQueue()
    for rule in ["a", "b", "c", "d", "e", "f"] { queue.add(command(rule)) }
    #expect(names(queue.start()) == ["a+", "b+", "c+", "d+"])
    #expect(queue.start().isEmpty)
    queue.finish(rule: "c")
    #expect(names(queue.start()) == ["e+"])
    #expect(queue.waitingCount == 1 && !queue.isIdle)
  }

  @Test func `a rule runs one command at a time and does not hold up others`() {
    var queue = CommandQueue()
    for since in 1...3 { queue.add(command("a", since: Int64(since))) }
    queue.add(command("b"))
    #expect(names(queue.start()) == ["a+", "b+"])
    queue.finish(rule: "b")
    #expect(queue.start().isEmpty)
    queue.finish(rule: "a")
    #expect(names(queue.start()) == ["a+"])
    #expect(queue.dropped == 0)
  }

  @Test func `a firing that waits is still run when it is over, and both in order`() {
    var queue = CommandQueue()
    queue.add(command("a", since: 1))
    _ = queue.start()
    queue.add(command("a", since: 2))
    queue.add(command("a", .resolved(.below), since: 2))
    queue.finish(rule: "a")
    #expect(drain(&queue) == ["a+", "a-"])
    #expect(queue.isIdle && queue.dropped == 0)
  }

  @Test func `a resolution is run only where it is wanted`() {
    var queue = CommandQueue()
    queue.add(command("a", .resolved(.below), onResolve: false))
    queue.add(command("b", .resolved(.below)))
    #expect(drain(&queue) == ["b-"])
    #expect(queue.dropped == 0)
  }

  @Test func `repetitions that wait become the newest`() {
    var queue = CommandQueue()
    queue.add(command("a"))
    _ = queue.start()
    for count in 2...5 { queue.add(command("a", .repeated(count: count))) }
    queue.add(command("a", .repeated(count: 2), since: 9))
    queue.finish(rule: "a")
    #expect(drain(&queue) == ["a5", "a2"])
    #expect(queue.dropped == 3)
  }

  @Test func `a repetition says nothing while its firing waits`() {
    var queue = CommandQueue()
    queue.add(command("a", since: 1))
    _ = queue.start()
    queue.add(command("a", since: 2))
    queue.add(command("a", .repeated(count: 2), since: 2))
    queue.finish(rule: "a")
    #expect(drain(&queue) == ["a+"])
    #expect(queue.dropped == 1)
  }

  @Test func `a full queue drops a repetition first`() {
    var queue = CommandQueue(places: 1, capacity: 3)
    queue.add(command("busy"))
    _ = queue.start()
    for waiting in [command("a"), command("b", .repeated(count: 2)), command("c"), command("d")] {
      queue.add(waiting)
    }
    queue.finish(rule: "busy")
    #expect(drain(&queue) == ["a+", "c+", "d+"])
    #expect(queue.dropped == 1)
  }

  @Test func `a crowding rule pays for itself`() {
    var queue = CommandQueue(places: 1, capacity: 3)
    queue.add(command("busy"))
    _ = queue.start()
    for waiting in [command("a"), command("b", since: 1), command("b", since: 2), command("b", since: 3)] {
      queue.add(waiting)
    }
    queue.finish(rule: "busy")
    #expect(drain(&queue) == ["a+", "b+", "b+"])
    #expect(queue.dropped == 1)
  }

  @Test func `the resolution of a dropped firing is dropped`() {
    var queue = CommandQueue(places: 1, capacity: 1)
    queue.add(command("busy"))
    _ = queue.start()
    queue.add(command("a"))
    queue.add(command("b"))
    queue.add(command("a", .resolved(.below)))
    queue.finish(rule: "busy")
    #expect(drain(&queue) == ["b+"])
    #expect(queue.dropped == 2)
  }

  @Test func `a pair that waits is dropped as a pair`() {
    var queue = CommandQueue(places: 1, capacity: 2)
    queue.add(command("busy"))
    _ = queue.start()
    queue.add(command("a"))
    queue.add(command("a", .resolved(.below)))
    queue.add(command("b"))
    #expect(queue.dropped == 2 && queue.waitingCount == 1)
    queue.finish(rule: "busy")
    #expect(drain(&queue) == ["b+"])
  }

  @Test func `a resolution that would drop its own firing goes with it`() {
    var queue = CommandQueue(places: 1, capacity: 1)
    queue.add(command("busy"))
    _ = queue.start()
    queue.add(command("a"))
    queue.add(command("a", .resolved(.below)))
    queue.finish(rule: "busy")
    #expect(drain(&queue).isEmpty)
    #expect(queue.dropped == 2 && queue.isIdle)
  }

  @Test func `the resolution of a firing that ran makes itself room`() {
    var queue = CommandQueue(places: 1, capacity: 1)
    queue.add(command("a"))
    _ = queue.start()
    queue.add(command("b"))
    queue.add(command("a", .resolved(.below)))
    queue.finish(rule: "a")
    #expect(drain(&queue) == ["a-"])
    #expect(queue.dropped == 1)
  }

  @Test func `after a repetition ran the resolution is wanted again`() {
    var queue = CommandQueue(places: 1, capacity: 1)
    queue.add(command("busy"))
    _ = queue.start()
    queue.add(command("a"))
    queue.add(command("b"))
    queue.finish(rule: "busy")
    #expect(drain(&queue) == ["b+"])
    queue.add(command("a", .repeated(count: 2)))
    #expect(drain(&queue) == ["a2"])
    queue.add(command("a", .resolved(.gone)))
    #expect(drain(&queue) == ["a-"])
  }

  @Test func `what waits can be given up`() {
    var queue = CommandQueue(places: 1)
    for rule in ["a", "b", "c"] { queue.add(command(rule)) }
    _ = queue.start()
    #expect(queue.dropWaiting() == 2)
    #expect(queue.dropped == 2 && !queue.isIdle)
    queue.finish(rule: "a")
    #expect(queue.isIdle)
  }

  @Test(arguments: 1...20)
  func `bounds and pairs hold in any order of things`(seed: UInt64) {
    var random = seed
    func next(_ bound: UInt64) -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (random >> 33) % bound
    }
    var queue = CommandQueue(places: 3, capacity: 5)
    var (added, run) = (UInt64(0), UInt64(0))
    var running: [Command] = []
    var open: [Command.Episode: Command] = [:]
    var announced: Set<Command.Episode> = []
    for step in 0..<3000 {
      let key = Command.Episode(
        rule: "r\(next(6))", subject: "wget", direction: .received,
        since: Timestamp(seconds: 0, nanoseconds: 5_000_000, utcOffset: 3600))
      switch next(4) {
      case 0, 1:
        let existing = open.first { $0.key.rule == key.rule }
        let new =
          existing.map {
            command(
              key.rule, next(2) == 0 ? .repeated(count: step) : .resolved(.below),
              since: $0.value.alert.since.seconds)
          }
          ?? command(key.rule, since: Int64(step))
        if new.isResolved { open[new.episode] = nil } else { open[new.episode] = new }
        queue.add(new)
        added += 1
      case 2:
        if !running.isEmpty {
          queue.finish(rule: running.remove(at: Int(next(UInt64(running.count)))).rule.rule)
        }
      default:
        for started in queue.start() {
          run += 1
          running.append(started)
          #expect(!started.isResolved || announced.contains(started.episode))
          announced.insert(started.episode)
        }
      }
      #expect(running.count <= 3 && Set(running.map(\.rule.rule)).count == running.count)
      #expect(queue.waitingCount <= 5)
      #expect(added == run + queue.dropped + UInt64(queue.waitingCount))
    }
    #expect(run > 100 && queue.dropped > 0)
  }
}
