import CLinux
import Glibc
import SystemPackage

/// What a descriptor is ready for.
public struct Readiness: OptionSet, Sendable, Hashable {
  /// The bits of epoll_ctl(2).
  public let rawValue: UInt32

  /// Makes a set of epoll's bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Something can be received, or accepted, or the end be seen.
  public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
  /// Something can be sent.
  public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
  /// Something can be received or sent.
  static let traffic: Readiness = [.readable, .writable]
  /// The peer has finished sending.
  public static let peerFinished = Readiness(rawValue: EPOLLRDHUP.rawValue)
  /// The peer has sent urgent data (tcp(7)).
  public static let urgent = Readiness(rawValue: EPOLLPRI.rawValue)
  /// Both directions have ended.
  public static let hungUp = Readiness(rawValue: EPOLLHUP.rawValue)
  /// The socket has failed.
  public static let failed = Readiness(rawValue: EPOLLERR.rawValue)
}

/// Waits for many descriptors at once (epoll(7)); closed when its owner goes.
public struct Poller: ~Copyable, Sendable {
  private let file: Descriptor

  /// Makes a poller that waits for nothing yet.
  public init() throws(KernelError) {
    let number = epoll_create1(CInt(EPOLL_CLOEXEC))
    guard number >= 0 else { throw .failed("making an epoll descriptor", .last) }
    file = Descriptor(owning: number)
  }

  /// Reports each change of `socket` once under `token`, until the socket is closed.
  public func add(_ socket: borrowing TCPSocket, token: UInt64) throws(Errno) {
    try control(EPOLL_CTL_ADD, socket.descriptor, Self.always | Readiness.traffic.rawValue, token)
  }

  /// Reports from now on only these of the readable and the writable changes of `socket`; the rest as before. What it
  /// is ready for at this moment is reported again.
  public func report(_ socket: borrowing TCPSocket, _ changes: Readiness, token: UInt64) throws(Errno) {
    try control(
      EPOLL_CTL_MOD, socket.descriptor, Self.always | changes.intersection(.traffic).rawValue, token)
  }

  private static let always = EPOLLRDHUP.rawValue | EPOLLPRI.rawValue | EPOLLET.rawValue

  /// Reports under `token` that connections wait at `listener`, to one of the pollers that share it, until they
  /// are taken.
  public func add(_ listener: TCPListener, token: UInt64) throws(Errno) {
    try control(EPOLL_CTL_ADD, listener.descriptor, EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue, token)
  }

  /// Reports under `token` that `waker` was used.
  public func add(_ waker: Waker, token: UInt64) throws(Errno) {
    try control(EPOLL_CTL_ADD, waker.descriptor, EPOLLIN.rawValue, token)
  }

  /// Reports under `token` that a reply, an error or a stamp waits at `socket`, until it is taken.
  public func add(_ socket: borrowing EchoSocket, token: UInt64) throws(Errno) {
    try control(EPOLL_CTL_ADD, socket.descriptor, EPOLLIN.rawValue, token)
  }

  /// Reports under `token` that an answer or an error waits at `socket`, until it is taken.
  public func add(_ socket: borrowing TraceSocket, token: UInt64) throws(Errno) {
    try control(EPOLL_CTL_ADD, socket.descriptor, EPOLLIN.rawValue, token)
  }

  /// Reports under `token` that a signal came, until it is taken.
  public func add(_ signals: borrowing SignalPipe, token: UInt64) throws(Errno) {
    try control(EPOLL_CTL_ADD, signals.descriptor, EPOLLIN.rawValue, token)
  }

  /// Reports once under `token` that standard output takes more, and that its reader has gone. A file is never waited
  /// for.
  package func addStandardOutput(token: UInt64) throws(Errno) {
    do throws(Errno) {
      try control(EPOLL_CTL_ADD, STDOUT_FILENO, EPOLLOUT.rawValue | EPOLLET.rawValue, token)
    } catch {
      // What epoll_ctl(2) says of a file and of /dev/null.
      if error != .notPermitted { throw error }
    }
  }

  /// Reports nothing of `listener` any more.
  public func remove(_ listener: TCPListener) {
    var event = unsafe epoll_event()
    // In bounds: the kernel ignores the event, which old kernels want to be there.
    _ = unsafe epoll_ctl(file.number, EPOLL_CTL_DEL, listener.descriptor, &event)
  }

  /// Waits until something is ready or `timeout` has passed, for ever when that is nil, and fills `events`.
  public func wait(into events: inout PollEvents, timeout: Duration?) {
    let count = unsafe events.fill { list in
      // In bounds: the kernel writes at most the count that it is given.
      unsafe epoll_wait(
        file.number, list.baseAddress, CInt(list.count), timeout?.inMillisecondsRoundedUp ?? -1)
    }
    events.count = max(0, Int(count))
  }

  /// Waits for so long, whatever becomes ready meanwhile: what comes often is then taken together.
  public static func pause(for duration: Duration) {
    let (seconds, attoseconds) = duration.components
    var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    // In bounds: the kernel reads one time. A signal ends the pause.
    _ = unsafe nanosleep(&time, nil)
  }

  private func control(_ operation: CInt, _ number: CInt, _ interest: UInt32, _ token: UInt64) throws(Errno) {
    var event = unsafe epoll_event(events: interest, data: epoll_data_t(u64: token))
    // In bounds: the kernel reads one event.
    guard unsafe epoll_ctl(file.number, operation, number, &event) == 0 else { throw Errno.last }
  }
}

extension Duration {
  /// As poll(2) and epoll_wait(2) take it, a day at most. Never less, so that what is waited for has come when the
  /// wait is over.
  var inMillisecondsRoundedUp: CInt {
    if self <= .zero { return 0 }
    let (seconds, attoseconds) = components
    if seconds > 86_400 { return 86_400_000 }
    return CInt(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}

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

  package mutating func fill(_ body: (UnsafeMutableBufferPointer<epoll_event>) -> CInt) -> CInt {
    unsafe list.withUnsafeMutableBufferPointer { unsafe body($0) }
  }
}
