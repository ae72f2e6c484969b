import Testing

@testable import Netfilter
@testable import SystemRuntime

/// How a dump goes on, ends and fails (netlink(7)), and when it is repeated.
@Suite struct NetlinkDumpTests {
  private static let interrupted = NetlinkHeader.Flag.interrupted

  private static func code(_ number: Int32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  /// Type, flags, sequence and payload of a message; what it makes of an answer to question 7.
  @Test(
    arguments: [
      ("an entry", 256, 2, 7, [], true, false, false, nil),
      ("an association of SCTP, which no flag marks as a part", 20, 0, 7, [], true, false, false, nil),
      ("an entry after a change", 256, 2 | interrupted, 7, [], true, false, true, nil),
      ("an answer to an older question", 256, 2 | interrupted, 6, [], false, false, false, nil),
      ("the end", 3, 2, 7, code(0), false, true, false, nil),
      ("the end without a number", 3, 2, 7, [], false, true, false, nil),
      ("the end after a change", 3, 2 | interrupted, 7, code(0), false, true, true, nil),
      ("an early end", 3, 2, 7, code(-12), false, true, false, 12),
      ("a refusal", 2, 0, 7, code(-1), false, true, false, 1),
      ("an acknowledgement", 2, 0, 7, code(0), false, true, false, 0),
      ("a refusal with a number that has no opposite", 2, 0, 7, [0, 0, 0, 0x80], false, true, false, 74),
      ("a refusal with no error's number", 2, 0, 7, code(5), false, true, false, 74),
      ("an early end with a number that has no opposite", 3, 2, 7, [0, 0, 0, 0x80], false, true, false, 74),
      ("a refusal cut short", 2, 0, 7, [1, 2], false, true, false, 74),
      ("an older question's refusal", 2, 0, 6, code(-1), false, false, false, nil),
      ("nothing", 1, 0, 7, [], false, false, false, nil),
      ("lost data", 4, 0, 7, [], false, false, true, nil),
    ] as [(String, UInt16, UInt16, UInt32, [UInt8], Bool, Bool, Bool, CInt?)])
  func `each message of an answer`(
    name: String, type: UInt16, flags: UInt16, sequence: UInt32, payload: [UInt8], isPart: Bool, isDone: Bool,
    isInterrupted: Bool, failure: CInt?
  ) {
    var answer = DumpAnswer(sequence: 7)
    let header = NetlinkHeader(type: type, flags: flags, sequence: sequence)
    let isTaken = unsafe answer.take(header, payload.span.bytes)
    #expect(isTaken == isPart, "\(name)")
    #expect(answer.isDone == isDone && answer.isInterrupted == isInterrupted, "\(name)")
    #expect(answer.failure == failure, "\(name)")
  }

  @Test(arguments: 0...5) func `a dump is repeated until it is whole, and given up in the end`(
    interruptions: Int
  ) {
    var attempts = 0
    var counted: UInt64 = 0
    var error: KernelError?
    do throws(KernelError) {
      try ConsistentDump.read(interrupted: &counted) {
        attempts += 1
        return attempts <= interruptions
      }
    } catch let failure { error = failure }
    #expect(counted == UInt64(interruptions))
    #expect(attempts == min(interruptions + 1, ConsistentDump.attempts))
    #expect(error == (interruptions < ConsistentDump.attempts ? nil : .neverConsistent(attempts: 5)))
  }

  @Test func `a failure ends the attempts`() {
    var attempts = 0
    var counted: UInt64 = 0
    #expect(throws: KernelError.unsupported("dumps")) {
      try ConsistentDump.read(interrupted: &counted) { () throws(KernelError) in
        attempts += 1
        if attempts == 2 { throw .unsupported("dumps") }
        return true
      }
    }
    #expect(attempts == 2 && counted == 1)
  }
}
