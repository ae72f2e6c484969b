/// Why a message cannot be used.
public enum ChannelError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The other process has gone.
  case closed
  /// A message says that it is longer than any may be.
  case tooLong(Int)
  /// A message of a kind that is not known here.
  case unknownKind(UInt8)
  /// A message that ends too early, is longer than what is in it, or holds what cannot be.
  case malformed
  /// The other process does not take what waits for it.
  case full
  /// A system call failed: what it was.
  case failed(String)

  /// What is wrong.
  public var description: String {
    switch self {
    case .closed: "the connection to it has ended"
    case .tooLong(let length): "it sent a message of \(length) bytes, which is too long"
    case .unknownKind(let kind): "it sent a message of unknown kind \(kind)"
    case .malformed: "it sent a message that cannot be understood"
    case .full: "it does not take what is sent to it"
    case .failed(let what): what
    }
  }
}
