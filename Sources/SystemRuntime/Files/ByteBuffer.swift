/// Bytes that are written one after the other, for texts of millions of parts: what is appended costs no more than its copy.
///
/// Appending to an array asks each time whether it is shared, and counts references of what is appended.
@safe package struct ByteBuffer: ~Copyable {
  /// How many bytes there are.
  @usableFromInline package var count = 0
  @usableFromInline package var capacity: Int
  @usableFromInline package var bytes: UnsafeMutablePointer<UInt8>

  /// Makes an empty one with room for so many bytes; it grows as needed.
  package init(capacity: Int = 4096) {
    self.capacity = max(16, capacity)
    unsafe bytes = .allocate(capacity: self.capacity)
  }

  /// Makes one of a text.
  package init(_ text: String) {
    self.init(capacity: text.utf8.count)
    append(text)
  }

  deinit { unsafe bytes.deallocate() }

  @usableFromInline package mutating func grow(_ more: Int) {
    capacity = max(2 * capacity, count + more)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    // In bounds: the new memory is larger than what there is.
    unsafe larger.update(from: bytes, count: count)
    unsafe bytes.deallocate()
    unsafe bytes = larger
  }

  /// Appends a byte.
  @inlinable @inline(__always)
  package mutating func append(_ byte: UInt8) {
    if capacity == count { grow(1) }
    // In bounds: there is room for one more.
    unsafe bytes[count] = byte
    count += 1
  }

  /// Appends the bytes of another one, without the first `dropped`.
  @inlinable
  package mutating func append(_ other: borrowing ByteBuffer, dropping dropped: Int = 0) {
    append(other, in: min(dropped, other.count)..<other.count)
  }

  /// Appends a part of another one.
  @inlinable
  package mutating func append(_ other: borrowing ByteBuffer, in range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= other.count)
    if capacity - count < range.count { grow(range.count) }
    // In bounds: there is room for the range, which lies in the other one.
    unsafe (bytes + count).update(from: other.bytes + range.lowerBound, count: range.count)
    count += range.count
  }

  /// Appends a number in decimal digits, with zeros before it to have at least so many, of 20 at most.
  package mutating func append(digitsOf value: UInt64, atLeast least: Int = 1) {
    if capacity - count < 20 { grow(20) }
    var length = 1
    var rest = value / 10
    while rest > 0 {
      length += 1
      rest /= 10
    }
    length = max(length, min(least, 20))
    rest = value
    var place = count + length
    count = place
    for _ in 0..<length {
      place -= 1
      // In bounds: there is room for 20 more, which is the length of the largest number.
      unsafe bytes[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
  }

  /// Appends a text in UTF-8.
  package mutating func append(_ text: String) {
    var text = text
    let length = text.utf8.count
    if capacity - count < length { grow(length) }
    text.withUTF8 { utf8 in
      guard let start = utf8.baseAddress else { return }
      // In bounds: there is room for the length of the text.
      unsafe (bytes + count).update(from: start, count: utf8.count)
    }
    count += length
  }

  /// Takes the last byte away; nothing of an empty one.
  package mutating func removeLast() { count = max(0, count - 1) }

  /// The byte at a place.
  package subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    // In bounds: checked in the line above.
    return unsafe bytes[index]
  }

  /// Takes all bytes out, into an array.
  package mutating func take() -> [UInt8] {
    defer { count = 0 }
    // In bounds: so many bytes were written.
    return unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
  }
}
