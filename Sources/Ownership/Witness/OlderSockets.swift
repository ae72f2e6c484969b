public import Model
import Netfilter
import SystemRuntime

/// The TCP sockets that are older than the BPF program, with what they had carried by then. The program counts from there.
public struct OlderSockets: Sendable {
  /// By the key under which the program will know the socket.
  private(set) var carried: [UInt64: Usage] = [:]
  /// False where some could not be read.
  private(set) var areAll = true

  // Of inet_diag_msg (linux/inet_diag.h): bytes that wait to be read, and the inode.
  private static let places = (waiting: 56, inode: 68)
  // Those in which the peer has ended its stream (linux/tcp_states.h): TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING.
  private static let ended: Set<UInt8> = [6, 8, 9, 11]

  /// Makes the sockets of a host that has none, or that are known.
  public init(_ carried: [UInt64: Usage] = [:], areAll: Bool = true) {
    (self.carried, self.areAll) = (carried, areAll)
  }

  /// Reads those of this network namespace and of those that may be entered. A dump gives each socket its cookie.
  init(reading processes: borrowing ProcessTable, hasCookies: Bool = KernelRelease.givesCookies) {
    do throws(KernelError) {
      var socket = try NetlinkSocket(.socketDiagnostics)
      try add(from: &socket, hasCookies)
    } catch { areAll = false }
    guard Capabilities.mayEnterNamespaces, let own = processes.ownNamespace else { return }
    for (inode, entrance) in Self.entrances(processes, own: own) {
      do throws(KernelError) {
        let namespace = try NamespaceReader.open(inode, entrance)
        var socket = try NetlinkSocket(.socketDiagnostics, in: namespace)
        try add(from: &socket, hasCookies)
      } catch { if !error.isNoProcess { areAll = false } }
    }
  }

  /// What the socket of this key had carried, reported once; nil for one that is newer.
  mutating func take(_ key: UInt64) -> Usage? { carried.removeValue(forKey: key) }

  private static func entrances(
    _ processes: borrowing ProcessTable, own: UInt64
  ) -> [UInt64: NamespaceEntrance] {
    var members = NamespaceMembers(own: own)
    members.refresh(processes.processes, in: processes.root)
    let inhabited = members.representatives.mapValues { NamespaceEntrance.process("\(processes.path)/\($0)") }
    return NamespaceEntrance.mounted(in: NamespaceEntrance.allowedFolders, own: own).merging(inhabited) { $1 }
  }

  private mutating func add(from socket: inout NetlinkSocket, _ hasCookies: Bool) throws(KernelError) {
    var found: [UInt64: Usage] = [:]
    let request = SocketDiagnostics.requestOfBothFamilies(wantsPayload: true)
    _ = try socket.dump(request, "asking sock_diag for TCP sockets") { _, payload in
      if let (key, carried) = Self.decode(payload, hasCookies) { found[key] = carried }
    }
    carried.merge(found) { $1 }
  }

  /// The key of the socket of an answer, and what it has carried; nil of one that has none, as in TIME_WAIT.
  static func decode(
    _ payload: borrowing RawSpan, _ hasCookies: Bool
  ) -> (key: UInt64, carried: Usage)? {
    guard let state = payload.load(1, as: UInt8.self),
      let inode = payload.load(places.inode, as: UInt32.self),
      let waiting = payload.load(places.waiting, as: UInt32.self),
      let cookie = SocketDiagnostics.cookie(payload), hasCookies ? cookie != 0 : inode != 0
    else { return nil }
    var carried = Usage.zero
    _ = forEachAttribute(in: payload.extracting(72..<payload.byteCount)) { type, value in
      guard type == SocketDiagnostics.informationAttribute,
        let usage = SocketDiagnostics.payload(value, hasEnded: ended.contains(state))
      else { return }
      carried = usage
    }
    carried.received -= min(carried.received, UInt64(waiting))
    return (hasCookies ? cookie : UInt64(inode) | 1 << 63, carried)
  }
}
