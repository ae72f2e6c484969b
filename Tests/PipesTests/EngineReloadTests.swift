import Foundation
import Lab
import Model
import Synchronization
import SystemRuntime
import Testing

@testable import Pipes

/// Pipes and clients that come and go, with real sockets and several threads.
@Suite(.serialized, .timeLimit(.minutes(10))) struct EngineReloadTests {
  /// The inode of the socket that listens at `end` (proc(5)).
  private static func listener(at end: Endpoint) -> String? {
    EnginePeer.tcpSockets().first { $0[1] == EnginePeer.hexadecimal(end) && $0[3] == "0A" }.map {
      String($0[9])
    }
  }

  @Test(arguments: [1, 3])
  func `a pipe that was removed has let its listener go when the reload returns`(threads: Int) async throws {
    let pipes = try EnginePeer.freePorts(2).map {
      PipeConfiguration(port: $0, host: "127.0.0.1", remotePort: 9, bind: EnginePeer.place)
    }
    let meter = try PipeMeter(pipes, threads: threads) { _ in }
    for round in 0..<50 {
      let inode = try #require(Self.listener(at: pipes[1].listening))
      try meter.reload([pipes[0]])
      let held = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))
          == "socket:[\(inode)]"
      }
      #expect(held.isEmpty, "\(round)")
      try meter.reload(pipes)
    }
    meter.stop()
  }

  /// An engine that would wait for an hour at its start for the name `slow`, which becomes an address of `place` once
  /// `gate` is woken.
  private static func engine(_ gate: Waker, _ log: Log) throws -> PipeEngine {
    try PipeEngine(
      threads: 2, patience: .seconds(3600),
      lookUp: { (_, port) throws(NameResolution.Failure) in
        gate.wait()
        return [ZonedEndpoint(Endpoint(address: EnginePeer.place, port: port))]
      }
    ) { warning in log.lines.withLock { $0.append("\(warning.code): \(warning.text)") } }
  }

  final class Log: Sendable {
    let lines = Mutex<[String]>([])
  }

  /// Connects to a pipe and waits for the end of it.
  private static func ask(_ pipe: PipeConfiguration) throws -> Transfer {
    let client = try Stream(try TCPSocket(connectingTo: pipe.listening))
    #expect(client.receive(1) == 0)
    var buffer: [UInt8] = [0]
    return client.socket.receive(into: &buffer, atMost: 1)
  }

  @Test func `a reload waits for no name; a pipe that then leads to itself refuses its clients`() async throws
  {
    let (gate, log) = (try Waker(), Log())
    let engine = try Self.engine(gate, log)
    let port = try EnginePeer.freePorts(1)[0]
    let pipe = PipeConfiguration(port: port, host: "slow", remotePort: port, bind: EnginePeer.place)
    try engine.apply([pipe], waitsForNames: false)
    #expect(engine.pipes.map(\.name) == [pipe.name] && log.lines.withLock { $0.isEmpty })
    gate.wake()
    try await eventually("a line") {
      log.lines.withLock { $0.first { $0.hasPrefix("loop: ") && $0.contains("forward to itself") } }.map {
        _ in
      }
    }
    #expect(try Self.ask(pipe) == .ended)
    #expect(engine.pipes[0].failed == 1)
    engine.stop()
  }

  @Test func `pipes that turn out to lead round to each other refuse their clients`() async throws {
    let (gate, log) = (try Waker(), Log())
    let engine = try Self.engine(gate, log)
    let ports = try EnginePeer.freePorts(2)
    let (place, other) = (EnginePeer.place, "\(EnginePeer.place)")
    let slow = PipeConfiguration(port: ports[0], host: "slow", remotePort: ports[1], bind: place)
    let quick = PipeConfiguration(port: ports[1], host: other, remotePort: ports[0], bind: place)
    try engine.apply([slow, quick], waitsForNames: false)
    engine.refuseLateRings()
    #expect(log.lines.withLock { $0.isEmpty })
    gate.wake()
    try await eventually("a line") {
      engine.refuseLateRings()
      return log.lines.withLock { $0.first { $0.hasPrefix("loop: ") && $0.contains("each other") } }.map {
        _ in
      }
    }
    #expect(try Self.ask(slow) == .ended)
    #expect(engine.pipes[0].failed == 1 && engine.pipes[1].accepted == 0)
    // A reload that keeps the ring is refused, and changes nothing.
    #expect(throws: PipeError.self) { try engine.apply([slow, quick], waitsForNames: false) }
    #expect(engine.pipes[0].target.isRefused)
    try engine.apply([slow], waitsForNames: false)
    let target = try TCPListener(on: quick.listening)
    let client = try Stream(try TCPSocket(connectingTo: slow.listening))
    let accepted = try await eventually("a connection to the target") {
      guard let accepted = try target.accept() else { return nil as StreamEnd? }
      return StreamEnd(accepted.intoSocket())
    }
    #expect(accepted.socket.send([7], 0..<1) == .moved(1))
    #expect(client.receive(1) == 1)
    #expect(engine.pipes[0].failed == 1)
    engine.stop()
  }

  /// Two rings of which no name has an address when it is first looked up.
  @Test
  func `names that could not be looked up at first are compared when they can`() async throws {
    let (log, answers) = (Log(), Counter())
    let engine = try PipeEngine(
      threads: 1, patience: .seconds(3600),
      lookUp: { (_, port) throws(NameResolution.Failure) in
        let isFirst = answers.value.wrappingAdd(1, ordering: .relaxed).newValue <= 2
        if isFirst { return [] }
        return [ZonedEndpoint(Endpoint(address: EnginePeer.place, port: port))]
      }
    ) { warning in log.lines.withLock { $0.append(warning.code) } }
    let ports = try EnginePeer.freePorts(4)
    let place = EnginePeer.place
    let pipes = [("a", 0, 1), ("\(place)", 1, 0), ("b", 2, 3), ("\(place)", 3, 2)].map { host, from, to in
      PipeConfiguration(port: ports[from], host: host, remotePort: ports[to], bind: place)
    }
    // As if no time passed: a failure is tried again after a while.
    let start = Instant.now
    try engine.apply(pipes, waitsForNames: false)
    for index in [0, 2] {
      let target = engine.pipes[index].target
      try await eventually("a failed look-up") {
        if case .failed = target.addresses(at: start) { () } else { nil }
      }
    }
    engine.refuseLateRings()
    for index in [0, 2] { _ = engine.pipes[index].target.addresses(at: .now + .seconds(2)) }
    try await eventually("both rings") {
      engine.refuseLateRings()
      return engine.pipes.map(\.target.isRefused) == [true, false, true, false] ? () : nil
    }
    // That a name had no address is said as well, if it was noticed before it had one.
    #expect(log.lines.withLock { $0.filter { $0 != "unresolvable" } } == ["loop", "loop"])
    engine.stop()
  }

  @Test func `two rings that become known at once are both found`() async throws {
    let (gate, log) = (try Waker(), Log())
    let engine = try Self.engine(gate, log)
    let ports = try EnginePeer.freePorts(4)
    let place = EnginePeer.place
    let pipes = [("slow", 0, 1), ("\(place)", 1, 0), ("slow", 2, 3), ("\(place)", 3, 2)].map {
      host, from, to in
      PipeConfiguration(port: ports[from], host: host, remotePort: ports[to], bind: place)
    }
    try engine.apply(pipes, waitsForNames: false)
    try await eventually("both addresses") {
      gate.wake()
      return engine.pipes.allSatisfy { !$0.target.known.isEmpty } ? () : nil
    }
    engine.refuseLateRings()
    #expect(engine.pipes.map(\.target.isRefused) == [true, false, true, false])
    engine.stop()
  }

  /// Clients reset while they are accepted, given away, waited for and dialed for, and while their pipe goes.
  @Test(arguments: [1, 3])
  func `clients that vanish at once, and pipes that go, leave nothing open`(threads: Int) async throws {
    let target = try TCPListener(on: EnginePeer.loopback(0))
    let stopped = Counter()
    try EnginePeer.echo(target, stopped)
    let place = EnginePeer.place
    let ports = try EnginePeer.freePorts(2)
    let pipes = ports.map {
      PipeConfiguration(port: $0, host: "127.0.0.1", remotePort: target.local.port, bind: place)
    }
    let meter = try PipeMeter(pipes, threads: threads) { _ in }
    let running = Counter()
    for client in 0..<4 {
      running.value.wrappingAdd(1, ordering: .relaxed)
      try WorkerThread.start("client") {
        for round in 0..<200 {
          guard let socket = try? TCPSocket(connectingTo: Endpoint(address: place, port: ports[client % 2]))
          else { continue }
          if round % 3 > 0 { _ = socket.send(EnginePeer.message, 0..<(round % 3)) }
          socket.resetOnClose()
        }
        running.value.wrappingSubtract(1, ordering: .releasing)
      }
    }
    var round = 0
    while running.value.load(ordering: .acquiring) > 0 {
      round += 1
      try meter.reload(Array(pipes.prefix(1 + round % 2)))
    }
    try meter.reload(pipes)
    var accepted: UInt64 = 0
    _ = try await eventually("nothing open") {
      var open = 0
      accepted = 0
      for case .pipe(let connections, let all, _) in meter.report(at: Timestamp(seconds: 0)).rows.map(
        \.subject)
      {
        open += connections
        accepted += all
      }
      return open == 0 ? true : nil
    }
    #expect(accepted > 0)
    meter.drain()
    _ = try await eventually("the drain's end") { meter.isDrained ? true : nil }
    meter.stop()
    stopped.value.store(1, ordering: .relaxed)
  }
}
