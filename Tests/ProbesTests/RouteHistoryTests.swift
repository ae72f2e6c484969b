import Lab
import Model
import Probes
import Testing

@Suite struct RouteHistoryTests {
  /// What traces lead to: `abc>axc` for each change, in the letters of `route`, `.` for a trace without one.
  private func play(_ traces: [String]) -> [String] {
    var history = RouteHistory()
    return traces.map { trace in
      history.record(route(trace)).map { "\(letters($0.from))>\(letters($0.to))" } ?? "."
    }
  }

  private func letters(_ trace: RouteTrace) -> String {
    trace.hops.map { hop in
      hop.address.map { String(UnicodeScalar(UInt8(truncatingIfNeeded: $0.low))) } ?? "."
    }.joined()
  }

  @Test(arguments: [
    // P11.
    (["abc!", "a.c!", "abc!", "..c!", "abc!"], [".", ".", ".", ".", "."]),
    (["abc!", "axc!", "axc!"], [".", "abc>axc", "."]),
    // The first is none, whatever it shows.
    (["..."], ["."]), (["x"], ["."]), (["abx"], ["."]),
    // A hop that is silent, then another: the old route as it was last known.
    (["abc!", "a.c!", "axc!"], [".", ".", "abc>axc"]), (["a.c!", ".bc!", "abd!"], [".", ".", "abc>abd"]),
    // A silent hop of the new route is that: it is not known.
    (["abcd!", "ax.d!"], [".", "abcd>ax.d"]),
    // What does not reach the target is compared as far as it goes.
    (["abc!", "abx", "ab", "abc!"], [".", ".", ".", "."]), (["abc!", "axx"], [".", "abc>ax"]),
    (["abx", "abc!", "abcd!"], [".", ".", "abc>abcd"]),
    // Longer and shorter.
    (["abc!", "abzc!", "abzc!"], [".", "abc>abzc", "."]), (["abzc!", "abc!"], [".", "abzc>abc"]),
  ])
  func `a change is reported at once, with both routes`(traces: [String], expected: [String]) {
    #expect(play(traces) == expected)
  }

  @Test(arguments: [1, 2, 3])
  func `an outage is no other route: who says that it goes no further is no router of it`(hop: Int) {
    var history = RouteHistory()
    #expect(history.record(route("abc!")) == nil)
    var cut = route(String("abc".prefix(hop - 1)) + "z")
    cut.ending = .stopped(PathError(.hostUnreachable, reporter: cut.hops.last?.address))
    for _ in 0..<(2 * RouteHistory.memory) { #expect(history.record(cut) == nil) }
    #expect(history.record(route("abc!")) == nil)
  }

  private let memory = RouteHistory.memory

  @Test func `routes that alternate are reported once for each router`() {
    let traces = (0..<100).map { ["abc!", "axc!"][$0 % 2] }
    #expect(play(traces).filter { $0 != "." } == ["abc>axc"])
    let three = (0..<300).map { ["abc!", "axc!", "ayc!"][$0 % 3] }
    #expect(play(three).filter { $0 != "." } == ["abc>axc", "axc>ayc"])
    // Two balanced hops make four routes, of different length.
    let mixed = (0..<400).map { ["abcd!", "axcd!", "abyd!", "axyed!"][($0 * $0 + $0 / 7) % 4] }
    #expect(play(mixed).filter { $0 != "." }.count <= 3)
  }

  @Test func `routes that alternate at random are no storm`() {
    var random = SplitMix64(seed: 11)
    let traces = (0..<2000).map { _ in ["abc!", "axc!", "ayc!"].randomElement(using: &random) ?? "" }
    // Seldom one of them is away for so long that it was forgotten.
    #expect(play(traces).filter { $0 != "." }.count < 40)
  }

  @Test func `a route that comes back at once is reported when it holds`() {
    let back = ["abc!", "axc!"] + Array(repeating: "abc!", count: memory + 5)
    let changes = play(back)
    #expect(changes[1] == "abc>axc")
    #expect(
      changes[2..<(memory + 1)].allSatisfy { $0 == "." } && changes[memory + 1] == "axc>abc", "\(changes)")
    #expect(changes[(memory + 2)...].allSatisfy { $0 == "." })
  }

  @Test func `a route that comes back after a while is reported at once`() {
    let traces = ["abc!"] + Array(repeating: "axc!", count: memory + 1) + ["abc!"]
    let changes = play(traces)
    #expect(changes[1] == "abc>axc" && changes.last == "axc>abc", "\(changes)")
    #expect(changes.filter { $0 != "." }.count == 2)
  }

  @Test func `a while without answers changes nothing`() {
    let traces = ["abc!"] + Array(repeating: "x", count: 40) + ["abc!"]
    #expect(play(traces).allSatisfy { $0 == "." })
  }
}
