import Model

/// Writes or reads the fields of a value, one after the other.
///
/// Each type lists its fields once, for both directions, so that what is written and what is read cannot differ. Numbers
/// are little-endian; a text is its length in bytes (32 bits) and its UTF-8; a list its count (32 bits) and its elements.
protocol FieldCoder {
  mutating func integer<Value: FixedWidthInteger>(_ value: inout Value) throws(ChannelError)
  mutating func text(_ value: inout String) throws(ChannelError)
  mutating func list<Element: Transmissible>(_ values: inout [Element]) throws(ChannelError)
  /// What is known of a process: in full the first time, later by its identity alone.
  mutating func process(_ value: inout ProcessDescription?) throws(ChannelError)
}

/// A value that can be sent: its fields in their order.
protocol Transmissible {
  /// What fields are read into.
  static var blank: Self { get }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError)
}

extension FieldCoder {
  mutating func flag(_ value: inout Bool) throws(ChannelError) {
    var byte: UInt8 = value ? 1 : 0
    try integer(&byte)
    guard byte <= 1 else { throw .malformed }
    value = byte == 1
  }

  mutating func optional<Value: Transmissible>(_ value: inout Value?) throws(ChannelError) {
    var isThere = value != nil
    try flag(&isThere)
    guard isThere else {
      value = nil
      return
    }
    var present = value ?? .blank
    try present.code(with: &self)
    value = present
  }

  /// A list of `PathUsage.most` elements at most, and mostly of none: its count takes one byte.
  mutating func few<Element: Transmissible>(_ values: inout [Element]) throws(ChannelError) {
    var count = UInt8(clamping: values.count)
    try integer(&count)
    guard count <= PathUsage.most else { throw .malformed }
    for index in 0..<Int(count) {
      if index == values.count { values.append(.blank) }
      try values[index].code(with: &self)
    }
  }

  /// One of the cases of an enum without values, by its place among all.
  mutating func choice<Value: CaseIterable & Equatable>(_ value: inout Value) throws(ChannelError)
  where Value.AllCases == [Value] {
    var index = UInt8(clamping: Value.allCases.firstIndex(of: value) ?? 0)
    try integer(&index)
    guard Int(index) < Value.allCases.count else { throw .malformed }
    value = Value.allCases[Int(index)]
  }
}

/// Writes fields to the end of a message.
struct FieldWriter: FieldCoder {
  var bytes: [UInt8] = []
  var known = KnownProcesses()

  mutating func integer<Value: FixedWidthInteger>(_ value: inout Value) throws(ChannelError) {
    for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  mutating func text(_ value: inout String) throws(ChannelError) {
    var count = UInt32(clamping: value.utf8.count)
    try integer(&count)
    bytes.append(contentsOf: value.utf8)
  }

  mutating func list<Element: Transmissible>(_ values: inout [Element]) throws(ChannelError) {
    var count = UInt32(clamping: values.count)
    try integer(&count)
    for index in values.indices { try values[index].code(with: &self) }
  }

  mutating func process(_ value: inout ProcessDescription?) throws(ChannelError) {
    guard var identity = value?.identity else { return bytes.append(0) }
    if known[identity] == value {
      bytes.append(1)
      return try identity.code(with: &self)
    }
    bytes.append(2)
    if var process = value {
      try process.code(with: &self)
      known.learn(process)
    }
  }
}

/// Reads the fields of a message.
struct FieldReader: FieldCoder {
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int
  var known: KnownProcesses

  init(_ bytes: [UInt8], _ range: Range<Int>, _ known: consuming KnownProcesses) {
    self.bytes = bytes
    position = range.lowerBound
    end = min(range.upperBound, bytes.count)
    self.known = known
  }

  /// True when nothing is left.
  var isAtEnd: Bool { position == end }

  mutating func integer<Value: FixedWidthInteger>(_ value: inout Value) throws(ChannelError) {
    let size = Value.bitWidth / 8
    guard end - position >= size else { throw .malformed }
    var result: Value = 0
    for index in 0..<size { result |= Value(truncatingIfNeeded: bytes[position + index]) << (8 * index) }
    value = result
    position += size
  }

  mutating func text(_ value: inout String) throws(ChannelError) {
    var count: UInt32 = 0
    try integer(&count)
    guard end - position >= Int(count) else { throw .malformed }
    value = String(decoding: bytes[position..<position + Int(count)], as: UTF8.self)
    position += Int(count)
  }

  mutating func list<Element: Transmissible>(_ values: inout [Element]) throws(ChannelError) {
    var count: UInt32 = 0
    try integer(&count)
    // Each takes a byte at least.
    guard end - position >= Int(count) else { throw .malformed }
    values = []
    values.reserveCapacity(min(Int(count), 4096))
    for _ in 0..<count {
      var element = Element.blank
      try element.code(with: &self)
      values.append(element)
    }
  }

  mutating func process(_ value: inout ProcessDescription?) throws(ChannelError) {
    var form: UInt8 = 0
    try integer(&form)
    switch form {
    case 0: value = nil
    case 1:
      var identity = ProcessIdentity.blank
      try identity.code(with: &self)
      guard let process = known[identity] else { throw .malformed }
      value = process
    case 2:
      var process = ProcessDescription.blank
      try process.code(with: &self)
      known.learn(process)
      value = process
    default: throw .malformed
    }
  }
}

/// What the other end knows of processes. Both ends learn and forget with the same messages, so that they agree.
struct KnownProcesses {
  /// More than the largest host has; beyond it all are forgotten and sent again.
  static let limit = 131_072
  private var processes: [ProcessIdentity: ProcessDescription] = [:]

  subscript(identity: ProcessIdentity) -> ProcessDescription? { processes[identity] }

  mutating func learn(_ process: ProcessDescription) {
    if processes.count >= Self.limit { processes.removeAll() }
    processes[process.identity] = process
  }

  mutating func forget(_ identities: [ProcessIdentity]) {
    for identity in identities { processes[identity] = nil }
  }
}
