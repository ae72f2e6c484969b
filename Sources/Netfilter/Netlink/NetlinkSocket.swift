import CLinux
import CNetlink
import Glibc
import SystemRuntime
import SystemPackage

/// A netlink socket of one protocol; closed when its owner goes.
///
/// Safe to use: the handle of libmnl never leaves it, and the buffer is an array.
@safe package struct NetlinkSocket: ~Copyable {
  /// The netlink protocol (linux/netlink.h).
  package enum Family: CInt {
    case route = 0
    case socketDiagnostics = 4
    case connector = 11
    case netfilter = 12
  }

  private let socket: OpaquePointer
  private var buffer: [UInt8]
  private var sequence: UInt32

  /// What a look at a socket that does not block found.
  enum Look {
    /// Nothing waits.
    case nothing
    /// The kernel dropped something since the last look (ENOBUFS).
    case lost
    /// A datagram, and whether its end made sense.
    case received(isWhole: Bool)
  }

  /// Opens a socket of `family`, bound to the multicast groups whose bits are set.
  package init(_ family: Family, groups: UInt32 = 0) throws(KernelError) {
    guard let socket = unsafe mnl_socket_open2(family.rawValue, CInt(SOCK_CLOEXEC.rawValue)) else {
      throw Self.error("opening a netlink socket")
    }
    try unsafe self.init(opened: socket, groups: groups)
  }

  /// Opens and binds a socket of `family` in another network namespace, the open file /proc/PID/ns/net.
  ///
  /// It keeps the namespace alive, and with it its interfaces. Needs CAP_SYS_ADMIN.
  package init(_ family: Family, in namespace: borrowing OpenFile) throws(KernelError) {
    let descriptor = clinux_netlink_socket_in(namespace.descriptor, family.rawValue)
    guard descriptor >= 0 else { throw Self.error("entering a network namespace") }
    guard let socket = unsafe mnl_socket_fdopen(descriptor) else {
      let error = Self.error("opening a netlink socket")
      close(descriptor)
      throw error
    }
    try unsafe self.init(opened: socket, groups: 0)
  }

  /// Takes over `socket` and binds it; closes it when that fails.
  private init(opened socket: OpaquePointer, groups: UInt32) throws(KernelError) {
    guard unsafe mnl_socket_bind(socket, groups, pid_t(MNL_SOCKET_AUTOPID)) == 0 else {
      let error = Self.error("binding a netlink socket")
      unsafe mnl_socket_close(socket)
      throw error
    }
    unsafe self.socket = socket
    // The kernel fills at most 32 KiB of a dump at a time; a shorter buffer costs more calls.
    buffer = Array(repeating: 0, count: 65536)
    sequence = 0
  }

  deinit { unsafe mnl_socket_close(socket) }

  /// The descriptor, for options and for waiting; it stays this socket's.
  package var descriptor: CInt { unsafe mnl_socket_get_fd(socket) }

  /// Sends `request` as a dump and calls `body` with the type and payload of each message of the answer.
  ///
  /// Returns how many messages could not be understood and whether the kernel changed what was dumped
  /// meanwhile (NLM_F_DUMP_INTR): then the dump is not consistent and must be repeated.
  package mutating func dump(
    _ request: NetlinkRequest, _ operation: String, _ body: (UInt16, RawSpan) -> Void
  ) throws(KernelError) -> (isInterrupted: Bool, malformed: UInt64) {
    var request = request
    try send(&request, operation)
    var answer = DumpAnswer(sequence: sequence)
    var malformed: UInt64 = 0
    while !answer.isDone {
      let isWhole = try receive(operation) { header, payload in
        if answer.take(header, payload) { body(header.type, payload) }
      }
      if !isWhole { malformed += 1 }
    }
    if let failure = answer.failure, failure != 0 { throw Self.error(operation, failure) }
    return (answer.isInterrupted, malformed)
  }

  /// Sends all of `requests` in one datagram and returns once every one that asks for it was acknowledged.
  package mutating func perform(_ requests: [NetlinkRequest], _ operation: String) throws(KernelError) {
    var bytes: [UInt8] = []
    var outstanding: Set<UInt32> = []
    for var request in requests {
      let number = nextSequence()
      request.setSequence(number)
      if request.wantsAcknowledgement { outstanding.insert(number) }
      bytes += request.bytes
    }
    try send(bytes, operation)
    while !outstanding.isEmpty {
      var failure: CInt = 0
      _ = try receive(operation) { header, payload in
        guard header.type == NetlinkHeader.Control.error else { return }
        outstanding.remove(header.sequence)
        if failure == 0 { failure = DumpAnswer.failure(payload) }
      }
      if failure != 0 { throw Self.error(operation, failure) }
    }
  }

  /// Sends all of `requests` in one datagram and calls `body` with the answer of each; one that is refused has no
  /// answer. Returns how many answers were too long to be read: more than a page, which the kernel does not write.
  mutating func exchange(
    _ requests: [NetlinkRequest], _ operation: String, _ body: (UInt16, RawSpan) -> Void
  ) throws(KernelError) -> Int {
    var bytes: [UInt8] = []
    let first = sequence &+ 1
    for request in requests { request.append(to: &bytes, sequence: nextSequence()) }
    try send(bytes, operation)
    var outstanding = requests.count
    var tooLong = 0
    while outstanding > tooLong {
      let haul = takeMany { header, payload in
        guard header.sequence &- first < UInt32(requests.count) else { return }
        outstanding -= 1
        if header.type != NetlinkHeader.Control.error { body(header.type, payload) }
      }
      if haul.error != 0 { throw Self.error(operation, haul.error) }
      tooLong += haul.tooLong
    }
    return tooLong
  }

  /// Sends one request and calls `body` with the type and payload of its answer; returns the error that the kernel
  /// answered with instead.
  package mutating func ask(
    _ request: consuming NetlinkRequest, _ operation: String, _ body: (UInt16, RawSpan) -> Void
  ) throws(KernelError) -> Errno? {
    try send(&request, operation)
    let expected = sequence
    while true {
      var isAnswered = false
      var refusal: Errno?
      _ = try receive(operation) { header, payload in
        guard header.sequence == expected else { return }
        isAnswered = true
        if header.type == NetlinkHeader.Control.error {
          refusal = Errno(rawValue: DumpAnswer.failure(payload))
        } else {
          body(header.type, payload)
        }
      }
      if isAnswered { return refusal }
    }
  }

  /// Sends one message that has no answer.
  package mutating func post(_ message: consuming NetlinkRequest, _ operation: String) throws(KernelError) {
    try send(&message, operation)
  }

  private mutating func send(_ bytes: [UInt8], _ operation: String) throws(KernelError) {
    // In bounds: the pointer and count are the array's own.
    let sent = unsafe bytes.withUnsafeBytes { unsafe mnl_socket_sendto(socket, $0.baseAddress, $0.count) }
    guard sent == bytes.count else { throw Self.error(operation) }
  }

  /// A number for the next message, so that its answer can be distinguished from an older one.
  private mutating func nextSequence() -> UInt32 {
    sequence &+= 1
    return sequence
  }

  /// Receives what waits, one datagram at the most, and calls `body` with each message in it.
  mutating func receiveNow(
    _ operation: String, _ body: (NetlinkHeader, RawSpan) -> Void
  ) throws(KernelError) -> Look {
    let count = receiveDatagram()
    if count < 0 { return try Self.look(operation, errno) }
    // The kernel initialised these bytes; they live in the array while the span does.
    return .received(isWhole: forEachMessage(in: unsafe buffer.span.bytes.extracting(0..<count), body))
  }

  /// Receives what waits, CLINUX_DATAGRAMS at the most of some hundred bytes each, and calls `body` with each message.
  mutating func receiveManyNow(
    _ operation: String, _ body: (NetlinkHeader, RawSpan) -> Void
  ) throws(KernelError) -> Look {
    let haul = takeMany(body)
    if haul.error != 0 { return try Self.look(operation, haul.error) }
    return .received(isWhole: haul.tooLong + haul.broken == 0)
  }

  /// What an error in receiving says.
  private static func look(_ operation: String, _ code: CInt) throws(KernelError) -> Look {
    switch code {
    case EAGAIN: return .nothing
    case ENOBUFS: return .lost
    default: throw error(operation, code)
    }
  }

  /// Waits for one datagram and calls `body` with each message in it; false if its end makes no sense.
  private mutating func receive(
    _ operation: String, _ body: (NetlinkHeader, RawSpan) -> Void
  ) throws(KernelError) -> Bool {
    let count = receiveDatagram()
    guard count >= 0 else { throw Self.error(operation) }
    // The kernel initialised these bytes; they live in the array while the span does.
    return forEachMessage(in: unsafe buffer.span.bytes.extracting(0..<count), body)
  }

  /// What `takeMany` took.
  private struct Haul {
    /// Why it took nothing; 0 if it did.
    var error: CInt = 0
    /// Datagrams that did not fit their share of the buffer.
    var tooLong = 0
    /// Datagrams of which the end makes no sense.
    var broken = 0
  }

  /// Receives CLINUX_DATAGRAMS at the most, waiting for the first where the socket waits, and calls `body` with each
  /// message in them.
  private mutating func takeMany(_ body: (NetlinkHeader, RawSpan) -> Void) -> Haul {
    let share = buffer.count / Int(CLINUX_DATAGRAMS)
    var lengths = Array(repeating: 0, count: Int(CLINUX_DATAGRAMS))
    let socket = descriptor
    // In bounds: as many shares as the buffer has, and as many lengths.
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe clinux_receive_many(socket, $0.baseAddress, share, &lengths)
    }
    guard count >= 0 else { return Haul(error: errno) }
    var haul = Haul()
    for (index, length) in lengths.prefix(Int(count)).enumerated() {
      guard length <= share else {
        haul.tooLong += 1
        continue
      }
      // The kernel initialised these bytes; they live in the array while the span does.
      let bytes = unsafe buffer.span.bytes.extracting(index * share..<index * share + length)
      if !forEachMessage(in: bytes, body) { haul.broken += 1 }
    }
    return haul
  }

  /// Fills the buffer with one datagram; returns its bytes, or -1 with errno set.
  private mutating func receiveDatagram() -> Int {
    let socket = unsafe socket
    var count: Int
    repeat {
      // In bounds: the kernel writes at most the count it is given, the array's own.
      count = unsafe buffer.withUnsafeMutableBytes {
        unsafe mnl_socket_recvfrom(socket, $0.baseAddress, $0.count)
      }
    } while count < 0 && errno == EINTR
    return count
  }

  private mutating func send(_ request: inout NetlinkRequest, _ operation: String) throws(KernelError) {
    request.setSequence(nextSequence())
    try send(request.bytes, operation)
  }

  package static func error(_ operation: String, _ code: CInt = errno) -> KernelError {
    switch code {
    case EPERM, EACCES: .notPermitted(operation)
    case EPROTONOSUPPORT, EAFNOSUPPORT, EOPNOTSUPP, ENOPROTOOPT: .unsupported(operation)
    default: .failed(operation, Errno(rawValue: code))
    }
  }
}

extension NetlinkSocket {
  /// What was found by reading events until nothing waited, or as often as was allowed.
  package struct Receipt {
    /// True when nothing more waits.
    package var isDrained = false
    /// True when the kernel dropped messages for lack of room since the last look (ENOBUFS).
    package var hasLost = false
    /// Messages and attributes that could not be understood.
    package var malformed: UInt64 = 0

    /// Takes what one look found; returns whether there is more to look for.
    mutating func take(_ look: Look) -> Bool {
      switch look {
      case .nothing: isDrained = true
      case .lost: hasLost = true
      case .received(let isWhole): if !isWhole { malformed += 1 }
      }
      return !isDrained
    }
  }
}
