import Glibc
import KernelLab
import Model
import Testing

@testable import Ownership

@Suite struct OlderSocketsTests {
  @Test func `every connection that is there has its key and what it carried`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp, bindTo: nil)
    try client.connect(to: listener.port)
    let server = try listener.accept()
    var bytes: [UInt8] = [1, 2, 3, 4, 5]
    #expect(unsafe send(client.descriptor, &bytes, 5, 0) == 5)
    // Waits for what has come.
    try #require(
      unsafe recv(server.descriptor, &bytes, 5, CInt(MSG_PEEK | MSG_WAITALL)) == 5)
    #expect(unsafe recv(server.descriptor, &bytes, 2, 0) == 2)
    var processes = try ProcessTable()
    try processes.refresh()
    let older = OlderSockets(reading: processes, hasCookies: true)
    let sockets = older.carried
    #expect(older.areAll)
    #expect(sockets[try cookie(of: client)] == Usage(received: 0, sent: 5))
    #expect(sockets[0] == nil)
    // Of five bytes that came two were read.
    #expect(sockets[try cookie(of: server)] == Usage(received: 2, sent: 0))
    let byInode = OlderSockets(reading: processes, hasCookies: false).carried
    #expect(byInode[client.inode | 1 << 63] == Usage(received: 0, sent: 5))
  }

  // SO_COOKIE of asm-generic/socket.h.
  private func cookie(of socket: SocketsOpened) throws -> UInt64 {
    var cookie: UInt64 = 0
    var length = socklen_t(MemoryLayout<UInt64>.size)
    try #require(unsafe getsockopt(socket.descriptor, SOL_SOCKET, 57, &cookie, &length) == 0)
    return cookie
  }

  @Test func `an answer that is too short has no key`() {
    var payload = [UInt8](repeating: 0, count: 72)
    #expect(key(payload, true) == nil)
    #expect(key(payload, false) == nil)
    (payload[44], payload[48], payload[68]) = (1, 2, 3)
    #expect(key(payload, true) == 2 << 32 | 1)
    #expect(key(payload, false) == UInt64(1) << 63 | 3)
    let short = Array(payload.prefix(71))
    #expect(key(short, true) == nil)
    #expect(key(short, false) == nil)
  }

  private func key(_ payload: [UInt8], _ hasCookies: Bool) -> UInt64? {
    unsafe OlderSockets.decode(payload.span.bytes, hasCookies)?.key
  }
}
