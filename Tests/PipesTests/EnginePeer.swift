import Foundation
import Model
import Synchronization
import SystemRuntime

@testable import Pipes

/// Peers of an engine under test, on threads of their own.
enum EnginePeer {
  /// What a client sends and gets back.
  static let message = [UInt8](repeating: 7, count: 10_000)

  /// Where pipes listen: an address from which nothing connects, so that ports that are free stay so.
  static let place = IPAddress(v4: 0x7f00_004d)

  /// Ports of `place` that are free.
  static func freePorts(_ count: Int) throws -> [UInt16] {
    let held = try (0..<count).map { _ in try TCPListener(on: Endpoint(address: place, port: 0)) }
    return held.map(\.local.port)
  }

  static func loopback(_ port: UInt16) -> Endpoint {
    Endpoint(address: IPAddress(v4: 0x7f00_0001), port: port)
  }

  /// Answers each connection with as much as it sends, until the listener has no owner.
  static func echo(_ listener: TCPListener, _ stopped: Counter) throws {
    try WorkerThread.start("echo") {
      guard let poller = try? Poller(), (try? poller.add(listener, token: 1)) != nil else { return }
      var events = PollEvents(capacity: 1)
      while stopped.value.load(ordering: .relaxed) == 0 {
        poller.wait(into: &events, timeout: .milliseconds(20))
        guard let accepted = try? listener.accept(), let stream = try? Stream(accepted.intoSocket()) else {
          continue
        }
        if stream.receive(message.count) == message.count { _ = stream.send(message) }
        _ = stream.receive(1)
      }
    }
  }

  /// Takes one connection, on a thread of its own, and does `body` with it.
  static func serveOne(_ listener: TCPListener, _ body: @escaping @Sendable (borrowing Stream) -> Void) throws
  {
    try WorkerThread.start("target") {
      guard let poller = try? Poller(), (try? poller.add(listener, token: 1)) != nil else { return }
      var events = PollEvents(capacity: 1)
      while true {
        poller.wait(into: &events, timeout: .seconds(1))
        guard let accepted = try? listener.accept() else { continue }
        if let stream = try? Stream(accepted.intoSocket()) { body(stream) }
        return
      }
    }
  }

  /// `end` as /proc/net/tcp writes it: the address as the kernel's four bytes make a number here.
  static func hexadecimal(_ end: Endpoint) -> String {
    let bytes = end.address.v4Bits.map { UInt32(bigEndian: $0) } ?? 0
    return String(format: "%08X:%04X", bytes, end.port)
  }

  /// The words of each line of /proc/net/tcp.
  static func tcpSockets() -> [[Substring]] {
    ((try? WholeFile.read("/proc/self/net/tcp", limit: 1 << 26)) ?? []).split(separator: UInt8(ascii: "\n"))
      .dropFirst().map { String(decoding: $0, as: UTF8.self).split(separator: " ") }
  }
}

final class Counter: Sendable {
  let value = Atomic<Int>(0)
}

/// A socket that waits.
struct Stream: ~Copyable {
  let socket: TCPSocket
  let poller: Poller

  init(_ socket: consuming TCPSocket) throws {
    let poller = try Poller()
    try poller.add(socket, token: 1)
    self.poller = poller
    self.socket = socket
  }

  private func wait() {
    var events = PollEvents(capacity: 1)
    poller.wait(into: &events, timeout: .seconds(5))
  }

  func send(_ bytes: [UInt8]) -> Bool {
    var start = 0
    while start < bytes.count {
      switch socket.send(bytes, start..<bytes.count) {
      case .moved(let count): start += count
      case .wouldBlock: wait()
      case .ended: return false
      case .failed: return false
      }
    }
    return true
  }

  func receive(_ count: Int) -> Int {
    var buffer = [UInt8](repeating: 0, count: 65536)
    var total = 0
    while total < count {
      switch socket.receive(into: &buffer, atMost: min(buffer.count, count - total)) {
      case .moved(let more): total += more
      case .wouldBlock: wait()
      case .ended: return total
      case .failed: return total
      }
    }
    return total
  }
}
