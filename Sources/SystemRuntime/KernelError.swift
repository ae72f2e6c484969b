import Glibc
import SystemPackage

/// Why Linux did not answer. Each description ends with what to do.
public enum KernelError: Error, Sendable, Hashable {
  /// The answer needs a capability that this process lacks.
  case notPermitted(String)
  /// This kernel, or this network namespace, does not have what was asked for.
  case unsupported(String)
  /// The bytes of connections are not counted.
  case accountingOff
  /// An nft table of the name that we need belongs to another process.
  case tableTaken(String)
  /// A system call failed.
  case failed(String, Errno)
  /// The table changed under every attempt to read it.
  case neverConsistent(attempts: Int)
  /// The kernel does not let this process give up privileges.
  case notConfined(String, Errno)
  /// A file that the user named cannot be read.
  case unreadable(path: String, Errno)
  /// No BPF program reports who moves what, though one was asked for: why, and whether a privilege is what it lacks.
  case withoutWitness(String, isPermission: Bool)
  /// What systemd hands over is not what was asked for: what it is, and what to do.
  case wrongActivation(String)
  /// Why the kernel did not answer another process of ours: its sentence, what a program exits with for it (sysexits(3head)),
  /// and whether it does not pass by itself.
  case reported(String, status: Int32, isLasting: Bool)
  /// Another process of ours, which asks the kernel, does not work: why, what to do, and whether it cannot be started again.
  case sensorLost(String, isLasting: Bool = false)
}

extension KernelError: CustomStringConvertible {
  /// A sentence for an administrator.
  public var description: String {
    switch self {
    case .notPermitted(let operation):
      "\(operation): permission denied. \(Self.privilegeSentence())"
    case .unsupported(let what):
      "\(what) is not available: load the kernel module (`modprobe nf_conntrack nf_conntrack_netlink`), or "
        + "run on a kernel that has it."
    case .accountingOff:
      "the kernel does not count the bytes of connections: run `sysctl -w net.netfilter.nf_conntrack_acct=1`, "
        + "or start with --enable-tracking."
    case .tableTaken(let table):
      "the nft table inet \(table) belongs to another process (`nft list table inet \(table)`): end that one, or "
        + "start without --keep-tracking."
    case .failed(let operation, let errno):
      "\(operation): \(errno.description). \(Self.advice(errno))"
    case .neverConsistent(let attempts):
      "the connection table changed during each of \(attempts) attempts to read it: raise "
        + "net.netfilter.nf_conntrack_buckets, or try --source procfs."
    case .notConfined(let operation, let errno):
      "\(operation): \(errno.description). Let systemd do it (CapabilityBoundingSet=, NoNewPrivileges=, "
        + "SystemCallFilter=), or go on without."
    case .unreadable(let path, let errno):
      "\(path): \(errno.description). Check the path and its permissions."
    case .withoutWitness(let reason, _): reason
    case .wrongActivation(let reason), .reported(let reason, _, _), .sensorLost(let reason, _): reason
    }
  }

  private static let capabilities = "cap_net_admin,cap_dac_read_search,cap_sys_ptrace,cap_bpf,cap_perfmon"

  /// The command that gives a program what it needs to run without root.
  public static var setcap: String { "setcap \(capabilities)+ep \(ProgramFile.own ?? "PROGRAM")" }

  /// How this program gets the capabilities that are `missing`, or all of them where that is not known. Without a capital and
  /// a full stop. To run as root helps nobody who is root: the container or the unit withholds them.
  public static func privilegeAdvice(_ missing: [String] = []) -> String {
    guard ProcessUser.isRoot else { return "run as root, or `\(setcap)`" }
    let names = missing.isEmpty ? capabilities : missing.joined(separator: ",").lowercased()
    return
      "give \(names) to this container (docker: --cap-add) or unit (systemd: CapabilityBoundingSet=): root lacks that "
      + "here"
  }

  /// The same as a sentence.
  public static func privilegeSentence(_ missing: [String] = []) -> String {
    let advice = privilegeAdvice(missing)
    return advice.prefix(1).uppercased() + advice.dropFirst() + "."
  }

  /// What to do where a system call failed: the machine's state is not our bug.
  private static func advice(_ errno: Errno) -> String {
    switch errno {
    case .noSpace: "Free some space there, or write elsewhere."
    case .noMemory: "Free memory, or raise the limit of this service (systemd: MemoryMax=)."
    case .noBufferSpace: "The kernel is short of memory for network buffers: free some, and start again."
    case .ioError: "Look for a failing disk or terminal in the kernel's log (`dmesg`)."
    case .tooManyOpenFiles: "Raise the limit of open files (`ulimit -n`; systemd: LimitNOFILE=)."
    case .tooManyOpenFilesInSystem: "Raise it with `sysctl -w fs.file-max=NUMBER`, or find who holds so many."
    default: "Try again; if it stays, please report it with this line."
    }
  }
}
