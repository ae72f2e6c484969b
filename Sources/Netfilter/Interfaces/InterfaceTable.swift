import SystemRuntime

/// Asks rtnetlink for the interfaces of this network namespace and their counters (rtnetlink(7), RTM_GETLINK).
public final class InterfaceTable {
  private var socket: NetlinkSocket
  private var isBroken = false
  /// Messages that could not be understood, since start.
  public private(set) var malformed: UInt64 = 0

  /// Opens the socket; needs no privilege.
  public init() throws(KernelError) { socket = try NetlinkSocket(.route) }

  /// Returns the interfaces as they are now.
  ///
  /// A list that the kernel changed while it was read is taken as it is: one that came or went is met with the
  /// next reading. After one that failed another socket is asked.
  public func read() throws(KernelError) -> [Interface] {
    if isBroken { socket = try NetlinkSocket(.route) }
    isBroken = true
    var request = NetlinkRequest(
      type: InterfaceDecoder.getLink, flags: NetlinkHeader.Flag.dump,
      fixed: Array(repeating: 0, count: InterfaceDecoder.fixedLength))
    // IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS: not those of IPv6, which are a quarter of the answer.
    request.add(29, [8, 0, 0, 0])
    var interfaces: [Interface] = []
    var broken: UInt64 = 0
    let answer = try socket.dump(request, "reading this host's interfaces") { type, payload in
      guard type == InterfaceDecoder.newLink else { return }
      if let interface = InterfaceDecoder.decode(payload, malformed: &broken) { interfaces.append(interface) }
    }
    isBroken = false
    malformed += broken + answer.malformed
    return interfaces
  }
}
