import Glibc
import KernelLab
import Lab
import Testing

@testable import Netfilter
@testable import SystemRuntime

/// Messages of the proc connector: bytes as Linux 6.18 sends them, and what can be wrong with them.
@Suite struct ProcessEventsTests {
  struct Row: CustomTestStringConvertible {
    var testDescription: String
    var kind: UInt32
    var detail: [UInt32]
    var message: ProcConnectorMessage

    /// struct cn_msg (identifiers, sequence, acknowledgement, length, flags), then struct proc_event (kind, CPU,
    /// time, detail of 24 bytes).
    var bytes: [UInt8] {
      let padded = detail + [UInt32](repeating: 0, count: 6 - detail.count)
      return ProcessEventsTests.bytes([1, 1, 7, 0, 40, kind, 0, 0x258b_5179, 0x3f5] + padded)
    }
  }

  static func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }

  static let rows = [
    Row(testDescription: "an acknowledgement", kind: 0, detail: [0], message: .acknowledged(0)),
    Row(testDescription: "a refusal", kind: 0, detail: [1], message: .acknowledged(1)),
    // Parent's thread and process, child's thread and process.
    Row(
      testDescription: "a fork from a thread", kind: 1, detail: [25533, 25532, 25587, 25587],
      message: .fork(parent: 25532, child: 25587)),
    Row(testDescription: "a new thread", kind: 1, detail: [25532, 25532, 25588, 25532], message: .other),
    Row(
      testDescription: "a fork by a parent out of sight", kind: 1, detail: [0, 0, 9, 9],
      message: .fork(parent: 0, child: 9)),
    Row(
      testDescription: "another program", kind: 2, detail: [25587, 25587], message: .exec(25587)
    ),
    Row(testDescription: "a change of user", kind: 4, detail: [9, 9, 0, 0], message: .other),
    Row(testDescription: "a change of name", kind: 0x200, detail: [9, 9, 0, 0], message: .other),
    Row(testDescription: "an end", kind: 0x8000_0000, detail: [25587, 25587, 0, 17], message: .exit(25587)),
    Row(testDescription: "the end of a thread", kind: 0x8000_0000, detail: [25588, 25587], message: .other),
    Row(testDescription: "an event of a later kernel", kind: 0x400, detail: [9, 9], message: .other),
  ]

  private func decode(_ bytes: [UInt8]) -> ProcConnectorMessage? {
    ProcConnectorMessage(unsafe bytes.span.bytes)
  }

  @Test(arguments: rows)
  func `a message says what happened to a process, not to a thread`(row: Row) {
    #expect(decode(row.bytes) == row.message)
  }

  @Test(arguments: rows)
  func `no prefix of a message is one`(row: Row) {
    for length in 0..<row.bytes.count { #expect(decode(Array(row.bytes[..<length])) == nil) }
    #expect(decode(row.bytes + [0, 0, 0, 0]) == row.message)
  }

  @Test(arguments: rows)
  func `mutations name only pids that can be`(row: Row) {
    var mutations = SplitMix64(seed: 5)
    for _ in 0..<5_000 {
      switch decode(mutations.mutate(row.bytes)) {
      case .fork(let parent, let child): #expect(parent >= 0 && child > 0)
      case .exec(let pid), .exit(let pid): #expect(pid > 0)
      case .acknowledged, .other, nil: break
      }
    }
  }

  @Test(arguments: [0, 4, 16, 20, 39] as [UInt8])
  func `a length that ends before what it must hold is malformed`(length: UInt8) {
    var bytes = Self.rows[2].bytes
    bytes[16] = length
    // The detail of a fork ends at 32.
    #expect((decode(bytes) != nil) == (length >= 32))
  }

  @Test func `messages of other senders are passed over`() {
    var bytes = Self.rows[2].bytes
    bytes[0] = 3
    #expect(decode(bytes) == .other)
  }

  @Test func `the kernel reports a child's start, program and end`() throws {
    var events = try connector()
    let child = try OwnersChild(["true"])
    child.wait()
    var messages: [ProcConnectorMessage] = []
    while !messages.contains(.exit(child.pid)) {
      let receipt = try events.receive(limit: 1_000) { messages.append($0) }
      #expect(receipt.malformed == 0)
      if receipt.isDrained { sched_yield() }
    }
    let expected: [ProcConnectorMessage] = [
      .fork(parent: getpid(), child: child.pid), .exec(child.pid), .exit(child.pid),
    ]
    #expect(messages.filter(expected.contains) == expected)
  }

  @Test func `events that did not fit are said to be lost`() throws {
    // The kernel makes it as small as it allows: room for a few messages.
    var events = try connector(receiveBuffer: 1)
    for _ in 0..<20 { try OwnersChild(["true"]).wait() }
    var hasLost = false
    while case let receipt = try events.receive(limit: 100, { _ in }), !receipt.isDrained || receipt.hasLost {
      if receipt.hasLost { hasLost = true }
    }
    #expect(hasLost)
  }

  /// Skips where it is denied, as in a container or without privilege.
  private func connector(receiveBuffer: Int32 = ProcConnector.receiveBuffer) throws -> ProcConnector {
    do throws(KernelError) { return try ProcConnector(receiveBuffer: receiveBuffer) } catch {
      switch error {
      case .notPermitted, .unsupported: try Requirement.skip(for: "proc_connector")
      default: break
      }
      throw error
    }
  }
}
