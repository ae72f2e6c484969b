import Glibc
import Model
public import SystemRuntime

/// A program that starts the same child of itself as often as it is asked to.
///
/// It is started before this process gives up its privileges, and keeps its own: a child that has ended can be started
/// again with all that it needs. It takes single bytes from a socket, and does nothing else.
public struct Launcher: ~Copyable {
  private enum Wish: UInt8 {
    /// Start a child that speaks over the socket that comes with it.
    case start
    /// Wait for the child's end, and report it.
    case wait
    /// Have the child go on if it is stopped, wait for its end, and report it.
    case end
    /// Undo what children that have ended left, and report that this was done.
    case undo
  }

  private let path: String
  private let control: LocalSocket
  private let program: ChildProgram
  /// A child that ends by itself does so within this time.
  private static let patience = Duration.seconds(5)
  /// The launcher's child has so long, less than whoever waits for the answer.
  private static let childPatience = Duration.seconds(3)

  /// Starts the program at `path`, which must call `serve`. Errors: `failed`.
  public init(_ path: String, _ arguments: [String]) throws(KernelError) {
    self.path = path
    let pair = try LocalSocket.Pair()
    program = try ChildProgram(path, arguments, input: pair.theirs)
    control = pair.ours
  }

  /// Has a child started, in place of the one before; returns the channel to it. Errors: `sensorLost`, a lasting one where
  /// the program has gone.
  public func start() throws(KernelError) -> Channel {
    let pair = try LocalSocket.Pair()
    guard control.hand(Wish.start.rawValue, pair.theirs) else { throw failure }
    return Channel(pair.ours)
  }

  /// Waits for the end of the child, whose channel has closed, and returns how it ended. With `byForce` one that is stopped goes
  /// on first, so that it can undo what it changed. One that does not end within seconds is ended. Errors: `sensorLost`, a
  /// lasting one where the program has gone.
  public func ending(byForce: Bool) throws(KernelError) -> ChildProgram.Ending {
    // An answer that came too late for the question before.
    while control.takeNow() != nil {}
    let deadline = Instant.now + Self.patience
    guard control.hand((byForce ? Wish.end : .wait).rawValue), let kind = try answer(until: deadline),
      let value = try answer(until: deadline)
    else { throw failure }
    return kind == 0 ? .exited(Int32(value)) : .signal(Int32(value))
  }

  /// Has undone what children left that were killed; returns once it is. None may live; the program goes on if it is stopped.
  /// Errors: `sensorLost`.
  public func undo() throws(KernelError) {
    while control.takeNow() != nil {}
    program.goOn()
    guard control.hand(Wish.undo.rawValue), try answer(until: .now + Self.patience) != nil else {
      throw failure
    }
  }

  /// Why it did not do what was asked for: it has gone, for good, or it lives and does not answer.
  private var failure: KernelError {
    let ending = program.wait(atMost: .milliseconds(100))
    guard ending != nil || control.isClosed else {
      return .sensorLost(
        "\(path), which starts the sensor (pid \(program.pid)), does not answer: it may be stopped (`kill -CONT "
          + "\(program.pid)`), or this host is overloaded.")
    }
    return .sensorLost(
      "\(path), which starts the sensor (pid \(program.pid)), has ended\(ending.map { " (\($0))" } ?? ""): install it and "
        + "this program from one release, and start this program again.", isLasting: true)
  }

  /// Lets the program end, or ends it where it does not.
  public func finish() {
    control.endSending()
    program.goOn()
    if program.wait(atMost: Self.patience) == nil { program.endAndWait() }
  }

  /// The next byte; nil where there is none until `deadline`. A signal may end a wait early.
  private func answer(until deadline: Instant) throws(KernelError) -> UInt8? {
    while true {
      if let byte = control.takeNow() { return byte }
      let remaining = deadline - .now
      guard remaining > .zero, !control.isClosed else { return nil }
      try control.wait(.toReceive, atMost: remaining)
    }
  }

  /// Serves whoever started this program as its launcher, over `control`, and has each child run `work` with its socket. Returns
  /// when nobody asks any more, after `undo` has undone what children left. Only for a process of one thread.
  public static func serve(
    _ control: consuming LocalSocket, undo: () -> Void, work: @escaping (consuming LocalSocket) -> Never
  ) {
    var child: ChildProgram?
    while let handed = control.take() {
      let wish = Wish(rawValue: handed.byte)
      switch wish {
      case .start:
        child?.endAndWait()
        // Where there is no room for a process now, the socket closes, and it is asked for again.
        let socket = HandedSocket(handed.takeSocket())
        child = ChildProgram.fork(without: control) { socket.run(work) }
        // From here on it only waits.
        if child != nil { ProcessMemory.unmapTextOfStart() }
      case .end, .wait:
        if wish == .end { child?.goOn() }
        // One that has closed its socket and does not end has nothing to lose.
        let ending = child?.wait(atMost: childPatience) ?? child?.endAndWait()
        let (kind, value): (UInt8, Int32) =
          switch ending {
          case .exited(let status): (0, status)
          case .signal(let signal): (1, signal)
          case nil: (0, 0)
          }
        child = nil
        _ = control.hand(kind) && control.hand(UInt8(truncatingIfNeeded: value))
      case .undo:
        if child == nil { undo() }
        _ = control.hand(0)
      case nil: break
      }
    }
    // It undoes what it changed, and ends.
    child?.goOn()
    if child?.wait(atMost: patience) == nil { child?.endAndWait() }
    undo()
  }
}

/// The socket of a child, which its launcher closes as soon as the child has it.
private final class HandedSocket {
  private var socket: LocalSocket?

  init(_ socket: consuming LocalSocket?) { self.socket = socket }

  func run(_ work: (consuming LocalSocket) -> Never) -> Never {
    if let socket = socket.take() { work(socket) }
    // Nobody handed one over: there is nobody to work for.
    _exit(EXIT_FAILURE)
  }
}
