import CBPF
import KernelLab
import Testing

@testable import Netfilter

/// The reader of the BPF program's ring, against rings that were written by hand.
@Suite struct WitnessRingTests {
  private static let exit = WitnessRecorded.exit()
  private static let process = WitnessRecorded.process(Array("curl\0-s\0".utf8))

  private func records(_ ring: WitnessRing) throws -> (records: [WitnessRecord], malformed: UInt64) {
    WitnessRecorded.decode(try #require(ring.read()))
  }

  /// Whatever the distance to the end of the data, where a record may be in two parts, and after 2^64 bytes.
  @Test(arguments: [0, 8, 3_000, 4_072, 4_080, 4_088, UInt.max - 4_095, UInt.max - 87])
  func `records are read in their order, wherever they lie`(start: UInt) throws {
    let ring = WitnessRing(at: start / 8 * 8)
    for _ in 0..<40 {
      ring.write(Self.process)
      ring.write(Self.exit)
      let (found, malformed) = try records(ring)
      #expect(found == WitnessRecorded.decode(WitnessRecorded.framed([Self.process, Self.exit])).records)
      #expect(malformed == 0 && ring.consumed == ring.produced)
    }
  }

  @Test func `one that is not finished is waited for, and all after it`() throws {
    let ring = WitnessRing()
    ring.write(Self.exit)
    let place = ring.write(Self.process, .busy)
    ring.write(Self.exit)
    #expect(try records(ring).records.count == 1)
    #expect(try records(ring).records.isEmpty && ring.consumed == place)
    ring.set(.none, length: UInt32(Self.process.count), at: place)
    #expect(try records(ring).records.count == 2 && ring.consumed == ring.produced)
  }

  @Test func `what was given up, or is longer than all of ours, is passed over`() throws {
    let ring = WitnessRing()
    ring.write(Self.exit, .discarded)
    ring.write([UInt8](repeating: 1, count: cbpf_longest_record()))
    ring.write(Self.exit)
    let (found, malformed) = try records(ring)
    #expect(found.count == 1 && malformed == 0 && ring.consumed == ring.produced)
  }

  @Test func `a buffer takes as many as fit, and the next call the rest`() throws {
    let ring = WitnessRing()
    for _ in 0..<30 { ring.write(Self.exit) }
    let longest = cbpf_longest_record()
    #expect(ring.read(room: longest - 1) == nil && ring.consumed == 0)
    var count = 0
    while let bytes = ring.read(room: longest), !bytes.isEmpty {
      count += WitnessRecorded.decode(bytes).records.count
    }
    #expect(count == 30)
  }

  /// As no kernel writes it: what cannot be read is said, and what is written later is read.
  @Test(arguments: [UInt32(4_096), 100_000, 0x3fff_ffff])
  func `a length beyond what was written costs what waits, not the reader`(length: UInt32) throws {
    let ring = WitnessRing()
    ring.write(Self.exit)
    ring.write(Self.exit, length: length)
    ring.write(Self.exit)
    let (found, malformed) = try records(ring)
    #expect(found.count == 1 && malformed == 1 && ring.consumed == ring.produced)
    ring.write(Self.exit)
    #expect(try records(ring).records.count == 1)
    // More than fits was written.
    ring.produced += UInt(2 * ring.size)
    #expect(try records(ring).malformed == 1 && ring.consumed == ring.produced)
  }
}
