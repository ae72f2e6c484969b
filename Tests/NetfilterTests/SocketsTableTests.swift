import Glibc
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter

/// The running kernel's tables: sockets of this process on loopback, both ways of reading.
@Suite struct SocketsTableTests {
  private func read(
    _ transports: Set<TransportProtocol>, _ usesNetlink: Bool
  ) throws -> (sockets: [UInt64: SocketEntry], source: SocketTable.Source?) {
    var table = SocketTable(usesNetlink: usesNetlink)
    var sockets = [SocketsFileTests.lines[0].2]
    try table.read(transports, into: &sockets)
    #expect(table.malformed == 0 && table.dropped == 0)
    #expect(table.netlinkError == nil)
    let source = try table.source(of: #require(transports.first))
    // Before accept(2) and after close(2) there is no inode, for any number of sockets.
    return (
      Dictionary(sockets.filter { $0.inode != 0 }.map { ($0.inode, $0) }, uniquingKeysWith: { $1 }), source
    )
  }

  @Test(arguments: [true, false])
  func `listening, connected and accepted TCP sockets`(usesNetlink: Bool) throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    let server = try listener.accept()
    let (sockets, source) = try read([.tcp], usesNetlink)
    #expect(source == (usesNetlink ? .netlink : .procfs))
    let loopback = IPAddress(v4: 0x7f00_0001)
    let there = Endpoint(address: loopback, port: listener.port)
    let here = Endpoint(address: loopback, port: client.port)
    let nowhere = Endpoint(address: .anyV4, port: 0)
    #expect(sockets[listener.inode] == entry(listener, .tcp, .listening, there, nowhere))
    #expect(sockets[client.inode] == entry(client, .tcp, .open, here, there))
    #expect(sockets[server.inode] == entry(server, .tcp, .open, there, here))
  }

