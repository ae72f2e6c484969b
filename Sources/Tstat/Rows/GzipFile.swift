import CZlib
import Glibc
import SystemPackage
import SystemRuntime

/// A compressed file that is read (zlib's gzread(3)): also one of several parts, as gzip(1) makes when it appends.
@safe struct GzipFile: ~Copyable {
  private let file: gzFile

  /// Reads the open `file`, through a descriptor of its own. Errors: no descriptor or memory.
  init(_ file: borrowing OpenFile) throws(Errno) {
    let descriptor = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    // gzdopen(3) takes over the descriptor when it succeeds.
    guard let opened = unsafe gzdopen(descriptor, "rb") else {
      close(descriptor)
      throw .noMemory
    }
    unsafe self.file = opened
    unsafe gzbuffer(opened, 128 << 10)
  }

  deinit { unsafe _ = gzclose_r(file) }

  /// Reads into `buffer` from `start` on; returns how many bytes came, 0 at the end, and why they are the last where the
  /// file is cut or damaged. What was read before is good.
  func read(into buffer: inout [UInt8], from start: Int) throws(Errno) -> (count: Int, damage: String?) {
    guard start < buffer.count else { return (0, nil) }
    let count = unsafe buffer.withUnsafeMutableBytes { bytes in
      // In bounds: the rest of the array after a start that lies inside it.
      unsafe gzread(file, bytes.baseAddress.map { unsafe $0 + start }, UInt32(bytes.count - start))
    }
    let bytes = max(0, Int(count))
    var code: CInt = 0
    // The text lives until the next call; it is copied.
    let text = unsafe gzerror(file, &code).map { unsafe String(cString: $0) }
    switch code {
    case Z_OK, Z_STREAM_END: return (bytes, nil)
    case Z_ERRNO: throw Errno(rawValue: errno)
    case Z_BUF_ERROR: return (bytes, "its end is missing")
    default: return (bytes, "its compressed content is damaged (\(text ?? "zlib error \(code)"))")
    }
  }
}
