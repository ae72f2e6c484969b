import Model
import Netfilter
import SystemRuntime
import SystemPackage

/// Asks one other network namespace for its addresses and sockets.
final class NamespaceReader {
  /// Why a namespace did not answer.
  enum Failure: Error {
    /// Its process ended, or left it, meanwhile.
    case vanished
    /// Anything else: a missing privilege, too many open files.
    case refused
  }

  private enum Addresses {
    case netlink(LocalAddressReader)
    case procfs
  }

  private let inode: UInt64
  private var entrance: NamespaceEntrance
  private let addressSource: Addresses
  private var table: SocketTable

  /// Opens its sockets in the namespace `inode`, which `entrance` leads to. Without the right to enter it, what /proc
  /// shows of it must do.
  init(_ inode: UInt64, _ entrance: NamespaceEntrance, socketLimit: Int) throws(Failure) {
    self.inode = inode
    self.entrance = entrance
    do throws(KernelError) {
      let namespace = try Self.open(inode, entrance)
      let routes = try NetlinkSocket(.route, in: namespace)
      let diagnostics = try NetlinkSocket(.socketDiagnostics, in: namespace)
      addressSource = .netlink(LocalAddressReader(socket: routes))
      table = SocketTable(root: entrance.root, diagnostics: diagnostics, limit: socketLimit)
    } catch {
      switch error {
      case .notPermitted:
        guard case .process(let root) = entrance else { throw .refused }
        addressSource = .procfs
        table = SocketTable(root: root, usesNetlink: false, limit: socketLimit)
      default: throw error.isNoProcess ? .vanished : .refused
      }
    }
  }

  /// Asks another process of the namespace from now on.
  func use(_ entrance: NamespaceEntrance) {
    if entrance == self.entrance { return }
    self.entrance = entrance
    table.use(root: entrance.root)
  }

  /// The namespace's addresses as they are now.
  func addresses() throws(Failure) -> LocalAddresses {
    switch addressSource {
    case .netlink(let reader):
      do throws(KernelError) { return try reader.read() } catch { throw .refused }
    case .procfs:
      let addresses: LocalAddresses
      do throws(Errno) { addresses = try AddressFiles.read("\(entrance.root)/net") } catch {
        throw error == .noSuchFileOrDirectory || error == .noSuchProcess ? .vanished : .refused
      }
      try confirm()
      return addresses
    }
  }

  /// Replaces `sockets` by the namespace's sockets of these protocols.
  func read(_ transports: Set<TransportProtocol>, into sockets: inout [SocketEntry]) throws(Failure) {
    do throws(KernelError) { try table.read(transports, into: &sockets) } catch {
      sockets.removeAll()
      try confirm()
      throw .refused
    }
    guard transports.contains(where: { table.source(of: $0) == .procfs }) else { return }
    do throws(Failure) { try confirm() } catch {
      sockets.removeAll()
      throw error
    }
  }

  /// Messages and lines that could not be understood, since it was opened.
  var malformed: UInt64 { table.malformed }
  /// Sockets beyond the limit, since it was opened.
  var dropped: UInt64 { table.dropped }

  /// Makes sure that what was read below /proc/PID was this namespace: a pid may have passed to another process.
  private func confirm() throws(Failure) {
    switch entrance {
    case .process(let root):
      guard let process = try? OpenFile(root, isFolder: true), NamespaceLink.inode(in: process) == inode
      else { throw .vanished }
    case .file: if (try? Self.open(inode, entrance)) == nil { throw .vanished }
    }
  }

  /// Opens the namespace that `entrance` leads to, if that is still `inode`.
  static func open(_ inode: UInt64, _ entrance: NamespaceEntrance) throws(KernelError) -> OpenFile {
    let operation = "opening \(entrance.link)"
    do throws(Errno) {
      let file = try OpenFile(entrance.link)
      guard try file.status().inode == inode else { throw .noSuchProcess }
      return file
    } catch {
      switch error {
      case .permissionDenied, .notPermitted: throw .notPermitted(operation)
      default: throw .failed(operation, error)
      }
    }
  }
}

extension KernelError {
  /// True when what was looked for below /proc/PID is gone.
  var isNoProcess: Bool {
    guard case .failed(_, let errno) = self else { return false }
    return errno == .noSuchFileOrDirectory || errno == .noSuchProcess
  }
}
