import SystemRuntime
import SystemPackage

/// The link /proc/PID/ns/net, which names the network namespace of a process (namespaces(7)).
///
/// Only the text is read: following the link takes a reference to the namespace each time. Needs the right to
/// trace the process (ptrace(2), PTRACE_MODE_READ_FSCREDS).
package enum NamespaceLink {
  private static let prefix = Array("net:[".utf8)

  /// The inode in `net:[N]`; nil for all else.
  package static func inode(_ target: ArraySlice<UInt8>) -> UInt64? {
    guard target.last == UInt8(ascii: "]"), target.starts(with: prefix) else { return nil }
    return UInt64(decimal: target.dropFirst(prefix.count).dropLast())
  }

  /// The network namespace of the process whose folder is open; nil where it may not be read.
  package static func inode(in folder: borrowing OpenFile) -> UInt64? { try? read("ns/net", in: folder) }

  /// The network namespace of `process`, a name below `root`; nil where it may not be read.
  package static func inode(of process: String, in root: borrowing OpenFile) -> UInt64? {
    try? read("\(process)/ns/net", in: root)
  }

  /// As `inode(of:in:)`, with the reason why not.
  package static func read(_ path: String, in folder: borrowing OpenFile) throws(Errno) -> UInt64 {
    // Twenty digits and the frame around them.
    var text = [UInt8](repeating: 0, count: 32)
    let count = try folder.readLink(path, into: &text)
    guard let inode = inode(text[..<count]) else { throw .badMessage }
    return inode
  }
}
