import Model
import SystemRuntime

/// Processes that may not be read: what they move has no owner.
public struct DeniedProcesses: Sendable, Hashable {
  /// The names of so many are reported.
  static let named = 3

  /// How many they are.
  public var count: Int
  /// The pid and the name of some, as `1 (systemd)`.
  public var names: [String]
  /// True when more privileges may help; false when this process has all of them, and something else forbids it.
  public var isMendable: Bool

  /// Makes the value.
  public init(count: Int, names: [String], isMendable: Bool) {
    self.count = count
    self.names = names
    self.isMendable = isMendable
  }

  /// What there is to know, and what to do.
  public var sentence: String {
    let more = count > names.count ? (names.isEmpty ? "\(count)" : " and \(count - names.count) more") : ""
    let list = names.joined(separator: ", ") + more
    return isMendable
      ? "processes that may not be read, so that bytes of their sockets have no owner: \(list). "
        + KernelError.privilegeSentence()
      : "a sandbox or a security module lets nobody here read what processes have open: \(list). Bytes of "
        + "their sockets have no owner; nothing is to be done."
  }

  /// The same for who reads the reports.
  public var warning: Warning {
    Warning(code: "denied", text: sentence, isNote: !isMendable)
  }
}

extension ProcessTable {
  /// The processes whose descriptors may not be read, as last tried; nil while there is none.
  public func deniedProcesses() -> DeniedProcesses? {
    let pids = processes.filter(\.isDenied).map(\.pid)
    guard !pids.isEmpty else { return nil }
    let names = pids.prefix(DeniedProcesses.named).map { name(of: $0) }
    return DeniedProcesses(
      count: pids.count, names: names, isMendable: !Capabilities.naming.isSubset(of: .effective))
  }

  /// The pid, with the process's short name where that may be read.
  private func name(of pid: Int32) -> String {
    var text = [UInt8](repeating: 0, count: 64)
    guard let file = try? OpenFile("\(pid)/comm", in: root), let count = try? file.read(into: &text) else {
      return "\(pid)"
    }
    let comm = text[..<count]
    return "\(pid) (\(String(decoding: comm.prefix { $0 != 0x0a }, as: UTF8.self)))"
  }
}
