import CBPF
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter

@Suite struct WitnessRecordTests {
  private static let all = WitnessRecorded.framed([
    WitnessRecorded.process(Array("curl\0-s\0http://h/\0".utf8)), WitnessRecorded.firstUse(),
    WitnessRecorded.firstUse(slot: 6), WitnessRecorded.firstUse(slot: 7), WitnessRecorded.exit(),
  ])

  @Test func `a first use names slot, process and socket`() throws {
    let decoded = WitnessRecorded.decode(
      WitnessRecorded.framed([WitnessRecorded.firstUse(WitnessRecorded.socket(flags: WITNESS_V6ONLY))]))
    guard case .firstUse(5, let user, let socket, let payload) = try #require(decoded.records.first) else {
      throw LabError.missing("a first use")
    }
    // Nanoseconds become the ticks of /proc/PID/stat, rounded down as there.
    #expect(user.identity == ProcessIdentity(pid: 4711, startTime: 347_843))
    #expect(socket.local.description == "10.77.1.1:45210" && socket.remote.description == "10.77.1.2:38853")
    #expect(socket.transport == .tcp && socket.network == 4_026_533_784 && socket.inode == 735_579)
    #expect(socket.isV6Only && !socket.isClosed && !socket.isKernel && !socket.isSubflow)
    #expect(payload == Usage(received: 7, sent: 100_000))
    #expect(decoded.malformed == 0)
  }

  @Test(
    arguments: [
      (Array("curl\0-s\0http://h/\0".utf8), "curl -s http://h/", false), ([], nil, false),
      (Array("a\0\0".utf8), "a", false),
      (Array(repeating: 0x61, count: 512), String(repeating: "a", count: 512), true),
    ] as [([UInt8], String?, Bool)])
  func `arguments are what was read of them`(arguments: [UInt8], expected: String?, isCut: Bool) throws {
    let record = WitnessRecorded.process(arguments, length: isCut ? 5_000 : nil, name: "a-name-of-16-byt")
    guard case .process(let process) = WitnessRecorded.decode(WitnessRecorded.framed([record])).records.first
    else { throw LabError.missing("a process") }
    #expect(process.commandLine?.text == expected)
    #expect(process.isCut == isCut)
    #expect(process.name == "a-name-of-16-byt")
    #expect(process.parent?.identity == ProcessIdentity(pid: 1, startTime: 2))
    #expect(process.uid == 1000 && process.controlGroup == 77 && !process.isKernel)
  }

  @Test func `a raw socket has no ports`() throws {
    var socket = WitnessRecorded.socket()
    (socket.type, socket.`protocol`, socket.local_port) = (3, 253, 253)
    guard
      case .firstUse(_, _, let seen, _) = WitnessRecorded.decode(
        WitnessRecorded.framed([WitnessRecorded.firstUse(socket)])
      ).records.first
    else { throw LabError.missing("a first use") }
    #expect(seen.local.port == 0 && seen.remote.port == 0 && seen.transport?.rawValue == 253)
  }

  @Test(arguments: [(262, 2, 6), (6, 10, 6), (0, 17, nil), (300, 2, nil)] as [(UInt16, UInt16, UInt8?)])
  func `the transport is that of the packets`(number: UInt16, family: UInt16, expected: UInt8?) {
    var socket = WitnessRecorded.socket()
    (socket.`protocol`, socket.family) = (number, family)
    #expect(WitnessedSocket(socket).transport?.rawValue == expected)
  }

  @Test func `every prefix gives a prefix of the records, and counts what it cut`() {
    let whole = WitnessRecorded.decode(Self.all)
    #expect(whole.records.count == 5 && whole.malformed == 0)
    for length in 0..<Self.all.count {
      let part = WitnessRecorded.decode(Array(Self.all.prefix(length)))
      #expect(whole.records.starts(with: part.records), "\(length) bytes")
      #expect(part.malformed <= 1, "\(length) bytes")
    }
  }

  @Test func `mutations are survived, and some are refused`() {
    var mutations = SplitMix64(seed: 12)
    var refused = 0
    for _ in 0..<10_000 {
      let decoded = WitnessRecorded.decode(mutations.mutate(Self.all))
      #expect(decoded.records.count <= 5 + 5)
      if decoded.malformed > 0 { refused += 1 }
    }
    #expect(refused > 0 && refused < 10_000)
  }

  @Test(arguments: [
    [UInt8](repeating: 0, count: 24), [9, 0, 0, 0] + [UInt8](repeating: 0, count: 20),
    WitnessRecorded.exit(pid: 0), WitnessRecorded.exit(pid: .max),
    Array(WitnessRecorded.firstUse().dropLast()),
    Array(WitnessRecorded.process(Array("a".utf8)).prefix(80)), WitnessRecorded.process([97], length: 0),
  ])
  func `what cannot be is refused and counted`(record: [UInt8]) {
    let decoded = WitnessRecorded.decode(WitnessRecorded.framed([record]))
    #expect(decoded.records.isEmpty && decoded.malformed == 1)
  }
}
