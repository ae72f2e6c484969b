import Glibc
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter

/// The running kernel's look-up of single sockets, on loopback.
@Suite struct OwnersLookupTests {
  private func at(_ port: UInt16, _ address: String = "127.0.0.1") -> Endpoint {
    SocketsRecorded.endpoint(address, port)
  }

  @Test func `both ends of a connection are found by their addresses`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    let server = try listener.accept()
    var lookup = try SocketLookup()
    let near = try #require(try lookup.socket(.tcp, local: at(client.port), remote: at(listener.port)))
    #expect(near.socket.inode == client.inode)
    #expect(near.socket.uid == getuid())
    #expect(near.socket.local == at(client.port) && near.socket.remote == at(listener.port))
    #expect(near.socket.state == .open)
    let far = try #require(try lookup.socket(.tcp, local: at(listener.port), remote: at(client.port)))
    #expect(far.socket.inode == server.inode)
    #expect(near.cookie != 0 && far.cookie != 0 && near.cookie != far.cookie)
    #expect(lookup.malformed == 0 && lookup.lookups == 2)
    #expect(far.unread == 0)
    let sent = unsafe send(client.descriptor, "abcde", 5, 0)
    var bytes: [UInt8] = [0, 0, 0, 0, 0]
    // Waits until all has come, and leaves it there.
    let peeked = unsafe recv(server.descriptor, &bytes, 5, CInt(MSG_PEEK | MSG_WAITALL))
    #expect(sent == 5 && peeked == 5)
    func unread() throws -> UInt32? {
      try lookup.socket(.tcp, local: at(listener.port), remote: at(client.port))?.unread
    }
    #expect(try unread() == 5)
    let read = unsafe recv(server.descriptor, &bytes, 2, 0)
    #expect(read == 2)
    #expect(try unread() == 3)
  }

  @Test func `a connection that nobody has accepted has no inode, its listener has`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    var lookup = try SocketLookup()
    let waiting = try lookup.socket(.tcp, local: at(listener.port), remote: at(client.port))
    #expect(waiting?.socket.inode == 0)
    let provisional = try lookup.listener(at: at(listener.port))
    #expect(provisional?.socket.inode == listener.inode)
    #expect(provisional?.socket.state == .listening)
    // The look-up of a connection never answers with a listener.
    #expect(try lookup.socket(.tcp, local: at(listener.port), remote: at(1)) == nil)
    #expect(try lookup.listener(at: at(client.port)) == nil)
  }

  @Test func `a closed connection has no inode`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let port: UInt16
    do {
      let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
      try client.connect(to: listener.port)
      port = client.port
    }
    try SocketsOpened.waitForEnd(at(port), at(listener.port))
    var lookup = try SocketLookup()
    let closed = try #require(try lookup.socket(.tcp, local: at(port), remote: at(listener.port)))
    #expect(closed.socket.inode == 0)
    #expect(closed.socket.state == .closing)
  }

  @Test(arguments: [TransportProtocol.udp, .udpLite])
  func `a datagram socket is found by who sends to it`(transport: TransportProtocol) throws {
    try SocketsOpened.orSkip(transport)
    let open = try SocketsOpened(AF_INET, SOCK_DGRAM, transport)
    let connected = try SocketsOpened(AF_INET, SOCK_DGRAM, transport)
    try connected.connect(to: 9)
    var lookup = try SocketLookup()
    #expect(try lookup.socket(transport, local: at(open.port), remote: at(9))?.socket.inode == open.inode)
    #expect(try lookup.socket(transport, local: at(open.port), remote: at(10))?.socket.inode == open.inode)
    #expect(
      try lookup.socket(transport, local: at(connected.port), remote: at(9))?.socket.inode == connected.inode)
    #expect(try lookup.socket(transport, local: at(connected.port), remote: at(10)) == nil)
    // Not by its own address taken for the peer's: a flow's two ends are not alike.
    #expect(try lookup.socket(transport, local: at(9), remote: at(open.port)) == nil)
  }

  @Test func `a v6 socket is found by v6 addresses, and by v4 ones where it takes them`() throws {
    let listener = try SocketsOpened(AF_INET6, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    let server = try listener.accept()
    let open = try SocketsOpened(AF_INET6, SOCK_DGRAM, .udp)
    var lookup = try SocketLookup()
    let mapped = try lookup.socket(.tcp, local: at(listener.port), remote: at(client.port))
    #expect(mapped?.socket.inode == server.inode)
    #expect(mapped?.socket.isV6 == true)
    #expect(mapped?.socket.local.address.isV4 == true)
    #expect(try lookup.listener(at: at(listener.port))?.socket.inode == listener.inode)
    #expect(try lookup.listener(at: at(listener.port, "::1"))?.socket.inode == listener.inode)
    let v6 = try lookup.socket(.udp, local: at(open.port, "::1"), remote: at(9, "::1"))
    #expect(v6?.socket.inode == open.inode)
    #expect(try lookup.socket(.udp, local: at(open.port), remote: at(9))?.socket.inode == open.inode)
  }

  @Test func `what cannot be asked for is no socket`() throws {
    var lookup = try SocketLookup()
    for transport in [TransportProtocol.icmp, .icmpv6, .sctp, .gre, .raw, TransportProtocol(rawValue: 253)] {
      #expect(try lookup.socket(transport, local: at(1), remote: at(2)) == nil)
    }
    #expect(try lookup.socket(.tcp, local: at(1), remote: at(2, "::1")) == nil)
    #expect(lookup.lookups == 0)
    #expect(try lookup.socket(.tcp, local: at(1), remote: at(2)) == nil)
    #expect(try lookup.listener(at: at(0)) == nil)
  }

  @Test func `the request is inet_diag_req_v2, for datagrams with its ends the other way round`() throws {
    let tcp = try #require(SocketDiagnostics.request(of: .tcp, local: at(1), remote: at(0x203, "10.0.0.9")))
    #expect(
      Array(tcp.bytes[..<24]) == [72, 0, 0, 0, 20, 0, 1, 0] + [UInt8](repeating: 0, count: 8) + [
        2, 6, 0, 0, 255, 255, 255, 255,
      ])
    #expect(Array(tcp.bytes[24..<32]) == [0, 1, 2, 3, 127, 0, 0, 1])
    #expect(Array(tcp.bytes[44..<48]) == [10, 0, 0, 9])
    #expect(Array(tcp.bytes[60...]) == [0, 0, 0, 0] + [UInt8](repeating: 255, count: 8))
    let udp = try #require(SocketDiagnostics.request(of: .udp, local: at(1), remote: at(0x203, "10.0.0.9")))
    #expect(Array(udp.bytes[24..<32]) == [2, 3, 0, 1, 10, 0, 0, 9])
  }

  @Test(arguments: SocketsRecorded.answers)
  func `every prefix and mutation of an answer is survived`(answer: SocketsRecorded.Answer) {
    var counts = SocketDiagnostics.Counts()
    for length in 0..<answer.bytes.count {
      let bytes = Array(answer.bytes[..<length])
      let decoded = SocketDiagnostics.decodeAnswer(
        unsafe bytes.span.bytes, of: answer.transport, counts: &counts)
      #expect((decoded != nil) == (length >= 72), "\(length) bytes")
    }
    var mutations = SplitMix64(seed: 31)
    for _ in 0..<2_000 {
      let bytes = mutations.mutate(answer.bytes)
      let decoded = SocketDiagnostics.decodeAnswer(
        unsafe bytes.span.bytes, of: answer.transport, counts: &counts)
      if bytes.count < 72 { #expect(decoded == nil) }
    }
  }

  @Test func `cookie and control group are read where the kernel tells them`() throws {
    let answer = try #require(SocketsRecorded.answers.first)
    var counts = SocketDiagnostics.Counts()
    let decoded = SocketDiagnostics.decodeAnswer(unsafe answer.bytes.span.bytes, of: .tcp, counts: &counts)
    #expect(decoded?.cookie == 1)
    #expect(decoded?.cgroup == 1)
    let bare = Array(answer.bytes[..<72])
    let without = SocketDiagnostics.decodeAnswer(unsafe bare.span.bytes, of: .tcp, counts: &counts)
    #expect(without?.socket == answer.entry && without?.cgroup == nil)
  }
}
