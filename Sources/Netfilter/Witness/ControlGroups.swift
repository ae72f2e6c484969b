import Glibc
import SystemRuntime
import SystemPackage

/// The paths of control groups of version 2 by their identifiers, which are the inodes of their folders.
package struct ControlGroups: Sendable {
  /// The most folders that are walked.
  private static let limit = 16_384
  private static let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]

  private let root: String?
  private var paths: [UInt64: String] = [:]
  /// Groups that were gone when they were looked for.
  private var gone: Set<UInt64> = []

  /// Knows those below the folder `root`; by default below where version 2 is mounted.
  package init(root: String? = mounts.first { (try? OpenFile("\($0)/cgroup.controllers")) != nil }) {
    self.root = root
  }

  /// The path of a group below the root of its hierarchy; nil for one that is not there. Walks all folders when it
  /// meets a new one.
  package mutating func path(of identifier: UInt64) -> String? {
    if let known = paths[identifier] { return known }
    guard let root, !gone.contains(identifier) else { return nil }
    walk(root)
    if paths[identifier] == nil {
      if gone.count >= Self.limit { gone.removeAll() }
      gone.insert(identifier)
    }
    return paths[identifier]
  }

  private mutating func walk(_ root: String) {
    paths.removeAll(keepingCapacity: true)
    var buffer = [UInt8](repeating: 0, count: 16_384)
    var pending = ["/"]
    while let path = pending.popLast(), paths.count < Self.limit {
      // A group may end while it is looked at.
      guard let folder = try? OpenFile(root + path, isFolder: true) else { continue }
      while let count = try? folder.readEntries(into: &buffer), count > 0 {
        // The kernel initialised these bytes; they live in the array while the span does.
        Self.forEachFolder(in: unsafe buffer.span.bytes.extracting(0..<count)) { (identifier, name) in
          let path = path == "/" ? "/\(name)" : "\(path)/\(name)"
          paths[identifier] = path
          pending.append(path)
        }
      }
    }
  }

  /// Walks records of getdents64(2): inode 8 bytes, offset 8, length 2, type 1, name ended by NUL.
  private static func forEachFolder(in records: borrowing RawSpan, _ body: (UInt64, String) -> Void) {
    var offset = 0
    while let inode = records.load(offset, as: UInt64.self),
      let length = records.load(offset + 16, as: UInt16.self).map(Int.init), length > 19,
      let type = records.load(offset + 18, as: UInt8.self)
    {
      if type == UInt8(DT_DIR) {
        var name: [UInt8] = []
        while let byte = records.load(offset + 19 + name.count, as: UInt8.self), byte != 0 {
          name.append(byte)
        }
        let text = String(decoding: name, as: UTF8.self)
        if text != "." && text != ".." { body(inode, text) }
      }
      offset += length
    }
  }
}
