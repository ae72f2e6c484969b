import Netfilter
import SystemRuntime

/// The kernel's events of processes (fork, exec, exit), where it reports them.
struct ProcessEvents: ~Copyable {
  /// Why there is none; nil where there is.
  private(set) var error: KernelError?
  /// The descriptor on which it arrives, for waiting; nil where there is none.
  private(set) var descriptor: Int32?
  /// Times that the kernel dropped some.
  var lost: UInt64 = 0
  /// Events that could not be understood.
  var malformed: UInt64 = 0
  private var connector: ProcConnector?

  /// So many messages are taken at once.
  static let limit = 65_536

  /// Subscribes if `isWanted`: that needs CAP_NET_ADMIN and the host's network and pid namespaces.
  init(isWanted: Bool) {
    guard isWanted else { return }
    do throws(KernelError) {
      let opened = try ProcConnector()
      descriptor = opened.descriptor
      connector = consume opened
    } catch { self.error = error }
  }

  /// True while it comes.
  var areReported: Bool { descriptor != nil }

  /// Returns what has arrived. `hasLost` says that the kernel dropped some.
  mutating func receive() -> (messages: [ProcConnectorMessage], hasLost: Bool) {
    var messages: [ProcConnectorMessage] = []
    do throws(KernelError) {
      guard let receipt = try connector?.receive(limit: Self.limit, { messages.append($0) }) else {
        return ([], false)
      }
      malformed += receipt.malformed
      if receipt.hasLost { lost += 1 }
      return (messages, receipt.hasLost)
    } catch {
      self.error = error
      connector = nil
      descriptor = nil
      return (messages, false)
    }
  }
}
