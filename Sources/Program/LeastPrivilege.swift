import SystemRuntime

/// What a program keeps of its privileges: first capabilities are dropped, then, with all open that is to be written,
/// a fence refuses what only an intruder would do. What the kernel refuses is said, and the program works on.
public struct LeastPrivilege: Sendable {
  private let kept: Capabilities
  private let children: Confinement.Children
  private let anySocket: Bool
  private let writesFiles: Bool

  /// Keeps `kept`. A program that runs its user's commands (`runsCommands`) raises no fence and leaves them all that
  /// they would have without it; one that forwards uses `anySocket`, others only netlink's; one that goes on making files
  /// (`writesFiles`) may do so.
  public init(
    toKeep kept: Capabilities, runsCommands: Bool = false, anySocket: Bool = false, writesFiles: Bool = false
  ) {
    (self.kept, self.writesFiles) = (kept, writesFiles)
    children = runsCommands ? .asBefore : .none
    self.anySocket = anySocket
  }

  /// Drops capabilities. Call it first: what is opened later is opened without them.
  ///
  /// With `listens` a thread will listen to the connection table, which should come first. Where no limit can permit
  /// that, CAP_SYS_NICE stays until `fence(_:)`, and after that with that thread alone.
  public func drop(_ diagnostics: Diagnostics, listens: Bool = false) {
    drop(toKeep: listens && !RealTimeThread.allow() ? kept.union(.priority) : kept, diagnostics)
  }

  private func drop(toKeep kept: Capabilities, _ diagnostics: Diagnostics) {
    do throws(KernelError) { try Confinement.drop(toKeep: kept, children: children) } catch {
      diagnostics.warning("\(error)")
    }
  }

  /// Raises the fence for all threads, and takes CAP_SYS_NICE from all but the thread that listens.
  public func fence(_ diagnostics: Diagnostics) {
    if RealTimeThread.hasCapability { drop(toKeep: kept, diagnostics) }
    guard children == .none else { return }
    do throws(KernelError) { try Confinement.fence(anySocket: anySocket, writesFiles: writesFiles) } catch {
      diagnostics.warning("\(error)")
    }
  }
}
