import CLinux
import Glibc
import SystemPackage

/// One end of a stream between two processes of this host (unix(7), socketpair(2)).
public struct LocalSocket: ~Copyable {
  let descriptor: Descriptor

  /// Two ends of one stream.
  @frozen public struct Pair: ~Copyable {
    /// What stays here.
    public let ours: LocalSocket
    /// What a child gets.
    public let theirs: LocalSocket

    /// Makes a stream.
    public init() throws(KernelError) {
      var ends: [CInt] = [-1, -1]
      // In bounds: the array holds the two descriptors that the call makes.
      guard unsafe clinux_socket_pair(&ends) == 0 else { throw .failed("making a socket pair", .last) }
      ours = LocalSocket(owning: ends[0])
      theirs = LocalSocket(owning: ends[1])
    }
  }

  /// What became of an attempt to read.
  public enum Received: Sendable, Hashable {
    /// So many bytes came.
    case bytes(Int)
    /// There is nothing now.
    case nothing
    /// The other end has gone.
    case closed
  }

  init(owning number: CInt) { descriptor = Descriptor(owning: number) }

  /// The stream that whoever started this program gave it as standard input; nil if that is none.
  public static func standardInput() -> LocalSocket? {
    guard clinux_is_local_stream(STDIN_FILENO) == 1 else { return nil }
    return LocalSocket(owning: STDIN_FILENO)
  }

  /// Appends what has come to `bytes`, at most `limit` bytes, and waits for nothing.
  public func receive(into bytes: inout [UInt8], atMost limit: Int) throws(KernelError) -> Received {
    let (count, error) = unsafe withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { room in
      // In bounds: `room` has `limit` bytes, of which the call fills `count`.
      let count = unsafe recv(descriptor.number, room.baseAddress, limit, CInt(MSG_DONTWAIT))
      let error = Errno.last
      if count > 0 { unsafe bytes.append(contentsOf: room[..<count]) }
      return (count, error)
    }
    if count > 0 { return .bytes(count) }
    if count == 0 || error == .connectionReset { return .closed }
    if error == .wouldBlock || error == .interrupted { return .nothing }
    throw .failed("reading from another of our processes", error)
  }

  /// Sends what the stream takes now of `bytes` from `start` on; returns how many, nil when the other end has gone.
  public func send(_ bytes: [UInt8], from start: Int) throws(KernelError) -> Int? {
    let count = unsafe bytes.withUnsafeBytes { buffer in
      // In bounds: from `start` to the end.
      unsafe Glibc.send(
        descriptor.number, buffer.baseAddress?.advanced(by: start), buffer.count - start,
        CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
    }
    if count >= 0 { return count }
    switch Errno.last {
    case .wouldBlock, .interrupted: return 0
    case .brokenPipe, .connectionReset: return nil
    case let error: throw .failed("writing to another of our processes", error)
    }
  }

  /// What is waited for.
  public struct Readiness: OptionSet, Sendable {
    /// As poll(2) writes it.
    public let rawValue: Int16

    /// Takes what poll(2) writes.
    public init(rawValue: Int16) { self.rawValue = rawValue }

    /// Something can be read.
    public static let toReceive = Readiness(rawValue: Int16(POLLIN))
    /// Something can be sent.
    public static let toSend = Readiness(rawValue: Int16(POLLOUT))
  }

  /// Waits until one of these is so or the other end has gone, but not longer than `limit`; nil for ever. A signal ends the
  /// wait as well.
  public func wait(_ readiness: Readiness, atMost limit: Duration?) throws(KernelError) {
    var event = pollfd(fd: descriptor.number, events: readiness.rawValue, revents: 0)
    if unsafe poll(&event, 1, limit?.inMillisecondsRoundedUp ?? -1) < 0, errno != EINTR {
      throw .failed("waiting for another of our processes", .last)
    }
  }

  /// True when the other end has gone.
  public var isClosed: Bool {
    var event = pollfd(fd: descriptor.number, events: 0, revents: 0)
    return unsafe poll(&event, 1, 0) > 0 && event.revents & Int16(POLLHUP) != 0
  }

  /// Says that nothing more will be sent.
  public func endSending() { shutdown(descriptor.number, CInt(SHUT_WR)) }

  /// Sends a byte and with it the other end of a stream, which stays open here until `handed` goes. Waits for nothing.
  /// Returns false where the other end has gone or takes nothing.
  public func hand(_ byte: UInt8, _ handed: borrowing LocalSocket) -> Bool {
    clinux_send_descriptor(descriptor.number, byte, handed.descriptor.number) == 0
  }

  /// Sends a byte; waits for nothing. Returns false where the other end has gone or takes nothing.
  public func hand(_ byte: UInt8) -> Bool { clinux_send_descriptor(descriptor.number, byte, -1) == 0 }

  /// Waits for a byte and the stream that may come with it; nil when the other end has gone.
  public func take() -> Handed? {
    var byte: UInt8 = 0
    var number: CInt = -1
    // In bounds: both are ours, for the length of the call.
    guard unsafe clinux_receive_descriptor(descriptor.number, &byte, &number) == 1 else { return nil }
    return Handed(byte: byte, socket: number >= 0 ? LocalSocket(owning: number) : nil)
  }

  /// A byte, and a stream that came with it.
  public struct Handed: ~Copyable {
    /// The byte.
    public let byte: UInt8
    let socket: LocalSocket?

    /// The stream; nil if none came.
    public consuming func takeSocket() -> LocalSocket? { socket }
  }

  /// A byte that has come; nil if none has.
  public func takeNow() -> UInt8? {
    var byte: UInt8 = 0
    // In bounds: one byte.
    return unsafe recv(descriptor.number, &byte, 1, CInt(MSG_DONTWAIT)) == 1 ? byte : nil
  }
}
