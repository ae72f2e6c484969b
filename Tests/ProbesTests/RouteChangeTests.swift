import Model
import Probes
import Testing

/// A route in one word: a letter a hop, `.` for one that did not answer; `!` behind it for a destination that answered,
/// `x` for a router that refuses.
func route(_ text: String) -> RouteTrace {
  let letters = text.hasSuffix("!") || text.hasSuffix("x") ? text.dropLast() : text[...]
  let hops = letters.map { letter in
    letter == "."
      ? RouteTrace.Hop()
      : RouteTrace.Hop(
        IPAddress(v4: 0x0a00_0000 | UInt32(letter.asciiValue ?? 0)), .milliseconds(Int.random(in: 1...9)))
  }
  let ending: RouteTrace.Ending =
    text.hasSuffix("!") ? .reached : text.hasSuffix("x") ? .stopped(PathError(.prohibited)) : .exhausted
  return RouteTrace(hops: hops, ending: ending)
}

@Suite struct RouteChangeTests {
  @Test(arguments: [
    ("abc!", "abc!", false), ("abc!", "a.c!", false), ("a.c!", "abc!", false), ("...", "abc", false),
    ("abc!", "axc!", true), ("abc!", "abd!", true), ("abc!", "abcd!", true), ("abcd!", "abc!", true),
    ("a.c!", ".b.d!", true), ("ab", "abc!", false), ("abx", "abc!", false), ("abc!", "ab", false),
    ("abc!", "axb", true), ("", "abc!", false), ("abc!", "x", false), ("", "", false),
  ])
  func `routes differ in hops that answered in both, and in their length`(
    new: String, old: String, differ: Bool
  ) {
    #expect(route(new).differs(from: route(old)) == differ)
  }

  /// `1` stands for the first, `.` for the same, `c` for a change.
  @Test(arguments: [
    (["abc!"], "1"), (["..."], "1"), (["x"], "1"), (["abc!", "abc!", "abc!"], "1.."),
    // A hop that is silent for a while.
    (["abc!", "a.c!", "abc!", "..c!", "abc!"], "1...."), (["a.c!", "abc!", "a.c!"], "1.."),
    // One that is silent, then another: a change all the same.
    (["abc!", "a.c!", "axc!"], "1.c"), (["a.c!", "abc!", "a.c!", "axc!", "a.c!", "axc!"], "1..c.."),
    (["abc!", "axc!", "abc!", "abc!"], "1cc."),
    // A route that grows, or is shorter.
    (["abc!", "abzc!", "abzc!"], "1c."), (["abzc!", "abc!"], "1c"),
    // The network is away for a while: as far as it is seen, nothing has changed.
    (["abc!", "abx", "ab", "abc!"], "1..."), (["abc!", "x", "abc!"], "1.."),
    (["abc!", "ab", "abcd!"], "1.c"),
    (["abx", "abc!", "abcd!"], "1.c"), (["abx", "abcd", "abce"], "1.c"),
    (["ab", "abc", "ab", "abd"], "1..c"),
  ])
  func `the first trace is shown, and each that is another route`(traces: [String], verdicts: String) {
    var change = RouteChange()
    let shown = traces.map { trace -> String in
      switch change.record(route(trace)) {
      case .first: "1"
      case .same: "."
      case .changed: "c"
      }
    }
    #expect(shown.joined() == verdicts)
  }

  @Test func `a change has the old route as it was last known`() {
    var change = RouteChange()
    _ = change.record(route("a.c!"))
    _ = change.record(route(".bc!"))
    guard case .changed(let old) = change.record(route("abd!")) else {
      Issue.record("no change")
      return
    }
    #expect(old.hops.map(\.address) == route("abc!").hops.map(\.address))
    #expect(RouteChange.Verdict.changed(from: old).isShown && RouteChange.Verdict.first.isShown)
    #expect(!RouteChange.Verdict.same.isShown)
  }
}

@Suite struct FlowPathsTests {
  /// The paths of several flows, each with how many took it.
  private func paths(_ traces: [String]) -> [String] {
    let whole = RouteTrace(flows: traces.map(route))
    return ([whole] + whole.others).map { path in
      let letters = path.hops.map { hop in
        hop.address.map { String(UnicodeScalar(UInt8(truncatingIfNeeded: $0.low))) } ?? "."
      }
      return "\(letters.joined())\(path.ending == .reached ? "!" : "") \(path.flows)"
    }
  }

  @Test(arguments: [
    (["abz!", "axz!", "abz!"], ["abz! 2", "axz! 1"]),
    // A destination that answers seldom ends no path of its own.
    (["az!", "a....z!", "a.z!"], ["az! 3"]), (["a....z!", "bz!", "az!", "b.z!"], ["az! 2", "bz! 2"]),
    (["abz!", ".b..z!", "a...z!"], ["abz! 3"]),
    // A longer path whose routers answer is one.
    (["az!", "abz!"], ["abz! 1", "az! 1"]), (["az!", "a.cz!"], ["a.cz! 1", "az! 1"]),
    // Nobody has seen a nearer end.
    (["a..z!", "a..z!"], ["a..z! 2"]), (["az!", "a...", "a...z!"], ["az! 3"]),
  ])
  func `each path is there once`(traces: [String], expected: [String]) {
    #expect(paths(traces) == expected)
  }
}
