import SystemRuntime
import SystemPackage

/// Why there is no BPF program at work. Each description ends with what to do.
public enum WitnessError: Error, Sendable, Hashable {
  /// The kernel is older than the programs of this tier need.
  case tooOld(WitnessTier, running: String)
  /// The kernel has no description of its types (BTF), without which the programs cannot find their fields.
  case withoutTypes
  /// This process lacks CAP_BPF and CAP_PERFMON.
  case notPermitted
  /// Processes have other numbers here than in the host's first PID namespace, or /proc hides some.
  case otherNumbers
  /// The kernel is locked against being read (kernel_lockdown(7)).
  case lockedDown
  /// The kernel, or its configuration, has no BPF or none of the tracepoints.
  case unsupported(String)
  /// The kernel's verifier does not take the program: the end of what it said.
  case refused(WitnessTier, log: String)
  /// The embedded object is not what its reader expects.
  case wrongObject(String)
  /// Memory, descriptors or a mapping were not to be had.
  case failed(String, Errno)
}

extension WitnessError {
  /// Whether something can be done on this host, other than another kernel.
  package var isMendable: Bool {
    switch self {
    case .notPermitted, .otherNumbers, .wrongObject, .failed: true
    case .tooOld, .withoutTypes, .lockedDown, .unsupported, .refused: false
    }
  }
}

extension WitnessError: CustomStringConvertible {
  /// A sentence for an administrator.
  public var description: String {
    switch self {
    case .tooOld(let tier, let running):
      "the kernel, Linux \(running), is too old for --witness \(tier.name), which needs \(tier.firstKernel): "
        + Self.fallback(tier)
    case .withoutTypes:
      "the kernel does not describe its types (/sys/kernel/btf/vmlinux is missing): run one that was built with "
        + "CONFIG_DEBUG_INFO_BTF, or use --witness lookup."
    case .notPermitted:
      "BPF programs may not be loaded: \(KernelError.privilegeAdvice(["CAP_BPF", "CAP_PERFMON"])); or use --witness lookup."
    case .otherNumbers:
      "processes have other numbers here than the kernel's programs see, or /proc hides some: run outside of a PID "
        + "namespace (docker: --pid=host), or use --witness lookup."
    case .lockedDown:
      "the kernel is locked down (confidentiality), so BPF programs may not read it: use --witness lookup, or start "
        + "the kernel with lockdown=integrity."
    case .unsupported(let what):
      "the kernel has no \(what): run one that was built with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS, or use "
        + "--witness lookup."
    case .refused(let tier, let log):
      "the kernel refuses the program of --witness \(tier.name): \(Self.fallback(tier)) Please report it with this "
        + "text: \(log)"
    case .wrongObject(let what):
      "the BPF program in this file does not fit it (\(what)): build it again with `make bpf build`."
    case .failed(let operation, let errno):
      "\(operation): \(errno.description). Free memory or descriptors and start again, or use --witness lookup."
    }
  }

  private static func fallback(_ tier: WitnessTier) -> String {
    switch tier {
    case .calls: "use --witness bpf-5.8 or lookup."
    case .packets: "use --witness lookup."
    }
  }
}

/// What the kernel shows of itself, so that a failure has a cause.
struct WitnessFacts: Sendable, Hashable {
  /// As /proc/sys/kernel/osrelease has it.
  var release: String
  var hasTypes: Bool
  var mayLoad: Bool
  var isLockedDown: Bool

  init(release: String, hasTypes: Bool, mayLoad: Bool, isLockedDown: Bool) {
    self.release = release
    self.hasTypes = hasTypes
    self.mayLoad = mayLoad
    self.isLockedDown = isLockedDown
  }

  /// Those of the running kernel and process.
  static func read() -> WitnessFacts {
    let lockdown = SmallFile.text("/sys/kernel/security/lockdown") ?? ""
    return WitnessFacts(
      release: SmallFile.text("/proc/sys/kernel/osrelease")?.split(separator: "\n").first.map(String.init)
        ?? "",
      hasTypes: SmallFile.text("/sys/kernel/btf/vmlinux") != nil,
      mayLoad: Capabilities.effective.mayLoadPrograms,
      isLockedDown: lockdown.contains("[confidentiality]"))
  }

  /// Why libbpf failed in `stage` with `error`, having written `log`.
  func cause(
    of tier: WitnessTier, _ stage: WitnessProgram.Stage, _ error: Errno, log: String
  ) -> WitnessError {
    if !hasTypes { return .withoutTypes }
    if error == .notPermitted || error == .permissionDenied {
      if !mayLoad { return .notPermitted }
      if isLockedDown { return .lockedDown }
    }
    if let running = KernelRelease(release), running < tier.firstKernel {
      return .tooOld(tier, running: release)
    }
    switch stage {
    case .opening: return .wrongObject("\(error.description). \(Self.end(of: log))")
    case .mapping: return .failed("mapping what the BPF program writes", error)
    case .loading, .attaching:
      switch error {
      case .noFunction: return .unsupported("bpf(2)")
      case .noMemory, .tooManyOpenFiles, .tooManyOpenFilesInSystem:
        return .failed("loading a BPF program", error)
      case .noSuchProcess, .noSuchFileOrDirectory:
        return .unsupported("tracepoint that is needed (\(Self.end(of: log)))")
      default: return .refused(tier, log: "\(error.description). \(Self.end(of: log))")
      }
    }
  }

  /// The last lines of a log, as one.
  static func end(of log: String) -> String {
    log.split(separator: "\n").suffix(8).map { $0.trimmed }.joined(separator: " / ")
  }
}

extension Substring {
  fileprivate var trimmed: Substring {
    drop { $0.isWhitespace }
  }
}
