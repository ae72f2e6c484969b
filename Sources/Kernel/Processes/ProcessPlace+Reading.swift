import Model
import SystemPackage

extension ProcessPlace {
  /// Where a process runs, by the content of its /proc/PID/cgroup and its network namespace, where they may be read;
  /// `own` is that of this program.
  init(cgroup file: ArraySlice<UInt8>?, networkNamespace: UInt64?, own: UInt64?) {
    let path = file.flatMap(CgroupPath.init(file:))
    self.init(
      cgroup: path?.text, unit: path?.unit, container: path?.container,
      networkNamespace: networkNamespace == own ? nil : networkNamespace)
  }
}
