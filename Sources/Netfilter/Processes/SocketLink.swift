/// The target of a descriptor's link in /proc/PID/fd.
package enum SocketLink {
  private static let prefix = Array("socket:[".utf8)

  /// The inode of `socket:[N]`; nil for files, pipes and all else.
  package static func inode(_ target: ArraySlice<UInt8>) -> UInt64? {
    guard target.last == UInt8(ascii: "]"), target.starts(with: prefix) else { return nil }
    return UInt64(decimal: target.dropFirst(prefix.count).dropLast())
  }
}
