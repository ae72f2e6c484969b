import CZlib
import SystemPackage
import SystemRuntime

/// A compressed file that is read (RFC 1952, zlib's inflate(3)): also one of several parts, as gzip(1) makes when it appends.
///
/// Not gzread(3): where a file is damaged, it drops what it had decompressed before in the same call.
@safe struct GzipFile: ~Copyable {
  private let file: OpenFile
  private let stream: UnsafeMutablePointer<z_stream>
  private var input = [UInt8](repeating: 0, count: 128 << 10)
  private var next = 0
  private var filled = 0
  private var isAtEndOfFile = false
  /// True between two parts, where the file may end.
  private var isBetweenParts = true
  /// Why what was read is not all of it.
  private(set) var damage: String?

  /// Reads the open `file` from its beginning. Errors: no memory.
  init(_ file: consuming OpenFile) throws(Errno) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    self.file = file
    // The largest window, and the header of gzip alone.
    let code = unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
    guard code == Z_OK else { throw .noMemory }
  }

  deinit {
    unsafe _ = inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Reads into `buffer` from `start` on; returns how many bytes came, 0 at the end. At damage it ends early.
  mutating func read(into buffer: inout [UInt8], from start: Int) throws(Errno) -> Int {
    var count = 0
    while count == 0, damage == nil, start < buffer.count {
      if next == filled, !isAtEndOfFile {
        (next, filled) = (0, try file.read(into: &input))
        isAtEndOfFile = filled == 0
      }
      if next == filled, isBetweenParts { return 0 }
      count = inflate(into: &buffer, from: start)
    }
    return count
  }

  /// Decompresses what is in `input`; returns how many bytes came.
  private mutating func inflate(into buffer: inout [UInt8], from start: Int) -> Int {
    let (available, room) = (filled - next, buffer.count - start)
    let (stream, offset) = unsafe (stream, next)
    let code = unsafe input.withUnsafeMutableBytes { source in
      unsafe buffer.withUnsafeMutableBytes { target in
        // In bounds: the rest of each array after a start that lies inside it. zlib keeps neither pointer after the call.
        unsafe stream.pointee.next_in = source.baseAddress.map {
          unsafe ($0 + offset).assumingMemoryBound(to: UInt8.self)
        }
        unsafe stream.pointee.avail_in = UInt32(available)
        unsafe stream.pointee.next_out = target.baseAddress.map {
          unsafe ($0 + start).assumingMemoryBound(to: UInt8.self)
        }
        unsafe stream.pointee.avail_out = UInt32(room)
        return unsafe CZlib.inflate(stream, Z_NO_FLUSH)
      }
    }
    next = unsafe filled - Int(stream.pointee.avail_in)
    let count = unsafe room - Int(stream.pointee.avail_out)
    judge(code, isStuck: count == 0 && next == offset)
    return count
  }

  private mutating func judge(_ code: CInt, isStuck: Bool) {
    switch code {
    case Z_STREAM_END:
      isBetweenParts = true
      unsafe _ = inflateReset(stream)
    case Z_OK, Z_BUF_ERROR:
      isBetweenParts = false
      if isStuck, isAtEndOfFile { damage = "its end is missing" }
    default:
      let text = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "zlib error \(code)"
      damage = "its compressed content is damaged (\(text))"
    }
  }
}
