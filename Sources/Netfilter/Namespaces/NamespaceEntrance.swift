import Glibc
import SystemRuntime
import SystemPackage

/// By what another network namespace can be reached.
package enum NamespaceEntrance: Hashable {
  /// /proc/PID of a process that is in it.
  case process(String)
  /// A file on which it is mounted: it needs no process to have sockets.
  case file(String)

  /// Where `ip netns add` and Docker mount them.
  package static let folders = ["/run/netns", "/run/docker/netns"]
  /// Those, where this program may enter what is mounted there: /proc shows nothing of it.
  package static var allowedFolders: [String] { Capabilities.mayEnterNamespaces ? folders : [] }

  // NS_GET_NSTYPE of linux/nsfs.h.
  private static let kindRequest: UInt = 0xb703
  private static let network: CInt = 0x4000_0000

  /// What is opened to enter it.
  package var link: String {
    switch self {
    case .process(let root): "\(root)/ns/net"
    case .file(let path): path
    }
  }

  /// The folder in /proc that describes it; of a file one that is not there.
  package var root: String {
    switch self {
    case .process(let root): root
    case .file: "/proc/0"
    }
  }

  /// The network namespaces that are mounted on files in `folders`, by their inodes, but for `own`. Costs a failed call for
  /// a folder that is not there, two for each file.
  package static func mounted(in folders: [String] = folders, own: UInt64) -> [UInt64: NamespaceEntrance] {
    var found: [UInt64: NamespaceEntrance] = [:]
    for folder in folders {
      for name in names(in: folder) {
        guard let file = try? OpenFile("\(folder)/\(name)"),
          // Any other file refuses the request.
          ioctl(file.descriptor, kindRequest) == network, let inode = try? file.status().inode, inode != own
        else { continue }
        found[inode] = .file("\(folder)/\(name)")
      }
    }
    return found
  }

  private static func names(in path: String) -> [String] {
    guard let folder = try? OpenFile(path, isFolder: true) else { return [] }
    var names: [String] = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while let count = try? folder.readEntries(into: &buffer), count > 0 {
      // getdents64(2): inode 8 bytes, offset 8, length 2, type 1, name ended by NUL.
      var start = 0
      while start + 19 < count {
        let length = Int(buffer[start + 16]) | Int(buffer[start + 17]) << 8
        guard length > 19, start + length <= count else { break }
        let name = buffer[(start + 19)..<(start + length)].prefix { $0 != 0 }
        if name.first != UInt8(ascii: ".") { names.append(String(decoding: name, as: UTF8.self)) }
        start += length
      }
    }
    return names
  }
}
