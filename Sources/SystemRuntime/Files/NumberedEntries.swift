import SystemPackage

/// An entry of a folder whose name is a number: a process of /proc, a descriptor of /proc/PID/fd.
package struct NumberedEntry: Hashable {
  package var number: Int32
  /// The inode as the folder shows it.
  package var inode: UInt64
}

/// Lists folders whose names are numbers, through one buffer that is used again.
package struct NumberedEntries {
  /// Entries beyond the limit, since start.
  package private(set) var dropped: UInt64 = 0
  private let limit: Int
  // Holds more than a thousand entries, so that most folders take two calls.
  private var buffer = [UInt8](repeating: 0, count: 32768)

  /// Lists at most `limit` entries a folder.
  package init(limit: Int) { self.limit = limit }

  /// Replaces `entries` by the numbered ones of `folder`; other names are passed over.
  package mutating func list(_ folder: borrowing OpenFile, into entries: inout [NumberedEntry]) throws(Errno)
  {
    entries.removeAll(keepingCapacity: true)
    while true {
      let count = try folder.readEntries(into: &buffer)
      if count == 0 { return }
      // The kernel initialised these bytes; they live in the array while the span does.
      dropped += Self.append(unsafe buffer.span.bytes.extracting(0..<count), to: &entries, limit)
    }
  }

  /// Walks records (getdents64(2): inode 8 bytes, offset 8, length 2, type 1, name ended by NUL); returns how
  /// many did not fit.
  private static func append(
    _ records: borrowing RawSpan, to entries: inout [NumberedEntry], _ limit: Int
  ) -> UInt64 {
    var dropped: UInt64 = 0
    var offset = 0
    while let inode = records.load(offset, as: UInt64.self),
      let length = records.load(offset + 16, as: UInt16.self).map(Int.init), length > 19
    {
      if let number = number(in: records, from: offset + 19) {
        if entries.count < limit {
          entries.append(NumberedEntry(number: number, inode: inode))
        } else {
          dropped += 1
        }
      }
      offset += length
    }
    return dropped
  }

  private static func number(in records: borrowing RawSpan, from start: Int) -> Int32? {
    var value: Int32 = 0
    var offset = start
    while let digit = records.load(offset, as: UInt8.self), digit != 0 {
      guard (0x30...0x39).contains(digit) else { return nil }
      let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tenfold.addingReportingOverflow(Int32(digit - 0x30))
      if overflow || carry { return nil }
      value = sum
      offset += 1
    }
    return offset == start ? nil : value
  }
}
