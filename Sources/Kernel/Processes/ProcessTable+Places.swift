import Model
import SystemPackage

extension ProcessTable {
  /// Where the process runs whose folder is open; nothing of what may not be read.
  mutating func place(_ folder: borrowing OpenFile) -> ProcessPlace {
    let namespace = NamespaceLink.inode(in: folder)
    let path = (try? read("cgroup", folder)).flatMap(CgroupPath.init(file:))
    return ProcessPlace(
      cgroup: path?.text, unit: path?.unit, container: path?.container,
      networkNamespace: namespace == ownNamespace ? nil : namespace)
  }
}
