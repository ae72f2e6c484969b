import Model
import Netfilter
import SystemRuntime
import SystemPackage

/// What the mount options of procfs hide from us (proc(5), `hidepid` and `subset`).
struct ProcAccess: Equatable {
  /// CAP_SYS_PTRACE (linux/capability.h) sees every process whatever `hidepid` says.
  private static let ptraceCapability: UInt64 = 1 << 19

  /// The option `hidepid`, as the kernel writes it; nil when nothing is hidden.
  var hidepid: String?
  /// True with `subset=pid`: no /proc/net, no /proc/sys.
  var isPidOnly = false

  /// Reads the options of the procfs at `path` from the text of /proc/PID/mounts (fields: device, folder, type,
  /// options); the last mount covers earlier ones.
  init(mounts: ArraySlice<UInt8>, path: String) {
    for line in mounts.split(separator: 0x0a) {
      let fields = line.split(separator: 0x20)
      guard fields.count > 3, fields[2].elementsEqual("proc".utf8), fields[1].elementsEqual(path.utf8) else {
        continue
      }
      hidepid = nil
      isPidOnly = false
      for option in fields[3].split(separator: UInt8(ascii: ",")) {
        let option = String(decoding: option, as: UTF8.self)
        if option == "subset=pid" { isPidOnly = true }
        if option.hasPrefix("hidepid="), option != "hidepid=0", option != "hidepid=off" {
          hidepid = String(option.dropFirst("hidepid=".count))
        }
      }
    }
  }

  /// What to report to the administrator, nil when nothing is hidden from a process with these capabilities.
  func warning(path: String, capabilities: UInt64) -> Warning? {
    if let hidepid, capabilities & Self.ptraceCapability == 0 {
      return Warning(
        code: "processes_hidden",
        text: "\(path) is mounted with hidepid=\(hidepid): processes of other users cannot be seen and their "
          + "bytes have no owner. \(KernelError.privilegeSentence())"
      )
    }
    guard isPidOnly else { return nil }
    return Warning(
      code: "proc_subset",
      text: "\(path) is mounted with subset=pid: kernel settings and socket tables there cannot be read. Run "
        + "where /proc is whole (systemd: ProcSubset=all).")
  }
}

extension ProcessTable {
  /// True when these are all processes of the machine: nothing is hidden, and this is its first pid namespace, whose
  /// number is always the same (PROC_PID_INIT_INO, linux/proc_ns.h).
  public mutating func seesHost() -> Bool {
    guard accessWarning() == nil else { return false }
    var text = [UInt8](repeating: 0, count: 32)
    guard let count = try? root.readLink("self/ns/pid", into: &text) else { return false }
    return text[..<count].elementsEqual("pid:[4026531836]".utf8)
  }

  /// What the mount options of procfs hide from this process; nil when all processes can be seen.
  public mutating func accessWarning() -> Warning? {
    guard let own = try? OpenFile("self", in: root, isFolder: true), let mounts = try? read("mounts", own)
    else {
      return nil
    }
    let access = ProcAccess(mounts: mounts, path: path)
    let capabilities = (try? read("status", own)).flatMap(ProcessStatus.effectiveCapabilities)
    return access.warning(path: path, capabilities: capabilities ?? 0)
  }
}