  @Test(arguments: [true, false])
  func `an IPv6 listener may take only IPv6`(usesNetlink: Bool) throws {
    let both = try SocketsOpened(AF_INET6, SOCK_STREAM, .tcp)
    both.listen()
    let only = try SocketsOpened(AF_INET6, SOCK_STREAM, .tcp, bindTo: nil)
    only.set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, 1)
    #expect(only.bindV6(0))
    only.listen()
    let (sockets, _) = try read([.tcp], usesNetlink)
    #expect(sockets[both.inode]?.local == Endpoint(address: .anyV6, port: both.port))
    #expect(sockets[both.inode]?.isV6 == true)
    #expect(sockets[both.inode]?.isV6Only == false)
    #expect(sockets[both.inode]?.state == .listening)
    #expect(sockets[only.inode]?.isV6Only == usesNetlink)
  }

  @Test(arguments: [true, false])
  func `an IPv6 socket with an IPv4 peer has IPv4 addresses`(usesNetlink: Bool) throws {
    let listener = try SocketsOpened(AF_INET6, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    let server = try listener.accept()
    let entry = try #require(try read([.tcp], usesNetlink).sockets[server.inode])
    #expect(entry.isV6)
    #expect(entry.remote == Endpoint(address: IPAddress(v4: 0x7f00_0001), port: client.port))
  }

  @Test(arguments: [true, false], [TransportProtocol.udp, .udpLite])
  func `connected and unconnected UDP sockets`(usesNetlink: Bool, transport: TransportProtocol) throws {
    try SocketsOpened.orSkip(transport)
    let bound = try SocketsOpened(AF_INET, SOCK_DGRAM, transport)
    let connected = try SocketsOpened(AF_INET, SOCK_DGRAM, transport)
    try connected.connect(to: bound.port)
    let v6 = try SocketsOpened(AF_INET6, SOCK_DGRAM, transport)
    let (sockets, source) = try read([transport], usesNetlink)
    #expect(source == (usesNetlink ? .netlink : .procfs))
    let loopback = IPAddress(v4: 0x7f00_0001)
    let there = Endpoint(address: loopback, port: bound.port)
    #expect(
      sockets[bound.inode] == entry(bound, transport, .open, there, Endpoint(address: .anyV4, port: 0)))
    #expect(
      sockets[connected.inode]
        == entry(connected, transport, .open, Endpoint(address: loopback, port: connected.port), there))
    #expect(sockets[v6.inode]?.isV6 == true)
    #expect(sockets[v6.inode]?.local == Endpoint(address: .anyV6, port: v6.port))
  }

  @Test(.needs(.namespaces), arguments: [true, false])
  func `raw sockets come with their protocol and without ports`(usesNetlink: Bool) throws {
    let icmp = try SocketsOpened(AF_INET, SOCK_RAW, .icmp, bindTo: nil)
    let any = try SocketsOpened(AF_INET6, SOCK_RAW, TransportProtocol(rawValue: 253), bindTo: nil)
    let (sockets, source) = try read([.raw], usesNetlink)
    // Not every kernel has diagnostics for raw sockets.
    #expect(source == .procfs || usesNetlink && source == .netlink)
    let nowhere = Endpoint(address: .anyV4, port: 0)
    #expect(sockets[icmp.inode] == entry(icmp, .icmp, .open, nowhere, nowhere))
    #expect(sockets[any.inode]?.transport.rawValue == 253)
    #expect(sockets[any.inode]?.local == Endpoint(address: .anyV6, port: 0))
  }

  @Test(.needs(.namespaces))
  func `ping sockets come with their identifier`() {
    var thread = pthread_t()
    // A thread of its own: what it enters ends with it.
    let made = unsafe pthread_create(
      &thread, nil,
      { _ in
        SocketsTableTests.findPingSockets(); return nil
      }, nil)
    #expect(made == 0)
    pthread_join(thread, nil)
  }

  private static func findPingSockets() {
    #expect(ProcessesPrivileges.enterPrivateNetwork())
    let descriptor = unsafe open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY)
    #expect(unsafe write(descriptor, "0 0", 3) == 3)
    close(descriptor)
    do {
      let v4 = try SocketsOpened(AF_INET, SOCK_DGRAM, .icmp, bindTo: nil)
      #expect(v4.bindV4(4711, 0))
      let v6 = try SocketsOpened(AF_INET6, SOCK_DGRAM, .icmpv6, bindTo: 4712)
      let raw = try SocketsOpened(AF_INET6, SOCK_RAW, .icmpv6, bindTo: nil)
      var table = SocketTable(root: "/proc/thread-self")
      var sockets: [SocketEntry] = []
      try table.read([.icmp, .icmpv6, .raw], into: &sockets)
      #expect(table.source(of: .icmpv6) == .procfs)
      let ping4 = sockets.first { $0.inode == v4.inode }
      #expect(ping4?.transport == .icmp)
      #expect(ping4?.local == Endpoint(address: .anyV4, port: 4711))
      let ping = sockets.first { $0.inode == v6.inode }
      #expect(ping?.transport == .icmpv6)
      #expect(ping?.local == Endpoint(address: .anyV6, port: 4712))
      #expect(sockets.first { $0.inode == raw.inode }?.local.port == 0)
      #expect(sockets.count == 3)
    } catch { Issue.record(error) }
  }

  @Test func `both ways tell the same`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let datagram = try SocketsOpened(AF_INET6, SOCK_DGRAM, .udp)
    let ours = [listener.inode, datagram.inode]
    let netlink = try read([.tcp, .udp], true).sockets
    let procfs = try read([.tcp, .udp], false).sockets
    for inode in ours { #expect(netlink[inode] == procfs[inode] && netlink[inode] != nil) }
  }

  private func entry(
    _ socket: SocketsOpened, _ transport: TransportProtocol, _ state: SocketEntry.State, _ local: Endpoint,
    _ remote: Endpoint
  ) -> SocketEntry {
    SocketEntry(
      transport: transport, isV6: false, state: state, local: local, remote: remote, inode: socket.inode,
      uid: getuid())
  }
}

extension SocketsOpened {
  /// Skips the running test case where the kernel has no such datagram sockets: recent ones may lack UDP-Lite.
  static func orSkip(_ transport: TransportProtocol) throws {
    do { _ = try SocketsOpened(AF_INET, SOCK_DGRAM, transport) } catch Problem.call("socket", EPROTONOSUPPORT)
    {
      try Requirement.skip(for: "udplite")
    }
  }
}
