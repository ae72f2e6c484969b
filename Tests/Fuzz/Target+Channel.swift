import Model

@testable import Channel

extension Target {
  /// The first byte says in what pieces the others come.
  static func channel(_ input: [UInt8]) throws(Violation) {
    guard let first = input.first else { return }
    let bytes = Array(input.dropFirst())
    let whole = read(bytes, step: max(1, bytes.count))
    let divided = read(bytes, step: Int(first) + 1)
    try law("pieces do not change what comes", whole.messages == divided.messages)
    try law("nor whether it is understood", whole.error == divided.error)
    try law("each message has five bytes at least", whole.messages.count * 5 <= bytes.count)
    var encoder = MessageEncoder()
    var written: [UInt8] = []
    do throws(ChannelError) {
      for message in whole.messages { written += try encoder.bytes(of: message) }
    } catch { throw Violation(description: "what was read cannot be written: \(error)") }
    let again = read(written, step: max(1, written.count))
    try law("written again it reads the same", again.messages == whole.messages && again.error == nil)
  }

  private static func read(_ bytes: [UInt8], step: Int) -> (messages: [Message], error: ChannelError?) {
    var decoder = MessageDecoder()
    var messages: [Message] = []
    do throws(ChannelError) {
      for start in stride(from: 0, to: bytes.count, by: step) {
        decoder.add { $0 += bytes[start..<min(start + step, bytes.count)] }
        while let message = try decoder.next() { messages.append(message) }
      }
    } catch { return (messages, error) }
    return (messages, nil)
  }
}
