import Glibc
import KernelLab
import Model
import SystemPackage
import Testing

@testable import SystemRuntime

/// Who listens, and until when.
@Suite struct TCPListenerTests {
  @Test func `one that is let go frees its port, also while a program that is started has a copy`() throws {
    // An address from which nothing connects, so that a port that is free stays so.
    let place = Endpoint(address: IPAddress(v4: 0x7f00_004e), port: 0)
    var listener: TCPListener? = try TCPListener(on: place)
    let local = try #require(listener?.local)
    let copy = dup(listener?.descriptor ?? -1)
    defer { close(copy) }
    #expect(throws: Errno.addressInUse) { try TCPListener(on: local) }
    listener = nil
    // The kernel gives back a port that it chose, but keeps one that was asked for as long as there is a copy.
    listener = try TCPListener(on: local)
    let second = dup(listener?.descriptor ?? -1)
    defer { close(second) }
    listener = nil
    #expect(try TCPListener(on: local).local == local)
  }

  @Test func `one that whoever started us listens at as well goes on`() throws {
    let socket = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    socket.listen()
    do { _ = try TCPListener(owning: dup(socket.descriptor)) }
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: socket.port)
  }
}
