import Model

/// Messages into bytes: each is its length (32 bits, little-endian, what follows it), a byte for its kind, and its fields.
///
/// Measurements are divided: what their owners moved comes first, in pieces of about a mebibyte.
struct MessageEncoder {
  /// What one message may take. The longest that is sent is a piece and one more reading, whose texts are bounded where they
  /// are read.
  static let maximumLength = 16 << 20
  private static let pieceLength = 1 << 20

  private var writer = FieldWriter()

  /// The bytes of `message`, and of the pieces before it.
  mutating func bytes(of message: Message) throws(ChannelError) -> [UInt8] {
    writer.bytes = []
    if case .measurement(let number, let measurement) = message {
      try pieces(of: measurement.readings, .readings)
      try pieces(of: measurement.renamed, .renamed)
      var rest = Message.measurement(number: number, measurement)
      try add(&rest)
      writer.known.forget(measurement.exited)
    } else {
      var message = message
      try add(&message)
    }
    defer { writer.bytes = [] }
    return writer.bytes
  }

  private mutating func add(_ message: inout Message) throws(ChannelError) {
    try frame(message.kind) { (writer) throws(ChannelError) in try message.code(with: &writer) }
  }

  private mutating func pieces<Element: Transmissible>(
    of elements: [Element], _ kind: MessageKind
  ) throws(ChannelError) {
    var next = 0
    while next < elements.count {
      try frame(kind) { (writer) throws(ChannelError) in
        let start = writer.bytes.count
        while next < elements.count, writer.bytes.count - start < Self.pieceLength {
          var element = elements[next]
          try element.code(with: &writer)
          next += 1
        }
      }
    }
  }

  private mutating func frame(
    _ kind: MessageKind, _ body: (inout FieldWriter) throws(ChannelError) -> Void
  ) throws(ChannelError) {
    let start = writer.bytes.count
    writer.bytes += [0, 0, 0, 0, kind.rawValue]
    try body(&writer)
    let length = writer.bytes.count - start - 4
    guard length <= Self.maximumLength else { throw .tooLong(length) }
    for index in 0..<4 { writer.bytes[start + index] = UInt8(truncatingIfNeeded: length >> (8 * index)) }
  }
}

/// Bytes into messages, however they are divided when they come.
struct MessageDecoder {
  /// More than a measurement of the largest host takes.
  private static let longestMeasurement = 256 << 20

  private var bytes: [UInt8] = []
  private var start = 0
  private var known = KnownProcesses()
  private var readings: [Reading] = []
  private var renamed: [ProcessDescription] = []
  /// What the pieces of a measurement took until now.
  private var length = 0

  /// Takes bytes that `fill` appends.
  mutating func add<Failure: Error, Result>(
    _ fill: (inout [UInt8]) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if start > 0 {
      bytes.removeSubrange(..<start)
      start = 0
    }
    return try fill(&bytes)
  }

  /// The next message; nil until all of it has come. Errors: `tooLong`, `unknownKind`, `malformed`; nothing that comes after
  /// one can be understood.
  mutating func next() throws(ChannelError) -> Message? {
    while bytes.count - start >= 5 {
      var length = 0
      for index in 0..<4 { length |= Int(bytes[start + index]) << (8 * index) }
      guard length <= MessageEncoder.maximumLength else { throw .tooLong(length) }
      guard length >= 1 else { throw .malformed }
      guard bytes.count - start - 4 >= length else { return nil }
      guard let kind = MessageKind(rawValue: bytes[start + 4]) else {
        throw .unknownKind(bytes[start + 4])
      }
      let range = start + 5..<start + 4 + length
      start += 4 + length
      if let message = try message(kind, range) { return message }
    }
    return nil
  }

  private mutating func message(_ kind: MessageKind, _ range: Range<Int>) throws(ChannelError) -> Message? {
    var reader = FieldReader(bytes, range, known)
    known = KnownProcesses()
    defer { known = reader.known }
    switch kind {
    case .readings, .renamed:
      length += range.count
      guard length <= Self.longestMeasurement else { throw .tooLong(length) }
      while !reader.isAtEnd {
        if kind == .readings {
          readings.append(try Self.element(&reader))
        } else {
          renamed.append(try Self.element(&reader))
        }
      }
      return nil
    default: break
    }
    guard var message = Message(blank: kind) else { throw .unknownKind(kind.rawValue) }
    try message.code(with: &reader)
    guard reader.isAtEnd else { throw .malformed }
    if case .measurement(let number, var measurement) = message {
      (measurement.readings, measurement.renamed) = (readings, renamed)
      (readings, renamed, length) = ([], [], 0)
      reader.known.forget(measurement.exited)
      message = .measurement(number: number, measurement)
    }
    return message
  }

  private static func element<Element: Transmissible>(
    _ reader: inout FieldReader
  ) throws(ChannelError) -> Element {
    var element = Element.blank
    try element.code(with: &reader)
    return element
  }
}

/// The byte that says what a message is.
enum MessageKind: UInt8 {
  case hello = 1
  case settings, filters, processes, measure, ready, refused, remark, readings, renamed, measurement, failure
}

extension Message {
  var kind: MessageKind {
    switch self {
    case .hello: .hello
    case .settings: .settings
    case .filters: .filters
    case .processes: .processes
    case .measure: .measure
    case .ready: .ready
    case .refused: .refused
    case .remark: .remark
    case .measurement: .measurement
    case .failure: .failure
    }
  }

  /// A message of this kind for fields to be read into; nil for a piece of one.
  init?(blank kind: MessageKind) {
    switch kind {
    case .hello: self = .hello(version: "")
    case .settings: self = .settings(.blank)
    case .filters: self = .filters([])
    case .processes: self = .processes([])
    case .measure: self = .measure(number: 0, isLast: false)
    case .ready: self = .ready
    case .refused: self = .refused(.blank)
    case .remark: self = .remark("")
    case .measurement: self = .measurement(number: 0, .blank)
    case .failure: self = .failure(number: 0, .blank)
    case .readings, .renamed: return nil
    }
  }

  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    switch self {
    case .hello(var version):
      try coder.text(&version)
      self = .hello(version: version)
    case .settings(var settings):
      try settings.code(with: &coder)
      self = .settings(settings)
    case .filters(var filters):
      try coder.list(&filters)
      self = .filters(filters)
    case .processes(var processes):
      try coder.list(&processes)
      self = .processes(processes)
    case .measure(var number, var isLast, var paths):
      try coder.integer(&number)
      try coder.flag(&isLast)
      try coder.few(&paths)
      self = .measure(number: number, isLast: isLast, paths: paths)
    case .ready: break
    case .refused(var fault):
      try fault.code(with: &coder)
      self = .refused(fault)
    case .remark(var text):
      try coder.text(&text)
      self = .remark(text)
    case .measurement(var number, var measurement):
      try coder.integer(&number)
      try measurement.code(with: &coder)
      self = .measurement(number: number, measurement)
    case .failure(var number, var fault):
      try coder.integer(&number)
      try fault.code(with: &coder)
      self = .failure(number: number, fault)
    }
  }
}
