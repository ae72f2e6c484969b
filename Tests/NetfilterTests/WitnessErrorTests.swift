import SystemPackage
import Testing

@testable import Netfilter

@Suite struct WitnessErrorTests {
  private static let log = "libbpf: prog 'sent': failed to load: -22\n"

  struct Row: Sendable {
    var release = "6.18.44"
    var hasTypes = true
    var mayLoad = true
    var isLockedDown = false
    var tier = WitnessTier.calls
    var stage = WitnessProgram.Stage.loading
    var error: Errno
    var expected: WitnessError
  }

  @Test(arguments: [
    Row(hasTypes: false, stage: .opening, error: .noSuchProcess, expected: .withoutTypes),
    Row(mayLoad: false, error: .notPermitted, expected: .notPermitted),
    Row(isLockedDown: true, error: .notPermitted, expected: .lockedDown),
    Row(
      release: "6.1.0-28-amd64", error: .noSuchProcess, expected: .tooOld(.calls, running: "6.1.0-28-amd64")),
    Row(
      release: "5.4.0", tier: .packets, error: .invalidArgument, expected: .tooOld(.packets, running: "5.4.0")
    ),
    Row(error: .noFunction, expected: .unsupported("bpf(2)")),
    Row(
      error: .noSuchProcess,
      expected: .unsupported("tracepoint that is needed (libbpf: prog 'sent': failed to load: -22)")),
    Row(error: .noMemory, expected: .failed("loading a BPF program", .noMemory)),
    Row(
      stage: .mapping, error: .noMemory, expected: .failed("mapping what the BPF program writes", .noMemory)),
    Row(
      stage: .opening, error: .invalidArgument,
      expected: .wrongObject("Invalid argument. libbpf: prog 'sent': failed to load: -22")),
    Row(
      error: .invalidArgument,
      expected: .refused(.calls, log: "Invalid argument. libbpf: prog 'sent': failed to load: -22")),
    Row(
      error: .permissionDenied,
      expected: .refused(.calls, log: "Permission denied. libbpf: prog 'sent': failed to load: -22")),
  ])
  func `a failure has the cause that the machine shows`(row: Row) {
    let facts = WitnessFacts(
      release: row.release, hasTypes: row.hasTypes, mayLoad: row.mayLoad, isLockedDown: row.isLockedDown)
    let cause = facts.cause(of: row.tier, row.stage, row.error, log: Self.log)
    #expect(cause == row.expected)
    #expect(cause.description.contains("lookup") || cause.description.contains("make bpf"))
  }

  @Test(
    arguments: [
      ("6.1.0-28-amd64\n", (6, 1)), ("5.15.0", (5, 15)), ("6.18.44-fc-v669", (6, 18)), ("7.0-rc1", (7, 0)),
    ] as [(String, (Int, Int))])
  func `a release is read up to its second number`(text: String, expected: (Int, Int)) {
    #expect(KernelRelease(text) == KernelRelease(major: expected.0, minor: expected.1))
  }

  @Test(arguments: ["", "x", "6", "a.b", ".1", "6."]) func `what is no release is refused`(text: String) {
    #expect(KernelRelease(text) == nil)
  }

  @Test func `only the end of a long log is kept`() {
    let log = (1...50).map { "  line \($0)" }.joined(separator: "\n")
    #expect(WitnessFacts.end(of: log) == (43...50).map { "line \($0)" }.joined(separator: " / "))
  }

  @Test(arguments: [
    (WitnessChoice.auto, [WitnessTier.calls, .packets]), (.calls, [.calls]), (.packets, [.packets]),
    (.lookup, []),
  ])
  func `a choice says what is tried`(choice: WitnessChoice, expected: [WitnessTier]) {
    #expect(choice.tiers == expected)
  }
}
