import Model

/// The TCP sockets that are older than the BPF program, and what they had carried by then, which is not to be told.
enum OlderSockets {
  // Of inet_diag_msg (linux/inet_diag.h): bytes that wait to be read, and the inode.
  private static let places = (waiting: 56, inode: 68)
  // Those in which the peer has ended its stream (linux/tcp_states.h): TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING.
  private static let ended: Set<UInt8> = [6, 8, 9, 11]

  /// What the sockets that are there now have carried, by the keys under which the program will know them: those of this
  /// network namespace and of those that may be entered. A dump gives each socket its cookie. Where sockets cannot be
  /// asked for there are none.
  static func read(
    _ processes: borrowing ProcessTable, hasCookies: Bool = KernelRelease.givesCookies
  ) -> [UInt64: Usage] {
    var sockets: [UInt64: Usage] = [:]
    if var socket = try? NetlinkSocket(.socketDiagnostics) { add(from: &socket, hasCookies, to: &sockets) }
    guard Capabilities.mayEnterNamespaces, let own = processes.ownNamespace else { return sockets }
    for (inode, entrance) in entrances(processes, own: own) {
      guard let namespace = try? NamespaceReader.open(inode, entrance),
        var socket = try? NetlinkSocket(.socketDiagnostics, in: namespace)
      else { continue }
      add(from: &socket, hasCookies, to: &sockets)
    }
    return sockets
  }

  private static func entrances(
    _ processes: borrowing ProcessTable, own: UInt64
  ) -> [UInt64: NamespaceEntrance] {
    var members = NamespaceMembers(own: own)
    members.refresh(processes.processes, in: processes.root)
    let inhabited = members.representatives.mapValues { NamespaceEntrance.process("\(processes.path)/\($0)") }
    return NamespaceEntrance.mounted(in: NamespaceEntrance.allowedFolders, own: own).merging(inhabited) { $1 }
  }

  private static func add(
    from socket: inout NetlinkSocket, _ hasCookies: Bool, to sockets: inout [UInt64: Usage]
  ) {
    // What has come is right also where the kernel stops in the middle.
    _ = try? socket.dump(
      SocketDiagnostics.requestOfBothFamilies(wantsPayload: true), "asking sock_diag for TCP sockets"
    ) { _, payload in
      if let (key, carried) = decode(payload, hasCookies) { sockets[key] = carried }
    }
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
