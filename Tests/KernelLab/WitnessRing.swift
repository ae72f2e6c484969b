import CBPF

/// A ring of records as the kernel shares it (linux/bpf.h), with any contents.
@safe package final class WitnessRing {
  /// What a record's first word says beside its length.
  package enum Mark: UInt32 {
    case none = 0
    /// The program has not finished it.
    case busy = 0x8000_0000
    /// The program has given it up.
    case discarded = 0x4000_0000
  }

  /// Bytes of the data.
  package let size: Int
  private let data: UnsafeMutablePointer<CChar>
  private let places: UnsafeMutablePointer<UInt>

  /// Makes one whose reader and writer are at `place`, of `size` bytes, a power of two.
  package init(size: Int = 4096, at place: UInt = 0) {
    self.size = size
    unsafe data = .allocate(capacity: size)
    unsafe places = .allocate(capacity: 2)
    unsafe data.initialize(repeating: 0, count: size)
    unsafe places.initialize(repeating: place, count: 2)
  }

  deinit {
    unsafe data.deallocate()
    unsafe places.deallocate()
  }

  /// How many bytes the reader has passed over, and the writer has written, since the kernel made it; modulo 2^64.
  package var consumed: UInt { unsafe places[0] }
  package var produced: UInt {
    get { unsafe places[1] }
    set { unsafe places[1] = newValue }
  }

  /// Puts a byte where the writer would at `place`.
  package func put(_ byte: UInt8, at place: UInt) {
    unsafe data[Int(place % UInt(size))] = CChar(bitPattern: byte)
  }

  /// Writes a record as the kernel does. Returns where its first word is.
  @discardableResult
  package func write(_ record: [UInt8], _ mark: Mark = .none, length: UInt32? = nil) -> UInt {
    let start = produced
    set(mark, length: length ?? UInt32(record.count), at: start)
    for (place, byte) in record.enumerated() { put(byte, at: start &+ 8 &+ UInt(place)) }
    produced = start &+ 8 &+ UInt(record.count + 7) / 8 * 8
    return start
  }

  /// Sets the first word of the record that begins at `place`.
  package func set(_ mark: Mark, length: UInt32, at place: UInt) {
    let word = mark.rawValue | length
    for byte in 0..<4 { put(UInt8(truncatingIfNeeded: word >> (8 * byte)), at: place &+ UInt(byte)) }
  }

  /// What the reader copies into a buffer of `room` bytes; nil where that is too small for any record.
  package func read(room: Int = 1 << 16) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0xff, count: room)
    var ring = unsafe cbpf_ring(consumed: places, produced: places + 1, data: data, size: size)
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe cbpf_read_ring(&ring, $0.baseAddress, $0.count)
    }
    return count < 0 ? nil : Array(buffer.prefix(count))
  }
}
