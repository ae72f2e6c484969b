public import Model
public import SystemRuntime

/// Messages over a stream between the hub and one of its children.
public struct Channel: ~Copyable {
  /// What may wait for an end that takes nothing.
  private static let mostWaiting = 64 << 20
  private static let readLength = 64 << 10

  private let socket: LocalSocket
  private var encoder = MessageEncoder()
  private var decoder = MessageDecoder()
  /// What the other end has not taken yet, from `sent` on.
  private var waiting: [UInt8] = []
  private var sent = 0

  /// Speaks over `socket`.
  public init(_ socket: consuming LocalSocket) { self.socket = socket }

  /// Sends `message` as far as the other end takes it; `receive` and `flush` send the rest.
  ///
  /// Errors: `full` where too much waits already, `closed`, `failed`.
  public mutating func send(_ message: Message) throws(ChannelError) {
    if waiting.count - sent > Self.mostWaiting { throw .full }
    let bytes = try encoder.bytes(of: message)
    if sent == waiting.count {
      waiting = bytes
      sent = 0
    } else {
      waiting += bytes
    }
    try push()
  }

  /// Waits until the other end has all that was sent to it. Errors: `closed`, `failed`.
  public mutating func flush() throws(ChannelError) {
    while sent < waiting.count {
      try wait(.toSend, atMost: nil)
      try push()
    }
  }

  /// Returns the next message; nil when `deadline` passed without one. Without a deadline it waits for ever; with one that has
  /// passed it takes only what has come.
  ///
  /// Errors: `closed`, and what of a message is wrong: then nothing that comes after it can be understood.
  public mutating func receive(until deadline: Instant?) throws(ChannelError) -> Message? {
    while true {
      if let message = try decoder.next() { return message }
      switch try read() {
      case .bytes: continue
      case .closed: throw .closed
      case .nothing: break
      }
      try push()
      let remaining = deadline.map { $0 - .now }
      if let remaining, remaining <= .zero { return nil }
      try wait(sent < waiting.count ? [.toReceive, .toSend] : .toReceive, atMost: remaining)
    }
  }

  /// Says that nothing more will be sent.
  public func endSending() { socket.endSending() }

  private mutating func push() throws(ChannelError) {
    while sent < waiting.count {
      let taken: Int?
      do throws(KernelError) { taken = try socket.send(waiting, from: sent) } catch {
        throw .failed("\(error)")
      }
      guard let taken else { throw .closed }
      if taken == 0 { return }
      sent += taken
    }
    if waiting.count > Self.readLength { waiting = [] } else { waiting.removeAll(keepingCapacity: true) }
    sent = 0
  }

  private mutating func read() throws(ChannelError) -> LocalSocket.Received {
    let socketError: KernelError
    do throws(KernelError) {
      return try decoder.add { (bytes: inout [UInt8]) throws(KernelError) in
        try socket.receive(into: &bytes, atMost: Self.readLength)
      }
    } catch { socketError = error }
    throw .failed("\(socketError)")
  }

  private func wait(_ readiness: LocalSocket.Readiness, atMost limit: Duration?) throws(ChannelError) {
    do throws(KernelError) { try socket.wait(readiness, atMost: limit) } catch {
      throw .failed("\(error)")
    }
  }
}
