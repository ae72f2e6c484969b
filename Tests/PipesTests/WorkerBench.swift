import Lab
import Model
import SystemRuntime
import SystemPackage
import Testing

@testable import Pipes

/// A worker that does only what the test says, with a client at a pipe.
final class WorkerBench {
  let worker: Worker
  let pipe: Pipe
  let target: TCPListener
  let listener: TCPListener
  /// The client's end; nil once it has gone.
  var client: StreamEnd?

  init(
    host: String = "127.0.0.1", acceptsProxy: Bool = false, idleTimeout: Duration? = nil,
    mailboxes: [Mailbox]? = nil
  ) async throws {
    target = try TCPListener(on: EnginePeer.loopback(0))
    listener = try TCPListener(on: EnginePeer.loopback(0))
    var configuration = PipeConfiguration(
      port: listener.local.port, host: host, remotePort: target.local.port)
    configuration.acceptsProxy = acceptsProxy
    configuration.idleTimeout = idleTimeout
    let mailboxes = try mailboxes ?? [Mailbox()]
    let common = try Worker.Common(
      workers: mailboxes.count, budget: DescriptorBudget(descriptors: 1024), keepAliveAge: .seconds(3600))
    worker = try Worker(index: 0, common: common, mailboxes: mailboxes)
    pipe = Pipe(
      id: 1, configuration, listeners: [listener],
      target: try Target(host: host, port: target.local.port) { _ in nil }, log: { _ in })
    client = StreamEnd(try TCPSocket(connectingTo: listener.local))
  }

  func accept(_ listener: TCPListener) async throws -> StreamEnd {
    try await eventually("a connection") {
      guard let accepted = try listener.accept() else { return nil }
      return StreamEnd(accepted.intoSocket())
    }
  }

  /// Has the worker begin with the client.
  func begin() async throws {
    #expect(pipe.enter(limit: 1))
    worker.mailbox.addLoad(1)
    worker.begin(pipe, try await accept(listener), from: listener.local)
  }

  /// Does something with the connection, if the worker still has it; nobody else keeps it.
  func with(_ body: (Worker, Connection) -> Void) {
    worker.now = .now
    if let connection = worker.connections.first.flatMap(\.self) { body(worker, connection) }
  }

  /// Both directions of the open connection.
  var halves: (received: HalfConnection, sent: HalfConnection)? {
    guard case .open(let received, let sent) = worker.connections.first.flatMap(\.self)?.phase else {
      return nil
    }
    return (received, sent)
  }

  /// Sends and resets, and has the worker see both at once.
  func reset(after bytes: [UInt8]) async throws {
    if !bytes.isEmpty { #expect(client?.socket.send(bytes, 0..<bytes.count) == .moved(bytes.count)) }
    client?.socket.resetOnClose()
    client = nil
    var events = PollEvents(capacity: 16)
    try await eventually("the reset") { [self] in
      worker.poller.wait(into: &events, timeout: .zero)
      for index in 0..<events.count where Token(events[index].token).kind == .client {
        with { $0.clientChanged($1, events[index].readiness) }
        if events[index].readiness.contains(.failed) { return () }
      }
      return nil
    }
  }
}
