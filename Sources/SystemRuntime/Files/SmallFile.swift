import SystemPackage

/// Files of /proc and /sys that hold a few lines.
package enum SmallFile {
  private static let limit = 16384

  /// The first 16 KiB of the file at `path`; nil when it cannot be read.
  package static func text(_ path: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: limit)
    do throws(Errno) {
      let file = try OpenFile(path)
      let count = try file.readAll(into: &bytes)
      return String(decoding: bytes[..<count], as: UTF8.self)
    } catch {
      return nil
    }
  }
}
