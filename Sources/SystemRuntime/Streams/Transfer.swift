public import SystemPackage

/// How an attempt to move bytes of a stream went.
public enum Transfer: Sendable, Hashable {
  /// This many bytes moved, at least one.
  case moved(Int)
  /// The stream has ended: its peer sends no more.
  case ended
  /// Nothing can move now.
  case wouldBlock
  /// The stream is broken.
  case failed(Errno)

  /// What the result of a system call means; `errno` is read when it is negative.
  @inline(__always) package init(_ result: Int) {
    if result > 0 {
      self = .moved(result)
    } else if result == 0 {
      self = .ended
    } else {
      self = Self.failure()
    }
  }

  private static func failure() -> Transfer {
    let error = Errno.last
    switch error {
    case .wouldBlock: return .wouldBlock
    default: return .failed(error)
    }
  }
}
