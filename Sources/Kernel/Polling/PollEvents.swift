import CLinux

/// What a poller found ready; used again for each wait.
@safe public struct PollEvents: ~Copyable {
  /// How many there are.
  public internal(set) var count = 0

  private var list: [epoll_event]

  /// Makes room for `capacity` of them at a time; what does not fit comes with the next wait.
  public init(capacity: Int) {
    unsafe list = Array(repeating: epoll_event(), count: capacity)
  }

  /// The event at `index`, below `count`: what is ready, and the token it was added with.
  public subscript(index: Int) -> (token: UInt64, readiness: Readiness) {
    let event = unsafe list[index]
    return unsafe (event.data.u64, Readiness(rawValue: event.events))
  }

  mutating func fill(_ body: (UnsafeMutableBufferPointer<epoll_event>) -> CInt) -> CInt {
    unsafe list.withUnsafeMutableBufferPointer { unsafe body($0) }
  }
}
