import Model
import Testing

@Suite struct MeasurementTests {
  @Test(
    arguments: [
      (10, 1, 1000, 100), (10, 10, 1000, 1000), (10, 20, 1000, 1000), (3, 1, 1000, 333), (7, 2, 1, 0),
      (60, 1, .max, UInt64.max / 60),
    ] as [(Int, Int, UInt64, UInt64)])
  func `what comes late is split into late and recent, and no byte is lost`(
    seconds: Int, recent: Int, bytes: UInt64, share: UInt64
  ) throws {
    let usage = Usage(received: bytes, sent: bytes / 2)
    let exited = [ProcessIdentity(pid: 1, startTime: 1)]
    let whole = Measurement(
      interval: .seconds(seconds), readings: [Reading(owner: .kernel, usage: usage)], exited: exited,
      balance: Balance(kernel: usage), warnings: [Warning(code: "x", text: "")])
    let parts = whole.split(recent: .seconds(recent))
    #expect(parts.count == (recent < seconds ? 2 : 1))
    let last = try #require(parts.last)
    #expect(last.interval == .seconds(min(recent, seconds)) && last.exited == exited)
    let recently = last.readings.reduce(0) { $0 + $1.usage.received }
    // Exact, but for what a fraction cannot say of numbers above 2^53.
    #expect(recently == share || (bytes == .max && recently.distance(to: share).magnitude < 1 << 12))
    let readings = parts.flatMap(\.readings)
    #expect(readings.reduce(.zero) { $0 + $1.usage } == usage)
    #expect(parts.reduce(.zero) { $0 + $1.balance.total } == usage)
    #expect(parts.flatMap(\.warnings).count == 1)
    #expect(parts.dropLast().allSatisfy { $0.interval == nil && $0.exited.isEmpty })
  }

  @Test(arguments: [(10, 1), (3, 2), (7, 3)]) func `what passed an interface is split as all of it is`(
    seconds: Int, recent: Int
  ) throws {
    let usage = Usage(received: 1001, sent: 99)
    var reading = Reading(owner: .kernel, usage: usage + usage)
    reading.interfaces = [
      InterfaceUsage(interface: 2, usage: usage), InterfaceUsage(interface: 3, usage: usage),
    ]
    var whole = Measurement(interval: .seconds(seconds), readings: [reading])
    whole.paths = [PathUsage(address: .anyV4, interface: 2, usage: usage)]
    let parts = whole.split(recent: .seconds(recent))
    let readings = parts.flatMap(\.readings)
    for interface in Int32(2)...3 {
      #expect(readings.reduce(.zero) { $0 + $1.interfaces.usage(of: [interface]) } == usage)
    }
    #expect(parts.flatMap(\.paths).reduce(.zero) { $0 + $1.usage } == usage)
    let last = try #require(parts.last)
    #expect(last.paths[0].usage.received == UInt64(1001 * recent / seconds))
    #expect(last.readings[0].interfaces.usage(of: [2]) == last.paths[0].usage)
    #expect(parts[0].followed(by: last).paths == whole.paths)
  }

  @Test func `the lookback stays whole`() {
    let lookback = Measurement(
      interval: nil, readings: [Reading(owner: .kernel, usage: Usage(received: 5, sent: 5))])
    let parts = lookback.split(recent: .seconds(1))
    #expect(parts.count == 1 && parts[0].readings == lookback.readings && parts[0].interval == nil)
  }

  @Test(arguments: [(1, 2, 3), (nil, 2, nil), (1, nil, nil), (nil, nil, nil)] as [(Int?, Int?, Int?)])
  func `two of one meter are one, and what had moved before it looked has no rate`(
    first: Int?, second: Int?, both: Int?
  ) {
    let process = ProcessIdentity(pid: 1, startTime: 1)
    var one = Measurement(
      interval: first.map { .seconds($0) }, readings: [Reading(owner: .kernel, usage: Usage(received: 1))],
      balance: Balance(kernel: Usage(received: 1)))
    one.health.vanished = 1
    var other = Measurement(
      interval: second.map { .seconds($0) }, readings: [Reading(owner: .kernel, usage: Usage(received: 2))],
      exited: [process], balance: Balance(kernel: Usage(received: 2)),
      warnings: [Warning(code: "a", text: "b")])
    other.health.vanished = 5
    let sum = one.followed(by: other)
    #expect(sum.interval == both.map { .seconds($0) })
    #expect(sum.readings == one.readings + other.readings && sum.exited == [process])
    #expect(sum.balance.kernel.received == 3 && sum.health == other.health && sum.warnings == other.warnings)
  }
}
